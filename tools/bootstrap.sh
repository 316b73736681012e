#!/usr/bin/env bash
# Installs what the build needs and this machine lacks; prints nothing when nothing is missing.
#   tools/bootstrap.sh [--tests] [--cblas]     with --tests also what the tests need, with --cblas OpenBLAS (-DTAPESTRY_CBLAS=ON)
# On Debian and Ubuntu it uses apt-get (through sudo when not root); elsewhere it names the packages and stops with status 2.
# It asks the compiler what it finds, not the package manager, so libraries installed in another way count.
set -euo pipefail

tests=no
cblas=no
for option in "$@"; do
  case "$option" in
    --tests) tests=yes ;;
    --cblas) cblas=yes ;;
    *) echo "bootstrap: unknown option '$option' (--tests and --cblas are known)" >&2; exit 2 ;;
  esac
done

# name|Debian|Fedora|Arch|Homebrew|what it is for
packages='
compiler|g++|gcc-c++|gcc|gcc|the C++20 compiler
cmake|cmake|cmake|cmake|cmake|the build
openmp|libomp-dev|libomp-devel|openmp|libomp|threads in the CPU kernels (clang brings none of its own)
eigen|libeigen3-dev|eigen3-devel|eigen|eigen|the SVD recommender
cli11|libcli11-dev|cli11-devel|cli11|cli11|the options of the programs
json|nlohmann-json3-dev|json-devel|nlohmann-json|nlohmann-json|results, manifests and model files
gtest|libgtest-dev|gtest-devel|gtest|googletest|the tests
openblas|libopenblas-dev|openblas-devel|blas-openblas|openblas|matrix products by a BLAS instead of our own
'

column() { # NAME COLUMN: a field of the table above
  awk -F'|' -v name="$1" -v column="$2" '$1 == name { print $column }' <<<"$packages"
}

include_flags=()
library_dirs=()
if command -v brew >/dev/null 2>&1; then
  prefix=$(brew --prefix)
  include_flags+=("-I$prefix/include" "-I$prefix/opt/openblas/include" "-I$prefix/opt/libomp/include")
  library_dirs+=("$prefix/lib" "$prefix/opt/openblas/lib")
fi
IFS=':;' read -r -a prefixes <<<"${CMAKE_PREFIX_PATH:-}"
for prefix in ${prefixes[@]+"${prefixes[@]}"}; do
  include_flags+=("-I$prefix/include")
  library_dirs+=("$prefix/lib")
done

find_compiler() {
  local candidate
  for candidate in "${CXX:-}" c++ g++ clang++; do
    if [ -n "$candidate" ] && command -v "${candidate%% *}" >/dev/null 2>&1; then
      echo "$candidate"
      return
    fi
  done
}

has_library() { # NAME...: whether the linker would find one of them
  local name file dir
  for name in "$@"; do
    for file in "lib$name.so" "lib$name.a" "lib$name.dylib"; do
      # The compiler prints the bare name back when it does not know the file.
      [ "$($compiler -print-file-name="$file")" = "$file" ] || return 0
      for dir in ${library_dirs[@]+"${library_dirs[@]}"}; do
        [ ! -e "$dir/$file" ] || return 0
      done
    done
  done
  return 1
}

# One run of the preprocessor asks for every header at once.
missing_headers() {
  $compiler ${include_flags[@]+"${include_flags[@]}"} -std=c++20 -E -P -x c++ - <<'EOF'
#if !__has_include(<omp.h>)
openmp
#endif
#if !__has_include(<Eigen/Core>) && !__has_include(<eigen3/Eigen/Core>)
eigen
#endif
#if !__has_include(<CLI/CLI.hpp>)
cli11
#endif
#if !__has_include(<nlohmann/json.hpp>)
json
#endif
#if !__has_include(<gtest/gtest.h>)
gtest
#endif
#if !__has_include(<cblas.h>) && !__has_include(<openblas/cblas.h>)
openblas
#endif
EOF
}

look() { # sets compiler, and missing to the names of the table that are not there
  local absent name
  compiler=$(find_compiler)
  missing=()
  command -v cmake >/dev/null 2>&1 || missing+=(cmake)
  if [ -z "$compiler" ]; then
    missing+=(compiler eigen cli11 json)
    [ "$tests" = no ] || missing+=(gtest)
    [ "$cblas" = no ] || missing+=(openblas)
    return
  fi
  absent=" $(missing_headers | tr '\n' ' ') "
  for name in openmp eigen cli11 json; do
    [[ "$absent" != *" $name "* ]] || missing+=("$name")
  done
  if [ "$tests" = yes ] && { [[ "$absent" == *" gtest "* ]] || ! has_library gtest; }; then missing+=(gtest); fi
  if [ "$cblas" = yes ] && { [[ "$absent" == *" openblas "* ]] || ! has_library openblas; }; then missing+=(openblas); fi
}

look
[ "${#missing[@]}" -gt 0 ] || exit 0

stop() {
  echo "bootstrap: $*" >&2
  exit 2
}

packages_of() { # COLUMN NAME...
  local column=$1 name
  shift
  for name in "$@"; do column "$name" "$column"; done | tr '\n' ' ' | sed 's/ $//'
}

echo "bootstrap: not found on this machine:" >&2
for name in "${missing[@]}"; do
  printf '  %-20s %s\n' "$(column "$name" 2)" "$(column "$name" 6)" >&2
done

if ! command -v apt-get >/dev/null 2>&1; then
  if command -v dnf >/dev/null 2>&1; then
    stop "install with: sudo dnf install $(packages_of 3 "${missing[@]}")"
  elif command -v pacman >/dev/null 2>&1; then
    stop "install with: sudo pacman -S $(packages_of 4 "${missing[@]}")"
  elif command -v brew >/dev/null 2>&1; then
    [ "$(uname -s)" != Darwin ] ||
      echo "bootstrap: not tested on macOS, whose libc++ may lack what the sources use; nor is GCC from Homebrew" >&2
    stop "install with: brew install $(packages_of 5 "${missing[@]}")"
  fi
  stop "install these with your package manager, or set CMAKE_PREFIX_PATH to where they are (the names are Debian's)."
fi

as_root=(env DEBIAN_FRONTEND=noninteractive)
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null 2>&1 ||
    stop "needs root to install; have an administrator run: apt-get install $(packages_of 2 "${missing[@]}")"
  as_root=(sudo "${as_root[@]}")
fi

install() { # NAME...
  # Word splitting is wanted: the names of packages hold no blanks.
  # shellcheck disable=SC2046
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends $(packages_of 2 "$@") >&2
}

echo "bootstrap: installing them with apt-get" >&2
"${as_root[@]}" apt-get update -qq >&2 || echo "bootstrap: apt-get update failed; trying with the package lists at hand" >&2
install "${missing[@]}" ||
  stop "apt-get could not install $(packages_of 2 "${missing[@]}"); its messages are above. Install them and run this again."

# What apt-get has installed another compiler than the distribution's own need not find.
look
[ "${#missing[@]}" -gt 0 ] || exit 0
advice=
for name in "${missing[@]}"; do
  [ "$name" != openmp ] || advice=" A clang of another version than libomp-dev needs that of its own, as clang 16 libomp-16-dev."
done
stop "installed, but ${compiler:-no compiler} still does not find what is in: $(packages_of 2 "${missing[@]}").$advice"
