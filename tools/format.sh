#!/usr/bin/env bash
# Formats every source file in place; with --check changes nothing and fails on files that are not formatted.
# The style is .clang-format's; version 14 is what the project is formatted with. Others differ in details: they would rewrite files that
# are as they ought to be, so none is taken.
set -euo pipefail
cd "$(dirname "$0")/.."

formatter=$(command -v clang-format-14 || command -v clang-format || true)
if [ -z "$formatter" ]; then
  echo "format: clang-format was not found. On Debian or Ubuntu: apt-get install clang-format-14" >&2
  exit 2
fi
version=$("$formatter" --version)
if [[ "$version" != *"version 14."* ]]; then
  echo "format: $formatter is of another version ($version), and 14 is what the tree is formatted with: nothing was looked at." \
    "On Debian or Ubuntu: apt-get install clang-format-14" >&2
  exit 2
fi

mode=(-i)
[ "${1:-}" != --check ] || mode=(--dry-run -Werror)
find apps autograd bench nn optim recsys sdrm tensor tests \
  \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' -o -name '*.inc' \) -print0 | xargs -0 -r "$formatter" "${mode[@]}"
