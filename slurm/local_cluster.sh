#!/usr/bin/env bash
# A real Slurm cluster of four virtual nodes on this machine only, to try the scripts in this folder.
#
#   sudo apt-get install slurm-wlm munge        # Debian and Ubuntu
#   sudo slurm/local_cluster.sh start           # prints the line that makes srun, sbatch and squeue use it
#   eval "$(slurm/local_cluster.sh environment)"
#   srun --ntasks=2 hostname
#   sudo slurm/local_cluster.sh stop            # ends its jobs and deletes its files
#
# It needs root. All its files, with its munge key, are in $WCGAN_CLUSTER (/tmp/wcgan_cluster if not set).
# It does not touch the machine's own Slurm. Nodes n1 to n4 have two CPUs each, on any machine.
set -euo pipefail

folder=${WCGAN_CLUSTER:-/tmp/wcgan_cluster}
conf=$folder/slurm.conf
nodes=(n1 n2 n3 n4)

fail() {
    echo "error: $*" >&2
    exit 1
}

# The first of five ports; no process listens on it.
free_port() {
    local port
    for port in {17000..17990..10}; do
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

write_conf() {
    local host first_port
    host=$(hostname -s)
    first_port=$(free_port)
    cat >"$conf" <<CONF
ClusterName=local
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$first_port
AuthType=auth/munge
# A requeued job waits for the lifetime of a credential before it restarts: 120 s by default.
AuthInfo=socket=$folder/munge/socket,cred_expire=10
SlurmUser=root
SlurmdUser=root
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,bf_interval=1
MpiDefault=none
GresTypes=gpu,shard
# Jobs of the partition "urgent" preempt others, which have 20 s to save and are requeued.
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
JobRequeue=1
KillWait=30
SlurmdTimeout=10
InactiveLimit=0
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/%n.log
NodeName=n[1-4] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((first_port + 1))-$((first_port + 4))] CPUs=2 Gres=gpu:2,shard:8
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=20
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=2 PreemptMode=OFF
CONF
}

# Two devices on each node that Slurm takes for GPUs: they are /dev/null, and no program can compute on them.
write_gpus() {
    local device
    for device in 0 1; do
        mknod "$folder/gpu$device" c 1 3 2>/dev/null || touch "$folder/gpu$device"  # Slurm then ignores them
    done
    cat >"$folder/gres.conf" <<CONF
AutoDetect=off
Name=gpu File=$folder/gpu[0-1]
Name=shard Count=8
CONF
}

start_munge() {
    chmod 700 "$folder/munge"
    (umask 077 && head -c 1024 /dev/urandom >"$folder/munge/key")
    # The folder and this munged belong to root; the machine's own munged, of another user, is not touched.
    chmod 711 "$folder/munge"
    munged --socket="$folder/munge/socket" --key-file="$folder/munge/key" --pid-file="$folder/munge/pid" \
        --seed-file="$folder/munge/seed" --log-file="$folder/munge/log" ||
        fail "munged did not start; see $folder/munge/log (every user must be able to enter the folder above $folder)"
}

start_node() {
    slurmd -f "$conf" -N "$1" || fail "slurmd did not start; see $folder/log/$1.log"
}

start() {
    [[ $EUID == 0 ]] || fail "it takes root to start daemons for any user: sudo $0 start"
    for program in munged slurmctld slurmd; do
        command -v "$program" >/dev/null || fail "there is no $program; type: apt-get install slurm-wlm munge"
    done
    [[ ! -e $conf ]] || fail "$folder holds a cluster already; type: $0 stop"
    getent hosts "$(hostname -s)" >/dev/null || fail "$(hostname -s) is not in /etc/hosts; add: 127.0.0.1 $(hostname -s)"
    mkdir -p "$(dirname "$folder")"
    mkdir -m 755 "$folder" || fail "what lies there is not ours: delete it, or set WCGAN_CLUSTER to another folder"
    mkdir "$folder"/{state,spool,log,munge}
    write_conf
    write_gpus
    start_munge
    slurmctld -f "$conf" || fail "slurmctld did not start; see $folder/log/slurmctld.log"
    for node in "${nodes[@]}"; do
        start_node "$node"
    done
    for _ in {1..60}; do
        if [[ $(SLURM_CONF=$conf sinfo --noheader --format=%D --states=idle 2>/dev/null) == "${#nodes[@]}" ]]; then
            echo "${#nodes[@]} nodes are up; to use them: $(environment)"
            return
        fi
        sleep 0.5
    done
    fail "the nodes did not come up in 30 s; see $folder/log"
}

environment() {
    echo "export SLURM_CONF=$conf SLURM_MPI_TYPE=none"
}

end_by() {
    local pid
    [[ -s $1 ]] || return 0
    pid=$(<"$1")
    kill "$pid" 2>/dev/null || return 0
    for _ in {1..50}; do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
}

stop() {
    [[ -e $conf ]] || fail "there is no cluster in $folder"
    [[ $EUID == 0 ]] || fail "it takes root: sudo $0 stop"
    timeout 5 env SLURM_CONF="$conf" scancel --full --signal=KILL --state=RUNNING 2>/dev/null || true
    timeout 5 env SLURM_CONF="$conf" scancel --user=root 2>/dev/null || true
    for node in "${nodes[@]}"; do
        end_by "$folder/$node.pid"
    done
    end_by "$folder/slurmctld.pid"
    end_by "$folder/munge/pid"
    rm -rf "$folder"
}

case ${1:-} in
start | stop | environment) "$1" ;;
node) start_node "$2" ;;
*) fail "type: $0 start, stop or environment" ;;
esac
