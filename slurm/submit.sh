#!/usr/bin/env bash
# Prepare, train and evaluate a data set: three Slurm jobs, one after another; four if the config asks for a pretraining.
#
#   slurm/submit.sh --config cifar10                    # one job, a task per label
#   slurm/submit.sh --config cifar10 -- --gpus-per-task=1 --time=4:00:00
#   slurm/submit.sh --config cifar100 --tasks 20        # each task trains five labels in turn
#   slurm/submit.sh --config cifar100 --array --at-once 20 -- --gpus=1
#   slurm/submit.sh --config cifar10 --missing          # later: what is neither done nor running
#   slurm/submit.sh --config cifar10 --failed           # or what failed, diverged or went stale
#
#   --config, --config.x=y, --workdir, --model    as for the programs
#   --labels 0-9,cat    these labels; --missing and --failed choose among them
#   --array             an array element per label, each requeued alone; else one job with a task per label
#   --tasks N           N tasks, or elements, share the labels
#   --at-once N         at most N elements run at a time
#   PYTHON=...          before slurm/submit.sh: the interpreter of the jobs, else that of the active environment
#   after --            options of sbatch for training and pretraining; for all jobs set SBATCH_ACCOUNT, ...
#
# The trained labels are evaluated even if others failed. After any failure, this is safe to repeat.
set -euo pipefail

fail() {
    echo "error: $*" >&2
    exit 2
}

# The number of labels in a list such as 0-4,7.
count() {
    local part total=0
    for part in ${1//,/ }; do
        total=$((total + ${part#*-} - ${part%-*} + 1))
    done
    echo "$total"
}

several() {
    echo "$1 $2$([[ $1 == 1 ]] || echo s)"
}

folder=$(dirname "$0")
PROGRAM=${PROGRAM:-$0}  # what the user typed
group=all tasks="" at_once="" array=false
config=() labels=() workdir=() model=() options=()
while (($#)); do
    case $1 in
    *=*) ;;
    --labels | --tasks | --at-once | --workdir | --model | --config | --config.*) # its value may be the next argument
        (($# > 1)) || fail "$1 wants a value; type $PROGRAM --help"
        set -- "$1=$2" "${@:3}"
        ;;
    esac
    case $1 in
    --help | -h)
        sed -n "2,/^set /s/^# \{0,1\}//p" "$0" | sed "s|^  slurm/submit.sh|  $PROGRAM|"
        exit
        ;;
    --labels=*) labels=("$1") ;;
    --tasks=*) tasks=${1#*=} ;;
    --at-once=*) at_once=${1#*=} ;;
    --config=* | --config.*=* | --noconfig.*) config+=("$1") ;;
    --workdir=*) workdir=("$1") ;;
    --model=*) model=("$1") ;;
    --array) array=true ;;
    --missing | --failed) group=${1#--} ;;
    --)
        options=("${@:2}")
        break
        ;;
    *) fail "$1 is not understood; type $PROGRAM --help (options of sbatch come after --)" ;;
    esac
    shift
done
for number in "$tasks" "$at_once"; do
    [[ $number =~ ^([1-9][0-9]{0,8})?$ ]] || fail "--tasks and --at-once are numbers from 1 on, not '$number'"
done
[[ -z $at_once ]] || $array || fail "--at-once goes with --array"

# The interpreter: PYTHON, that of an active environment, or the one that `make` has made beside these scripts.
own=$(cd "$folder/.." && pwd)/.venv/bin/python
if [[ -z ${PYTHON:-}${VIRTUAL_ENV:-}${CONDA_PREFIX:-} && -x $own ]]; then PYTHON=$own; fi
export PYTHON=${PYTHON:-python}  # for the jobs too
[[ $("$PYTHON" -m wcgan_tf.status --help 2>/dev/null) ]] ||
    fail "$("$PYTHON" -m wcgan_tf.status --help 2>&1 >/dev/null | tail -n 1 | sed "s/^error: //"): this is what" \
        "$PYTHON says; activate the environment of wcgan_tf, or type: PYTHON=<its python> $PROGRAM"
command -v sbatch >/dev/null || fail "there is no Slurm here (no sbatch); on one machine type: $PYTHON -m wcgan_tf.launch"

chosen=$("$PYTHON" -m wcgan_tf.status "${config[@]}" "${workdir[@]}" "${labels[@]}" --list="$group")
[[ -n $chosen ]] || { echo "nothing to do: no label is $group" && exit 0; }
total=$(count "$chosen")
ranks=${tasks:-$total}
((ranks <= total)) || ranks=$total
some=(--labels="$chosen")
[[ $group != all || ${#labels[@]} -gt 0 ]] || some=()

if $array; then
    most=$(scontrol show config 2>&1 | sed -n 's/^MaxArraySize *= *//p') || most=""
    [[ $most =~ ^[1-9][0-9]{0,8}$ ]] || fail "scontrol tells no MaxArraySize: Slurm's controller does not answer"
    ((ranks <= most)) || ranks=$most
    script=train_array.sbatch shape=(--array="0-$((ranks - 1))${at_once:+%$at_once}")
else
    script=train.sbatch shape=(--ntasks="$ranks")
fi

after() {
    echo "--dependency=$1 --kill-on-invalid-dep=yes"
}

submit() {
    sbatch --parsable "$@" | cut -d";" -f1
}

# Cancel the jobs submitted so far.
undo() {
    scancel "$prepare_job" ${pretrain_job:+"$pretrain_job"} ${train_job:+"$train_job"}
    fail "sbatch refused; nothing is submitted"
}

pretrains=$("$PYTHON" -m wcgan_tf.pretrain "${config[@]}" "${workdir[@]}" --needed) || exit 2  # it has said why
prepare_job=$(submit "$folder/prepare.sbatch" "${config[@]}") || fail "sbatch refused; nothing is submitted"
pretrain_job="" said="" first=$prepare_job
if [[ $pretrains == yes ]]; then
    # shellcheck disable=SC2046
    pretrain_job=$(submit $(after "afterok:$prepare_job") "${options[@]}" --ntasks=1 \
        "$folder/pretrain.sbatch" "${config[@]}" "${workdir[@]}") || undo
    first=$pretrain_job said="pretrain: job $pretrain_job; "
fi
# shellcheck disable=SC2046
train_job=$(submit $(after "afterok:$first") "${shape[@]}" "${options[@]}" \
    "$folder/$script" "${config[@]}" "${workdir[@]}" "${some[@]}") ||
    undo
# shellcheck disable=SC2046
evaluate_job=$(submit $(after "afterany:$train_job") \
    "$folder/evaluate.sbatch" "${config[@]}" "${workdir[@]}" "${model[@]}") || undo

if $array; then kind=element; else kind=task; fi
echo "prepare: job $prepare_job; ${said}train: job $train_job, $(several "$ranks" "$kind") for $(several "$total" label);" \
    "evaluate: job $evaluate_job"
status=("$PYTHON" -m wcgan_tf.status "${config[@]}" "${workdir[@]}")
echo "to see how far it is: squeue --me; $(printf '%q ' "${status[@]}")"
