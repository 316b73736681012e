#!/usr/bin/env bash
# Builds, tests and benches on a machine with a GPU, which needs nvcc, CMake and a C++ compiler but no package registry (see
# tools/stage_dependencies.sh).
#   tools/gpu.sh [build] [test] [bench] [pytorch] [cells] [sanitize]     always in this order; `all` of them when none is named
#   tools/gpu.sh targets                                                 says what `build` builds
# Where there is no build, whatever is named builds first. Of `bench` only the part in float32 comes before `pytorch`.
# A step that fails is named at the end, and the others go on. The status is then 1; 3 if nothing failed but time ran out; 4 if the
# machine cannot do it.
#   BUILD=dir       the build folder (build-gpu)
#   STAGED=dir      the staged dependencies (staged, if it is there)
#   RESULTS=dir     where figures go (bench/results), each file as soon as it exists: <device>-<date>.md with all tables,
#                   <device>-<date>.json, -tf32.json, -bf16.json and -pytorch.json, -steps.json where `pytorch` came without `bench`,
#                   -cells.csv with the measures of `cells`, and -cells-beside.csv with how far they are from PUBLISHED; if it is set, the
#                   log too, else it is in BUILD
#   BUDGET=s        seconds for all of it (540; bench/README.md has those for a machine of fifteen minutes): what has not begun by then is left out and named, what runs is stopped
#   RACECHECK=s     seconds for the race detector (200), which is slow: what it has not found by then it has not
#   JOBS=n          compilers at a time (as many as there are processors, and memory for)
#   TAPESTRY_DATA=dir  the data sets, for `cells`: whole experiments with SVD, timed; left out without them (shared/data or data, if one
#                   is there)
#   PUBLISHED=file  the measures that those of `cells` are set beside (docs/results/published/results.csv)
#   PYTHON=program  a Python with PyTorch for the comparison, which is left out without one (python3)
set -euo pipefail
cd "$(dirname "$0")/.."

build=${BUILD:-build-gpu}
staged=${STAGED:-staged}
results=${RESULTS:-bench/results}
log=${RESULTS:-$build}/gpu.log
budget=${BUDGET:-540}
python=${PYTHON:-python3}
published=${PUBLISHED:-docs/results/published/results.csv}
data=${TAPESTRY_DATA:-$([ -d shared/data ] && echo shared/data || echo data)}
jobs=${JOBS:-$(tools/jobs.sh)}
own_cpath=${CPATH:-}
toolkit=${CUDA_HOME:-/usr/local/cuda}/bin
suites=(tensor autograd nn optim sdrm generators recommenders recsys)
targets=(reproduce tapestry_bench "${suites[@]/#/tests_}")
if [ "$*" = targets ]; then
  printf '%s\n' "${targets[@]}"
  exit
fi

[ "$#" -gt 0 ] || set -- all

for step in "$@"; do
  case "$step" in
    all | build | test | bench | pytorch | cells | sanitize) ;;
    *) echo "gpu: unknown step '$step' (all, build, test, bench, pytorch, cells and sanitize are known)" >&2; exit 2 ;;
  esac
done
steps="$*"
wants() { [[ " $steps " == *" $1 "* || " $steps " == *" all "* ]]; }

# What the suites run on a GPU: the same as on the emulated one (tests/CMakeLists.txt).
filter() { # SUITE
  local chosen='*'
  case "$1" in
    sdrm) chosen='SdrmOnDevice*:BinarizeOnDevice.*:SdrmPrecisionOnDevice.*' ;;
    generators) chosen='GeneratorsOnDevice*:ExperimentOnDevice.*' ;;
    recsys) chosen='*OnDevice.*' ;;
  esac
  echo "$chosen-Long*:*/Long*:*IgnoresThreadCount*"
}

passed=()
failed=()
late=()    # for want of time
absent=()  # for want of a program
last=$build/last.log  # output of the last attempt

list() { # TITLE NAME...
  [ "$#" -eq 1 ] || { printf '%s:\n' "$1"; printf '  %s\n' "${@:2}"; }
}
finish() { # [STATUS]: says what became of every step, and ends
  local status=${1:-0}
  printf '\n=== after %d s\n' "$SECONDS"
  list passed ${passed[@]+"${passed[@]}"}
  list "not possible here" ${absent[@]+"${absent[@]}"}
  list "no time left for" ${late[@]+"${late[@]}"}
  list FAILED ${failed[@]+"${failed[@]}"}
  # For the steps of a later call, which may begin with an empty folder of results.
  [ -z "${file:-}" ] || { rm -rf "$build/kept" && mkdir "$build/kept" && cp "$file"[.-]* "$build/kept" 2>/dev/null; } || true
  [ "$status" -ne 0 ] || [ "${#late[@]}" -eq 0 ] || status=3
  [ "$status" -eq 4 ] || [ "${#failed[@]}" -eq 0 ] || status=1
  exit "$status"
}
cannot() { # WHY: the machine is not one for this
  echo "gpu: $1" >&2
  finish 4
}

left() { echo $((budget - SECONDS)); }
attempt() { # LIMIT NAME COMMAND...: runs it for LIMIT seconds at most, and no longer than there is time; says whether it passed
  local limit=$1 name=$2 left status=0
  shift 2
  left=$(left)
  if [ "$left" -lt 5 ]; then
    late+=("$name")
    return 1
  fi
  printf '\n=== %s (%d s)\n' "$name" "$SECONDS"
  timeout --kill-after=5 "$((limit < left ? limit : left))" "$@" 2>&1 | tee "$last" || status=$?
  case "$status" in
    0) passed+=("$name"); return 0 ;;
    # A race detector that found nothing in its time has not failed.
    124 | 137) if [ "$limit" -lt "$left" ] && [[ "$name" != racecheck* ]]; then failed+=("$name: stopped after $limit s"); else late+=("$name, which was stopped"); fi ;;
    *) failed+=("$name: status $status") ;;
  esac
  return 1
}
# Whether tests passed. That all skip, or that a filter chooses none, is no success.
passes() { grep -q '^\[  PASSED  \] [1-9]' "$last"; }
suite() { # LIMIT NAME SUITE FILTER [WRAPPER...]: tests of one suite on the GPU, under a program that watches them if one is named
  local limit=$1 name=$2 program=$build/tests/tests_$3 record=$build/tests_$3.json chosen=$4
  shift 4
  [ "$#" -eq 0 ] || record=$build/watched.json
  if [ ! -x "$program" ]; then
    failed+=("$name: $program is not there")
    return
  fi
  # Every test is named as it begins: where a program crashes or is stopped, the log ends with the one that did it.
  attempt "$limit" "$name" env TAPESTRY_DEVICE=cuda "$@" "$program" "--gtest_output=json:$record" "--gtest_filter=$chosen" || return 0
  if ! passes; then
    unset 'passed[-1]'
    failed+=("$name: no test ran")
  fi
}

# What tests recorded: the errors of products in each precision, and of losses on the way through some tens of updates.
recorded() {
  local suite
  for suite in "${suites[@]}"; do
    [ ! -e "$build/tests_$suite.json" ] || sed -nE 's/^ *"((tf32|bf16|loss_of)[a-z0-9_]*)": "(.*)".*/| \1 | \3 |/p' "$build/tests_$suite.json"
  done
}

# The headers and libraries beside nvcc that the build needs. PyTorch's packages bring the same: where nvcc finds none they do.
find_library() { # NVCC HEADER LIBRARY: adds to `options`, or fails and says why in `lacking`
  local folder said
  printf '#include <%s>\nint main() {}\n' "$2" >"$build/probe.cu"
  # Without what was added for another library, whose folder may hold this header as well: then this library would be missed.
  if CPATH=$own_cpath "$1" -E -o "$build/probe.ii" "$build/probe.cu" >/dev/null 2>&1; then
    # A header may be there without its library. Whatever else keeps the linker from its work is for the build to say.
    said=$(LC_ALL=C CPATH=$own_cpath "$1" -o "$build/probe" "-l$3" "$build/probe.cu" 2>&1) || true
    if ! grep -q "cannot find -l$3" <<<"$said"; then return 0; fi
  fi
  while read -r folder; do
    local found=("$folder/../lib/lib$3.so"*)
    if [ -f "$folder/$2" ] && [ -e "${found[0]}" ]; then
      echo "gpu: nvcc does not find $2 with lib$3, taken from $folder"
      export CPATH="${CPATH:+$CPATH:}$folder"
      options+=("-DCUDA_$3_LIBRARY=$(readlink -f "${found[0]}")")
      return
    fi
  done < <("$python" -c 'import glob, sys
for path in sys.path: print(*glob.glob(path + "/nvidia/*/include"), sep="\n")' 2>/dev/null)
  lacking="nvcc does not find $2 with lib$3, and $python has no nvidia/*/include with it: install the toolkit's lib$3 with its headers"
  return 1
}
# Of the last build, which may be an earlier call's.
has_cusparse() { ! grep -q '^CUDA_cusparse_LIBRARY:FILEPATH=OFF' "$build/CMakeCache.txt" 2>/dev/null; }

configure_and_build() {
  local nvcc said capabilities one known architectures='' keep_going=(-k)
  # Where the toolkit's installer puts it, which is on no PATH by itself.
  if ! command -v "${CUDACXX:-nvcc}" >/dev/null && [ -x "$toolkit/nvcc" ]; then export PATH="$PATH:$toolkit"; fi
  nvcc=$(command -v "${CUDACXX:-nvcc}") || cannot "nvcc was not found, nor is it in $toolkit; set CUDACXX to it"
  options=(-DTAPESTRY_CUDA=ON -DTAPESTRY_TESTS=ON -DTAPESTRY_BENCH=ON)
  # For all GPUs here; for all that the project is built for where nothing says what they are. Which of them is CUDA's first
  # nvidia-smi does not tell: it has another order, and does not look at CUDA_VISIBLE_DEVICES.
  if command -v nvidia-smi >/dev/null; then
    said=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>&1) || true
    capabilities=$(grep -oE '^[0-9]+\.[0-9]+' <<<"$said" | sort -uV) ||
      cannot "nvidia-smi should say a compute capability such as 9.0, and says '${said%%$'\n'*}'"
    known=$("$nvcc" --list-gpu-arch) || true
    for one in $capabilities; do
      [ "${one/./}" -ge 75 ] || continue
      # A GPU that is newer than this toolkit runs what is compiled for the newest that the toolkit knows; an older one nothing.
      if ! grep -qx "compute_${one/./}" <<<"$known"; then
        echo "gpu: nvcc does not know compute capability $one: compiling for what it knows"
        architectures=all
      fi
      [ "$architectures" = all ] || architectures+="${architectures:+;}${one/./}"
    done
    [ -n "$architectures" ] || cannot "a GPU of compute capability ${capabilities//$'\n'/ or } is too old: 7.5 is the least"
    [ "$architectures" = all ] || options+=("-DTAPESTRY_CUDA_ARCHITECTURES=$architectures")
  fi
  find_library "$nvcc" cublas_v2.h cublas || cannot "$lacking"
  # For one bench alone. A library that CMake found without its headers would not let the benches compile; what an earlier call in
  # this folder said of it counts no more.
  options+=(-UCUDA_cusparse_LIBRARY)
  find_library "$nvcc" cusparse.h cusparse || {
    absent+=("comparison with cuSPARSE and CUB: $lacking")
    options+=(-DCUDA_cusparse_LIBRARY:FILEPATH=OFF)
  }
  [ ! -d "$staged" ] || options+=("-DTAPESTRY_STAGED=$(cd "$staged" && pwd)")
  # Make builds one target after the other and waits for the slowest file of each.
  if [ -z "${CMAKE_GENERATOR:-}" ] && command -v ninja >/dev/null; then export CMAKE_GENERATOR=Ninja; fi
  attempt 120 configure cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release "${options[@]}" || finish

  # What does not compile must not be there from an earlier build; the rest is built and tested.
  rm -f "$build/apps/reproduce" "$build/bench/tapestry_bench" "${suites[@]/#/$build/tests/tests_}" "$build"/tests_*.json
  if grep -q '^CMAKE_GENERATOR:INTERNAL=Ninja' "$build/CMakeCache.txt"; then keep_going=(-k 0); fi
  echo "gpu: $jobs compilers at a time"
  attempt 400 build cmake --build "$build" --parallel "$jobs" --target "${targets[@]}" -- "${keep_going[@]}" || true
}

# Says what the machine computes on, and names the files after it; without a GPU nothing below makes sense. Where the doctor finds
# a GPU that computes wrongly, or did not compile, the tests are what shows why.
examine() {
  local name
  if [ -x "$build/apps/reproduce" ]; then
    attempt 60 doctor "$build/apps/reproduce" --doctor || true
    if grep -q '^No GPU is used' "$last"; then cannot "no working GPU: stopping before tests and benches"; fi
    name=$(sed -n 's/^  GPU  *\([^,]*\),.*/\1/p' "$last")
    capability=$(sed -n 's/.*compute capability \([0-9]*\)\..*/\1/p' "$last")
  else
    failed+=("doctor: $build/apps/reproduce is not there")
  fi
  if [ -z "${name:-}" ] && command -v nvidia-smi >/dev/null; then
    name=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -n 1) || true
    capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | cut -d . -f 1) || true
  fi
  file=$results/$(tr 'A-Z ' 'a-z-' <<<"${name:-unknown-gpu}")-$(date +%F)
  # What an earlier call today has measured, which the steps of this one add to.
  if ! wants all && [ ! -e "$file.json" ]; then cp "$build/kept/${file##*/}"[.-]* "$results" 2>/dev/null || true; fi
}

# `pytorch` and `cells` add sections to the .md. Each of them takes out its own of an earlier call first; benches, which begin the
# file anew, keep them.
of_pytorch='^## Beside PyTorch'
of_cells='^## (Whole experiments with SVD|Their measures beside )'
sections() { # HEADING 1|0: the lines of the .md in sections with such headings, or all others
  [ -e "$file.md" ] || return 0
  awk -v heading="$1" -v wanted="$2" '/^##? / { inside = ($0 ~ heading) } { if (inside ? wanted : !wanted) print }' "$file.md"
}
take_out() { # HEADING
  local rest
  rest=$(sections "$1" 0)
  rm -f "$file.md"
  [ -z "$rest" ] || printf '%s\n' "$rest" >"$file.md"
}

anew() { # COMMAND...: runs it, which begins the .md anew
  local kept status=0
  [ "$(left)" -ge 5 ] || { "$@" || status=$?; return "$status"; } # it only says that it was left out
  kept=$(sections "$of_pytorch|$of_cells" 1)
  rm -f "$file.md"
  "$@" || status=$?
  [ -z "$kept" ] || printf '\n%s\n' "$kept" >>"$file.md"
  return "$status"
}

begin_with() { # TABLE: it begins the .md, unless that has a table of benches already
  local rest=''
  [ -e "$1" ] || return 0
  if ! grep -qs '^# ' "$file.md"; then
    [ ! -e "$file.md" ] || rest=$(cat "$file.md")
    cp "$1" "$file.md"
    [ -z "$rest" ] || printf '\n%s\n' "$rest" >>"$file.md"
  fi
  rm "$1"
}

bench() { # NAME FILE OPTION|BENCH...: figures in FILE.json; their table goes to the end of the one .md
  local figures=$2.json
  # The program writes its table beside its figures: where that is not the one .md, not among the results, where it would stay if this
  # script is stopped as well.
  [ "$2" = "$file" ] || figures=$build/figures.json
  [ "$2" = "$file" ] && [ "$(left)" -lt 5 ] || rm -f "$figures" "${figures%.json}.md"
  attempt 200 "$1" "$build/bench/tapestry_bench" --device cuda --json "$figures" "${@:3}" kernels steps || true
  [ "$2" != "$file" ] && [ -e "$figures" ] || return 0
  mv "$figures" "$2.json"
  [ ! -e "${figures%.json}.md" ] || { echo; cat "${figures%.json}.md"; } >>"$file.md"
}
benches() {
  local measured whole=''
  anew bench "benches in float32" "$file" recommenders
  # PyTorch needs minutes, and is set beside float32: the rest waits.
  if wants pytorch; then pytorch; fi
  if [ "${capability:-0}" -ge 8 ]; then
    bench "benches in tf32" "$file-tf32" --precision tf32
    bench "benches in bf16" "$file-bf16" --precision bf16
  fi
  measured=$(recorded)
  if [ -n "$measured" ]; then
    printf '\n## What products and losses lose\n\nLargest relative differences that tests found: from float64 over k, from float32, from the CPU.\n\n' >>"$file.md"
    printf '| | |\n|---|---|\n%s\n' "$measured" >>"$file.md"
  fi
  if ! has_cusparse; then
    wants build || absent+=("comparison with cuSPARSE and CUB: this build found no cuSPARSE with its headers")
    return
  fi
  : >"$last"
  attempt 90 "comparison with cuSPARSE and CUB" "$build/bench/tapestry_bench" --device cuda libraries ||
    whole=$'\nIt did not come to its end, or left something out: this is what was measured.\n'
  if grep -q ' times ours;' "$last"; then
    { printf '\n## Beside cuSPARSE and CUB\n%s\n' "$whole"; sed 's/^/    /' "$last"; } >>"$file.md"
  fi
}

# Whole experiments of five runs with SVD: VAE, F and M, both settings. What five runs at once cost beside one after the other shows
# on the first data set, and what tensor cores do to its measures. All begin alike: by itself the program would have the driver load
# every kernel at its start where runs are side by side, and each at its first use where they are not.
cells() {
  local dataset jobs precision begun name took out
  if [ ! -d "$data" ]; then
    absent+=("whole experiments: there are no data in $data (TAPESTRY_DATA)")
    return
  fi
  if [ ! -x "$build/apps/reproduce" ]; then
    failed+=("whole experiments: $build/apps/reproduce is not there")
    return
  fi
  if [ "$(left)" -lt 5 ]; then
    late+=("whole experiments with SVD")
    return
  fi
  rm -rf "$build/cells" "$file-cells.csv" "$file-cells-beside.csv"
  take_out "$of_cells"
  printf '\n## Whole experiments with SVD\n\nFive runs of MultiVAE++, F- and M-SDRM in both settings, from the start of the program to its end.\n\n' >>"$file.md"
  printf '| data set | products in | runs at a time | seconds |\n|---|---|---:|---:|\n' >>"$file.md"
  while read -r dataset jobs precision; do
    if [ "$precision" != float32 ] && [ "${capability:-0}" -lt 8 ]; then continue; fi
    name="$dataset with SVD, $jobs at a time, $precision"
    out=$build/cells/$dataset-$jobs-$precision
    begun=$(date +%s%N)
    attempt 100 "$name" env "CUDA_MODULE_LOADING=${CUDA_MODULE_LOADING:-EAGER}" "$build/apps/reproduce" --data "$data" --device cuda --precision "$precision" --dataset "$dataset" \
      --recommender svd --generators original,multivae++,f-sdrm,m-sdrm --runs 5 --jobs "$jobs" --out "$out" || continue
    took=$((($(date +%s%N) - begun) / 10000000))
    printf '| %s | %s | %s | %d.%02d |\n' "$dataset" "$precision" "$jobs" $((took / 100)) $((took % 100)) >>"$file.md"
    [ -e "$out/results.csv" ] || continue
    [ -e "$file-cells.csv" ] || sed -n '1s/^/products in,runs at a time,/p' "$out/results.csv" >"$file-cells.csv"
    sed "1d; s/^/$precision,$jobs,/" "$out/results.csv" >>"$file-cells.csv"
  done <<<'ml-100k 5 float32
ml-100k 1 float32
amazon-digital-music 5 float32
ml-1m 5 float32
ml-100k 5 tf32
ml-100k 5 bf16'
  beside_published
}

# How far the measures of `cells` are from those that the CPU gave, in the same columns: the differences, and how many of the CPU's
# standard deviations over its runs they are (nothing where there is but one run). Rows match by all that names them and the runs.
beside_published() {
  local beside=$file-cells-beside.csv
  [ -e "$file-cells.csv" ] && [ -e "$published" ] || return 0
  awk -F, -v OFS=, '
    FNR == 1 { split("", at); for (i = 1; i <= NF; ++i) at[$i] = i; next }
    !("metric" in at) { next }
    { row = $at["dataset"] OFS $at["recommender"] OFS $at["setting"] OFS $at["generator"] OFS $at["metric"] OFS $at["runs"] }
    NR == FNR { mean[row] = $at["mean"]; std[row] = $at["std"]; next }
    row in mean {
      if (!any++) print "products in", "runs at a time", "dataset,recommender,setting,generator,metric,runs", "mean", "published", "difference", "difference/std"
      difference = $at["mean"] - mean[row]
      print $1, $2, row, $at["mean"], mean[row], difference, (std[row] > 0 ? difference / std[row] : "")
    }' "$published" "$file-cells.csv" >"$beside"
  if [ ! -s "$beside" ]; then
    rm "$beside"
    return
  fi
  {
    printf '\n## Their measures beside %s\n\n' "$published"
    printf 'All differences are in %s.\n\n' "${beside##*/}"
    printf '| data set | products in | runs at a time | measures | largest difference / standard deviation | of |\n|---|---|---:|---:|---:|---|\n'
    awk -F, '
      NR == 1 { next }
      { cell = $3 " | " $1 " | " $2; size = $12 < 0 ? -$12 : $12 + 0 }
      !(cell in rows) { order[++cells] = cell; largest[cell] = -1 }
      { ++rows[cell] }
      $12 != "" && size > largest[cell] { largest[cell] = size; found[cell] = sprintf("%.2f | %s, %s, %s", $12, $6, $5, $7) }
      END { for (i = 1; i <= cells; ++i) printf "| %s | %d | %s |\n", order[i], rows[order[i]], order[i] in found ? found[order[i]] : "- | -" }' "$beside"
  } | tee -a "$file.md"
}

pytorch() {
  local limit=300 ours=$file
  if ! "$python" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)'; then
    absent+=("comparison with PyTorch: $python has none")
    return
  fi
  if [ "$(left)" -lt 5 ]; then
    late+=("comparison with PyTorch")
    return
  fi
  rm -f "$file-steps.json"
  if ! wants bench || [ ! -e "$file.json" ]; then
    # Figures of an earlier call may be those of another build or another machine.
    ours=$file-steps
    attempt 120 "benches of steps" "$build/bench/tapestry_bench" --device cuda --json "$ours.json" steps || true
    begin_with "$ours.md"
    [ -e "$ours.json" ] || return 0
  fi
  [ "$(left)" -gt "$limit" ] || limit=$(left)
  # What it has by then is compared in the seconds that remain.
  [ "$limit" -lt 5 ] || take_out "$of_pytorch"
  OURS=$ours.json BENCH=$build/bench/tapestry_bench PYTHON=$python LIMIT=$((limit > 30 ? limit - 20 : 10)) SECONDS_EACH=${SECONDS_EACH:-0.5} \
    attempt "$limit" "comparison with PyTorch" tools/bench_pytorch.sh cuda "$file" || true
}

# The most important first. Every kernel against its reference, graphs, then training and sampling at small sizes. Races are looked
# for in the kernels alone: in whole trainings that takes too long. memcheck knows the blocks that the driver gave out: with
# TAPESTRY_POOL=exact (tensor/memory.h) they end where the operands do. Graphs need the pool that keeps its blocks.
sanitized=(
  'memcheck:exact:tensor:*MatchesReference*'
  'memcheck:kept:tensor:StepGraphOnDevice.*'
  'memcheck:exact:recommenders:*OnDevice.*'
  'memcheck:exact:recsys:*OnDevice.*'
  'memcheck:exact:optim:OptimizerTest.*:ClipTest.*'
  'memcheck:exact:sdrm:SdrmOnDevice.*:SdrmPrecisionOnDevice.*'
  'memcheck:exact:generators:GeneratorsOnDevice.*'
  'racecheck:kept:tensor:*MatchesReference*'
)
sanitizers() {
  local sanitizer tool pool suite chosen entry limit name probe=TensorTest.ItemAndFilling
  # Beside nvcc, unless that is a link or a script from elsewhere; and where the toolkit's installer puts it.
  sanitizer=$(command -v compute-sanitizer || command -v "$(dirname "$(command -v "${CUDACXX:-nvcc}")")/compute-sanitizer" ||
    command -v "$toolkit/compute-sanitizer" || true)
  if [ -z "$sanitizer" ]; then
    absent+=("memcheck and racecheck: compute-sanitizer was not found")
    return
  fi
  if [ ! -x "$build/tests/tests_tensor" ]; then
    failed+=("memcheck and racecheck: $build/tests/tests_tensor is not there")
    return
  fi
  # Some containers do not let it near the GPU. One small test tells, before minutes are spent on many.
  if [ "$(left)" -lt 20 ]; then
    late+=("memcheck and racecheck")
    return
  fi
  printf '\n=== can compute-sanitizer run here? (%d s)\n' "$SECONDS"
  if ! timeout --kill-after=5 "$(($(left) < 60 ? $(left) : 60))" env TAPESTRY_DEVICE=cuda "$sanitizer" --tool memcheck --error-exitcode 1 \
    "$build/tests/tests_tensor" --gtest_brief=1 "--gtest_filter=$probe" 2>&1 | tee "$last" || ! passes; then
    if grep -q 'Invalid __' "$last"; then
      failed+=("memcheck of $probe")
    else
      echo "gpu: compute-sanitizer cannot run on this machine, not even on $probe; what it says is above"
      absent+=("memcheck and racecheck: compute-sanitizer cannot run on this machine")
    fi
    return
  fi
  for entry in "${sanitized[@]}"; do
    IFS=: read -r tool pool suite chosen <<<"$entry"
    limit=200
    name="$tool of $suite"
    [[ "$chosen" != StepGraph* ]] || name+="'s graphs"
    [ "$tool" != racecheck ] || limit=${RACECHECK:-200}
    suite "$limit" "$name" "$suite" "$chosen-Long*:*/Long*:*IgnoresThreadCount*" \
      "TAPESTRY_POOL=$pool" "$sanitizer" --tool "$tool" --error-exitcode 1
  done
}

main() {
  echo "gpu: $steps, $(date '+%F %T'), $budget s"
  : >"$last"
  # A machine that was given back after an earlier call has nothing of its build.
  if ! wants build && [ ! -x "$build/apps/reproduce" ]; then
    echo "gpu: there is no build in $build: building first"
    steps="build $steps"
  fi
  if wants build; then configure_and_build; fi
  [ "$steps" != build ] || finish
  examine
  if wants test; then
    for suite in "${suites[@]}"; do suite 60 "tests of $suite" "$suite" "$(filter "$suite")"; done
  fi
  if wants bench; then benches; elif wants pytorch; then pytorch; fi
  if wants cells; then cells; fi
  if wants sanitize; then sanitizers; fi
  finish
}

mkdir -p "$build" "$results"
main 2>&1 | tee -a "$log"
