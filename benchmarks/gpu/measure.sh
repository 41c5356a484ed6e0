#!/usr/bin/env bash
# On a machine with a GPU, JAX and PyTorch, in the folder of prepare.sh: one table; its time limits end it in less than 8 minutes.
#
#   bash measure.sh | tee table.txt
cd "$(dirname "$0")" || exit 1
export PYTHONUNBUFFERED=1 XLA_PYTHON_CLIENT_PREALLOCATE=false
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || echo "no GPU"
for size in "32 32 32" "32 256 32" "64 32 64" "128 32 64"; do
    read -r side batch width <<<"$size"
    timeout 45 python3 run_steps.py "${side}px-b${batch}-w${width}"-*.json --seconds 3
    timeout 40 python3 torch_steps.py --side "$side" --batch_size "$batch" --width "$width" --seconds 2
done

# What several processes on one GPU add up to, with NVIDIA's MPS if it starts, else in turns.
CUDA_MPS_PIPE_DIRECTORY=$(mktemp -d) CUDA_MPS_LOG_DIRECTORY=$(mktemp -d)
export CUDA_MPS_PIPE_DIRECTORY CUDA_MPS_LOG_DIRECTORY
nvidia-cuda-mps-control -d 2>/dev/null && echo "with MPS:" || echo "without MPS:"
for count in 1 4 16; do
    for _ in $(seq "$count"); do
        timeout 40 python3 run_steps.py 32px-b32-w32-float32.json --seconds 10 2>/dev/null | grep -o '[0-9]* images/s' &
    done | awk -v count="$count" '{ sum += $1 } END { print count " processes: " sum " images/s together, of " NR }'
    wait
done
echo quit | nvidia-cuda-mps-control 2>/dev/null
exit 0
