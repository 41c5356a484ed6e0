#!/usr/bin/env bash
# On a machine with a GPU, JAX and PyTorch, in the folder of prepare.sh: one table, in less than 8 minutes.
#
#   bash measure.sh | tee table.txt
#   bash measure.sh sizes | tee sizes.txt      # or labels, or processes: only these rows
#
# What the time does not suffice for is named, and nothing is lost if a row fails.
cd "$(dirname "$0")" || exit 1
exec 2>&1
TOTAL=460  # seconds, of all that is started here
export PYTHONUNBUFFERED=1 XLA_PYTHON_CLIENT_PREALLOCATE=false
# The processes of one label each load the program that the first one compiled.
JAX_COMPILATION_CACHE_DIR=$(mktemp -d)
export JAX_COMPILATION_CACHE_DIR JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0
if timeout 60 nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader; then
    export JAX_PLATFORMS=cuda  # else JAX takes the CPU in silence if the GPU refuses it
else
    echo "no GPU"
fi

# limited SECONDS PROGRAM...: says if it failed, or if the time ended it.
limited() {
    local left=$((TOTAL - SECONDS))
    if ((left < 10)); then
        echo "no time is left for ${*:2}"
        return
    fi
    timeout -k 5 "$(($1 < left ? $1 : left))" python3 "${@:2}" ||
        echo "${*:2} ended with exit code $? (124: its time was over): its last rows are missing"
}

# size SIDE BATCH WIDTH: the exported step in both precisions, and the same step in PyTorch.
size() {
    for precision in mixed_bfloat16 float32; do
        limited 60 run_steps.py "$1px-b$2-w$3-$precision.json" --card "$card" --seconds 3
    done
    for form in graphs eager; do
        limited 60 torch_steps.py --side "$1" --batch_size "$2" --width "$3" --form "$form" --seconds 1.5
    done
}

# processes COUNT FORM: what several processes of one label each add up to while all of them run.
processes() {
    local folder begin
    folder=$(mktemp -d)
    begin=$(($(date +%s) + 15 + $1))
    for number in $(seq "$1"); do
        limited 60 packed_steps.py --pack 1 --form "$2" --bfloat16 --unchecked --begin "$begin" --seconds 6 \
            >"$folder/$number" &
    done
    wait
    cat "$folder"/* | grep -o '[0-9]* images/s' | awk -v count="$1" -v form="$2" \
        '{ sum += $1 } END { print form ", " count " processes: " sum + 0 " images/s together (" NR " answered)" }'
    grep -L 'images/s' "$folder"/* | head -n 1 | xargs -r tail -n 1
}

larger() {
    size 64 32 64
    size 128 32 64
    size 32 256 32
}

labels() {
    for form in grouped matrices; do
        limited 90 packed_steps.py --pack 16 4 1 --form "$form" --bfloat16 --seconds 2
    done
}

several() {
    CUDA_MPS_PIPE_DIRECTORY=$(mktemp -d) CUDA_MPS_LOG_DIRECTORY=$(mktemp -d)
    export CUDA_MPS_PIPE_DIRECTORY CUDA_MPS_LOG_DIRECTORY
    if timeout 20 nvidia-cuda-mps-control -d; then
        trap 'timeout 20 nvidia-cuda-mps-control <<<"quit -t 5"' EXIT
        echo "with MPS (the control program has started):"
    else
        echo "without MPS:"
    fi
    for count in 1 4 16; do
        processes "$count" grouped
    done
    processes 16 matrices
}

card=$(timeout 60 python3 run_steps.py) || echo "the card's own rate is not known: $card"
[[ $card =~ ^[0-9.]+$ ]] || card=0
echo "the card: $card TFLOP/s in products of bfloat16 matrices (0: not known, or a CPU)"
for part in "${@:-all}"; do
    case $part in
    sizes) size 32 32 32; larger ;;
    labels) labels ;;
    processes) several ;;
    all) size 32 32 32; labels; several; larger ;;
    *) echo "error: $part is none of sizes, labels, processes" && exit 2 ;;
    esac
done
exit 0
