#!/usr/bin/env bash
# Runs clang-tidy by .clang-tidy's rules over the project's .cpp files, or over those named.
#   tools/tidy.sh BUILD [FILE...]     BUILD: a configured build folder (for its compile_commands.json)
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:?usage: tools/tidy.sh BUILD [FILE...]}
shift
tidy=$(command -v clang-tidy-14 || command -v clang-tidy || true)
if [ -z "$tidy" ]; then
  echo "tidy: clang-tidy was not found. On Debian or Ubuntu: apt-get install clang-tidy" >&2
  exit 2
fi

files=("$@")
if [ "${#files[@]}" -eq 0 ]; then
  # What the build folder compiles; tests are left out: GoogleTest's macros break half the rules.
  mapfile -t files < <(sed -n 's/^ *"file": "\(.*\)".*/\1/p' "$build/compile_commands.json" | grep -v "^$PWD/tests/" | sort -u)
fi

extra=(--extra-arg=-Wno-unknown-warning-option)
# clang looks for its own omp.h; GCC's does as well, searched last so that nothing else of GCC's gets in.
omp_header=$(g++ -print-file-name=include/omp.h 2>/dev/null || true)
[ ! -f "$omp_header" ] || extra+=("--extra-arg=-idirafter$(dirname "$omp_header")")

printf '%s\0' "${files[@]}" | xargs -0 -r -n 1 -P "$(tools/jobs.sh)" "$tidy" --quiet -p "$build" "${extra[@]}" \
  2> >(grep -vE '^[0-9]+ warnings? generated|^Suppressed |^Use -header-filter' >&2)
