#!/usr/bin/env bash
# Copies what the build needs of other projects into one folder, for a machine that has a compiler but no package registry:
# the headers of Eigen, CLI11 and nlohmann-json, and GoogleTest's sources (about 10 MB).
#   tools/stage_dependencies.sh [FOLDER]      FOLDER: staged (which git ignores)
# Carry the folder along with the sources and configure there with -DTAPESTRY_STAGED=<folder>.
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/.."

folder=${1:-staged}
if [ -n "${1:-}" ] && [ "${folder#/}" = "$folder" ]; then folder=$here/$folder; fi  # the caller's folder, not ours
tools/bootstrap.sh --tests

header_folder() { # HEADER SUFFIX...: the folder that the compiler finds HEADER in
  local header=$1 suffix found
  shift
  for suffix in "$@"; do
    found=$(printf '#include <%s>\n' "$suffix$header" | "${CXX:-c++}" -E -x c++ - 2>/dev/null |
      sed -n "s|^# [0-9]* \"\(.*\)/$header\".*|\1|p" | head -n 1)
    if [ -n "$found" ]; then
      echo "$found"
      return
    fi
  done
  echo "stage_dependencies: the compiler does not find $header" >&2
  return 1
}

eigen=$(header_folder Eigen/Core "" eigen3/)
cli11=$(header_folder CLI/CLI.hpp "")
json=$(header_folder nlohmann/json.hpp "")
googletest=
for candidate in "${GOOGLETEST_SOURCE:-}" /usr/src/googletest/googletest /usr/src/gtest; do
  if [ -f "$candidate/src/gtest-all.cc" ]; then googletest=$candidate; break; fi
done
if [ -z "$googletest" ]; then
  echo "stage_dependencies: GoogleTest's sources were not found; on Debian or Ubuntu: apt-get install googletest, elsewhere set" \
    "GOOGLETEST_SOURCE to the folder that holds src/gtest-all.cc" >&2
  exit 1
fi

rm -rf "$folder.new"
mkdir -p "$folder.new/include" "$folder.new/googletest"
cp -RL "$eigen/Eigen" "$cli11/CLI" "$json/nlohmann" "$folder.new/include/"
cp -RL "$googletest/src" "$googletest/include" "$folder.new/googletest/"
rm -rf "$folder"
mv "$folder.new" "$folder"
echo "staged in $folder: $(du -sh "$folder" | cut -f 1). Configure with -DTAPESTRY_STAGED=$folder"
