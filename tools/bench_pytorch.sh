#!/usr/bin/env bash
# Sets our training and sampling steps beside the same in PyTorch, in one go:
#   tools/bench_pytorch.sh cpu|cuda FILE
# FILE.json holds our figures (measured here if it is not there yet), FILE-pytorch.json PyTorch's; FILE.md has a table of both.
#   BENCH=program   our benches (build/bench/tapestry_bench)
#   PYTHON=program  a Python with PyTorch (python3); without one nothing is compared
#   THREADS=n       of both (the processors there are)
#   SECONDS_EACH=s  for each of PyTorch's lines (1)
set -euo pipefail
cd "$(dirname "$0")/.."

device=${1:?cpu or cuda}
file=${2:?a file name without its ending}
bench=${BENCH:-build/bench/tapestry_bench}
python=${PYTHON:-python3}
threads=${THREADS:-$(nproc)}

[ -e "$file.json" ] || "$bench" --device "$device" --threads "$threads" --json "$file.json" steps
if ! "$python" -c 'import torch' 2>/dev/null; then
  echo "bench_pytorch: $python has no PyTorch: nothing to compare with (PYTHON=program names another)"
  exit
fi
"$python" bench/pytorch/sdrm_steps.py --device "$device" --threads "$threads" --seconds "${SECONDS_EACH:-1}" \
  --json "$file-pytorch.json"
comparison=$("$python" bench/pytorch/compare.py "$file.json" "$file-pytorch.json")
printf '%s\n' "$comparison"
printf '\n%s\n' "$comparison" >>"$file.md"
