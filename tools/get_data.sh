#!/usr/bin/env bash
# Downloads MovieLens-100k and MovieLens-1M from GroupLens, checks them against GroupLens's MD5 sums and unpacks what Tapestry
# reads into data/:  data/ml-100k/u.data  and  data/ml-1m/ratings.dat
#   tools/get_data.sh [DIR]     DIR instead of data/
# An archive placed in DIR by hand (DIR/ml-100k.zip, DIR/ml-1m.zip) is used instead of downloading it.
# TAPESTRY_DATA_URL names a mirror; it may be a file:// address.
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/.."

target=${1:-data}
if [ -n "${1:-}" ] && [ "${target#/}" = "$target" ]; then target=$here/$target; fi  # the caller's folder, not ours
source_url=${TAPESTRY_DATA_URL:-https://files.grouplens.org/datasets/movielens}

say() { echo "data: $*" >&2; }

by_hand() { # NAME FILE
  say "to do it by hand: fetch https://files.grouplens.org/datasets/movielens/$1.zip on a machine that can, put it at"
  say "$target/$1.zip and run 'make data' again; or unpack it and put its $2 at $target/$1/$2."
  say "Without either, 'make reproduce' runs on simulated data."
}

md5_of() { # FILE
  if command -v md5sum >/dev/null 2>&1; then md5sum <"$1" | cut -d ' ' -f 1; else md5 -q "$1"; fi
}

download() { # URL FILE
  if command -v curl >/dev/null 2>&1; then
    curl --fail --location --silent --show-error --connect-timeout 20 --retry 2 --output "$2" "$1"
  elif command -v wget >/dev/null 2>&1; then
    wget --quiet --timeout=20 --tries=2 --output-document="$2" "$1"
  else
    say "neither curl nor wget was found"
    return 1
  fi
}

unpack() { # ZIP MEMBER FILE
  if command -v unzip >/dev/null 2>&1; then
    unzip -p "$1" "$2" >"$3"
  elif command -v python3 >/dev/null 2>&1; then
    python3 -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))' "$1" "$2" >"$3"
  else
    say "neither unzip nor python3 was found"
    return 1
  fi
}

fetch() { # NAME FILE MD5: puts NAME.zip's NAME/FILE at $target/NAME/FILE, whole or not at all
  local name=$1 file=$2 md5=$3
  if [ -s "$target/$name/$file" ]; then
    say "$target/$name/$file is there already"
    return 0
  fi
  local zip="$work/$name.zip"
  if [ -f "$target/$name.zip" ]; then
    zip="$target/$name.zip"
  else
    say "downloading $source_url/$name.zip"
    if ! download "$source_url/$name.zip" "$zip"; then
      say "could not download $source_url/$name.zip"
      by_hand "$name" "$file"
      return 1
    fi
  fi
  local found
  found=$(md5_of "$zip")
  if [ "$found" != "$md5" ]; then
    say "$name.zip has the MD5 sum $found, GroupLens gives $md5: not used"
    by_hand "$name" "$file"
    return 1
  fi
  if ! unpack "$zip" "$name/$file" "$work/$name.part"; then
    say "could not unpack $name/$file from $zip"
    by_hand "$name" "$file"
    return 1
  fi
  mkdir -p "$target/$name"
  mv "$work/$name.part" "$target/$name/$file"
  say "$target/$name/$file is ready"
}

mkdir -p "$target"
# In the target's own folder, so that the last step is a rename.
work=$(mktemp -d "$target/.download.XXXXXX")
trap 'rm -rf "$work"' EXIT

say "MovieLens data belong to GroupLens (University of Minnesota): free for research, not to be redistributed or used"
say "commercially without permission. Terms: https://grouplens.org/datasets/movielens/ (README of each data set)"
status=0
fetch ml-100k u.data 0e33842e24a9c977be4e0107933c0723 || status=1
fetch ml-1m ratings.dat c4d9eecfca2ab87c1945afe126590906 || status=1
exit $status
