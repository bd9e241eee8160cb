#!/usr/bin/env bash
# What is checked and measured on a machine with a GPU, in at most 8 minutes: the tests marked gpu; masks applied,
# resident rows and token tables beside torch and xgrammar; decoding free, constrained, with masks ahead and with drafts.
# Without a GPU the kernels run in Numba's simulator and the loop on the CPU, so that the script itself stays tried.
#
#     benchmarks/device.sh [MODEL]      what `generate` takes; smollm2 (its package must be there), or nano
set -euo pipefail
cd "$(dirname "$0")/.."
model=${1:-nano}
export PYTHONPATH=.

if python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    timeout 150 python -m pytest -q -m gpu -p no:cacheprovider
    timeout 90 python -m benchmarks cuda
    timeout 230 python -m benchmarks decoding --device cuda --model "$model" --rows 1,8,64 --tokens 64 --batches 2
else
    echo "no CUDA device: kernels in the simulator, the loop on the CPU"
    NUMBA_ENABLE_CUDASIM=1 timeout 150 python tests/kernels/cuda_checks.py
    timeout 230 python -m benchmarks decoding --model "$model" --rows 1,4 --tokens 8 --batches 1 --out decoding-tried
fi
