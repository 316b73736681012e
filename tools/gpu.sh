#!/usr/bin/env bash
# Builds, tests and benches on a machine with a GPU, which needs nvcc, CMake and a C++ compiler but no package registry (see
# tools/stage_dependencies.sh), and writes what it saw to bench/results/<device>-<date>.json.
#   tools/gpu.sh [build] [test] [sanitize] [bench]     all of them when none is named
#   BUILD=dir       the build folder (build-gpu)
#   STAGED=dir      the staged dependencies (staged, if it is there)
#   RESULTS=dir     where the .json goes (bench/results)
#   PYTHON=program  a Python with PyTorch for the comparison, which is left out without one (python3)
set -euo pipefail
cd "$(dirname "$0")/.."

build=${BUILD:-build-gpu}
staged=${STAGED:-staged}
results=${RESULTS:-bench/results}
[ "$#" -gt 0 ] || set -- build test sanitize bench

for step in "$@"; do
  case "$step" in
    build | test | sanitize | bench) ;;
    *) echo "gpu: unknown step '$step' (build, test, sanitize and bench are known)" >&2; exit 2 ;;
  esac
done
wants() { [[ " $steps " == *" $1 "* ]]; }
steps="$*"

suites=(tensor autograd nn optim sdrm generators recommenders recsys)
# Of recsys only what computes on a GPU.
filter() { [ "$1" = recsys ] && echo '*OnDevice.*' || echo '*'; }

if wants build; then
  command -v nvcc >/dev/null || [ -n "${CUDACXX:-}" ] || { echo "gpu: nvcc was not found; set CUDACXX to it" >&2; exit 4; }
  # Compute capability of the GPU here, such as 90; all that the project is built for when nvidia-smi does not say.
  architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d '. ' || true)
  options=(-DTAPESTRY_CUDA=ON -DTAPESTRY_TESTS=ON -DTAPESTRY_BENCH=ON)
  [ -z "$architecture" ] || options+=("-DTAPESTRY_CUDA_ARCHITECTURES=$architecture")
  [ ! -d "$staged" ] || options+=("-DTAPESTRY_STAGED=$PWD/$staged")
  cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release "${options[@]}"
  targets=(reproduce tapestry_bench)
  for suite in "${suites[@]}"; do targets+=("tests_$suite"); done
  cmake --build "$build" --parallel "$(tools/jobs.sh)" --target "${targets[@]}"
fi

# Says what the machine computes on; without a GPU nothing below makes sense.
"$build/apps/reproduce" --doctor | tee "$build/doctor.txt"
if ! grep -q '^The GPU works' "$build/doctor.txt"; then
  echo "gpu: no working GPU: stopping before tests and benches" >&2
  exit 4
fi

passed=()
failed=()
if wants test; then
  for suite in "${suites[@]}"; do
    if TAPESTRY_DEVICE=cuda "$build/tests/tests_$suite" --gtest_brief=1 --gtest_filter="$(filter "$suite")"; then passed+=("$suite"); else failed+=("$suite"); fi
  done
  echo "gpu: suites passed: ${passed[*]:-none}; failed: ${failed[*]:-none}"
fi

# What runs under the sanitizers: every kernel against its reference, and training and sampling at small sizes.
sanitized=('tensor:*MatchesReference*' 'optim:*' 'sdrm:SdrmOnDevice.*' 'sdrm:SdrmPrecisionOnDevice.*' 'generators:*OnDevice.*')

if wants sanitize; then
  if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck; do
      for entry in "${sanitized[@]}"; do
        if TAPESTRY_DEVICE=cuda timeout 240 compute-sanitizer --tool "$tool" --error-exitcode 1 \
          "$build/tests/tests_${entry%%:*}" --gtest_brief=1 --gtest_filter="${entry#*:}"; then
          passed+=("$tool of ${entry%%:*}")
        else
          failed+=("$tool of $entry")
        fi
      done
    done
    echo "gpu: passed so far: ${passed[*]:-none}; failed: ${failed[*]:-none}"
  else
    echo "gpu: compute-sanitizer was not found: no memcheck, no racecheck"
  fi
fi

if wants bench; then
  device=$(sed -n 's/^  GPU  *\([^,]*\),.*/\1/p' "$build/doctor.txt" | tr 'A-Z ' 'a-z-')
  mkdir -p "$results"
  file=$results/$device-$(date +%F)
  "$build/bench/tapestry_bench" --device cuda --json "$file.json" kernels steps
  capability=$(sed -n 's/.*compute capability \([0-9]*\)\..*/\1/p' "$build/doctor.txt")
  if [ "${capability:-0}" -ge 8 ]; then
    for precision in tf32 bf16; do
      "$build/bench/tapestry_bench" --device cuda --precision "$precision" --json "$file-$precision.json" kernels steps
    done
  fi
  "$build/bench/tapestry_bench" --device cuda libraries | tee "$file-libraries.txt" ||
    failed+=("comparison with cuSPARSE and CUB")
  BENCH=$build/bench/tapestry_bench tools/bench_pytorch.sh cuda "$file" || failed+=("comparison with PyTorch")
fi

[ "${#failed[@]}" -eq 0 ] || exit 1
