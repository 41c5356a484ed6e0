#!/usr/bin/env bash
# On a machine with a GPU, JAX and PyTorch, in the folder of prepare.sh: one table, in less than 8 minutes by its limits.
#
#   bash measure.sh | tee table.txt
cd "$(dirname "$0")" || exit 1
export PYTHONUNBUFFERED=1 XLA_PYTHON_CLIENT_PREALLOCATE=false
# The processes below load the programs that the first one compiled.
JAX_COMPILATION_CACHE_DIR=$(mktemp -d)
export JAX_COMPILATION_CACHE_DIR JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || echo "no GPU"

# limited SECONDS COMMAND: says if the limit ended it.
limited() {
    timeout "$1" python3 "${@:2}"
    [ $? -ne 124 ] || echo "$2 was ended after $1 s: its last rows are missing"
}

# size LIMIT LIMIT SIDE BATCH WIDTH: the exported step, and the same step in PyTorch.
size() {
    limited "$1" run_steps.py "$3px-b$4-w$5"-*.json --seconds 3
    limited "$2" torch_steps.py --side "$3" --batch_size "$4" --width "$5" --seconds 2
}

# processes COUNT FORM: what several processes of one label each add up to.
processes() {
    for _ in $(seq "$1"); do
        timeout 20 python3 packed_steps.py --pack 1 --form "$2" --bfloat16 --unchecked --seconds 8 2>/dev/null |
            grep -o '[0-9]* images/s' &
    done | awk -v count="$1" -v form="$2" \
        '{ sum += $1 } END { print form ", " count " processes: " sum + 0 " images/s together (" NR " answered)" }'
    wait
}

size 40 30 32 32 32
for form in grouped matrices; do
    limited 45 packed_steps.py --pack 1 4 16 --form "$form" --bfloat16 --seconds 2
done
CUDA_MPS_PIPE_DIRECTORY=$(mktemp -d) CUDA_MPS_LOG_DIRECTORY=$(mktemp -d)
export CUDA_MPS_PIPE_DIRECTORY CUDA_MPS_LOG_DIRECTORY
nvidia-cuda-mps-control -d 2>/dev/null && echo "with MPS:" || echo "without MPS:"
for count in 1 4 16; do
    processes "$count" grouped
done
processes 16 matrices
echo quit | nvidia-cuda-mps-control 2>/dev/null
unset CUDA_MPS_PIPE_DIRECTORY CUDA_MPS_LOG_DIRECTORY
size 40 30 32 256 32
size 45 30 64 32 64
size 45 30 128 32 64
exit 0
