#!/usr/bin/env bash
# Sets our training and sampling steps beside the same in PyTorch, in one go:
#   tools/bench_pytorch.sh cpu|cuda FILE
# FILE.json holds our figures (measured here if it is not there yet), FILE-pytorch.json PyTorch's; FILE.md has a table of both. On the
# CPU, FILE-recommenders.json and a second table have the recommenders, which PyTorch's program has on the CPU alone.
#   OURS=file       our figures (FILE.json)
#   BENCH=program   our benches (build/bench/tapestry_bench)
#   PYTHON=program  a Python with PyTorch, and pandas for the recommenders (python3); without PyTorch nothing is measured, and the status
#                   is 2 where PYTHON was set
#   THREADS=n       of both (the processors there are)
#   SECONDS_EACH=s  for each of PyTorch's lines (1)
#   LIMIT=s         for each of PyTorch's programs: the lines that it has measured by then are compared (none)
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/.."

device=${1:?cpu or cuda}
file=${2:?a file name without its ending}
if [ "${file#/}" = "$file" ]; then file=$here/$file; fi  # the caller's folder, not ours
ours=${OURS:-$file.json}
if [ "${ours#/}" = "$ours" ]; then ours=$here/$ours; fi
bench=${BENCH:-build/bench/tapestry_bench}
python=${PYTHON:-python3}
threads=${THREADS:-$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)}  # as tools/jobs.sh
# Beside other work PyTorch's waiting threads, which look for work a hundred times as long as ours do before they sleep, would make it
# several times slower: both are given the same patience (tensor/parallel.h).
[ -n "${GOMP_SPINCOUNT:-}${OMP_WAIT_POLICY:-}" ] || export GOMP_SPINCOUNT=3000

has() { "$python" -c 'import importlib.util, sys; sys.exit(None in map(importlib.util.find_spec, sys.argv[1:]))' "$@" 2>/dev/null; }

if ! has torch; then
  echo "bench_pytorch: $python has no PyTorch, and nothing is measured without: PYTHON=program names one that has it" >&2
  [ -z "${PYTHON:-}" ] || exit 2
  exit
fi

parts=(steps)
[ "$device" != cpu ] || parts+=(recommenders)
[ -e "$ours" ] || "$bench" --device "$device" --threads "$threads" --json "$ours" "${parts[@]}"

status=0
beside() { # THEIRS PROGRAM OPTION...: a table of its figures and ours, also of those that it had when it failed or was stopped
  local theirs=$1 comparison="## Beside PyTorch" unfinished=""
  rm -f "$theirs"
  timeout --kill-after=5 "${LIMIT:-0}" "$python" "bench/pytorch/$2" --threads "$threads" --json "$theirs" "${@:3}" || {
    status=$?  # 124 or 137 when time ran out
    unfinished="$2 did not come to its end: what it has measured is compared."
    [ -e "$theirs" ] || unfinished="$2 did not come to its end, and has measured nothing."
    echo "bench_pytorch: $unfinished" >&2
  }
  if [ -e "$theirs" ]; then
    comparison=$("$python" bench/pytorch/compare.py "$ours" "$theirs") || { status=1; return 0; }
  elif [ -z "$unfinished" ]; then
    return 0
  fi
  [ -z "$unfinished" ] || comparison+=$'\n\n'$unfinished
  printf '%s\n' "$comparison"
  printf '\n%s\n' "$comparison" >>"$file.md"
}

beside "$file-pytorch.json" sdrm_steps.py --device "$device" --seconds "${SECONDS_EACH:-1}"
if [ "$device" = cpu ]; then
  if has pandas numpy; then
    beside "$file-recommenders.json" recommenders.py
  else
    echo "bench_pytorch: $python has no pandas: the recommenders are not compared"
  fi
fi
exit "$status"
