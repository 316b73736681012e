# The language, the warnings and the code generation flags of every target.

include(CheckCXXCompilerFlag)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)  # clang-tidy reads them

# Flags for C++ sources: nvcc knows few of them.
function(tapestry_cxx_options)
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:${ARGV}>")
endfunction()

# Adds `flag` when the compiler knows it.
function(tapestry_add_flag flag)
  string(MAKE_C_IDENTIFIER "TAPESTRY_COMPILER_HAS${flag}" known)
  check_cxx_compiler_flag("${flag}" ${known})
  if(${known})
    tapestry_cxx_options("${flag}")
  endif()
endfunction()

tapestry_cxx_options(-Wall -Wextra -Wpedantic -Wshadow)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 warns of its own AVX-512 headers under Eigen (its bug 105593) and of std::string's operator+ (105329).
  tapestry_cxx_options(-Wno-maybe-uninitialized -Wno-uninitialized -Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # Clang tells which `omp simd` loops it leaves scalar: those in float64 that call the C library, and maxima, which may be NaN.
  tapestry_cxx_options(-Wno-pass-failed)
endif()
if(TAPESTRY_WERROR)
  tapestry_cxx_options(-Werror)
endif()

# Nobody here reads errno or floating-point traps, and both keep loops over exp, sqrt and comparisons from being vectorised.
# NaN and infinity keep their meaning: -ffast-math is not used.
tapestry_cxx_options(-fno-math-errno -fno-trapping-math)

# CMAKE_CXX_FLAGS come before these options, so an -march of theirs would lose. A cross compiler does not know the machine's own.
if(CMAKE_CXX_FLAGS MATCHES "-m(arch|cpu)=([^ ]+)")
  set(TAPESTRY_PROCESSOR "${CMAKE_MATCH_2}, as CMAKE_CXX_FLAGS ask")
elseif(TAPESTRY_NATIVE AND NOT CMAKE_CROSSCOMPILING)
  set(TAPESTRY_PROCESSOR "this machine's (the binaries may not run on another)")
  tapestry_add_flag(-march=native)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(TAPESTRY_PROCESSOR "any x86-64-v3 machine")
  tapestry_add_flag(-march=x86-64-v3)
else()
  set(TAPESTRY_PROCESSOR "any ${CMAKE_SYSTEM_PROCESSOR} machine")
endif()

if(TAPESTRY_SANITIZE)
  # After the build type's own flags, so -O1 and -UNDEBUG win: assertions of Eigen and libstdc++ are checked as well.
  # Null and wrapped pointers are left to the address sanitizer, which sees the access: checking each a second time costs half of the
  # compile time.
  tapestry_cxx_options(-fsanitize=address,undefined -fno-sanitize=null,pointer-overflow -fno-sanitize-recover=undefined -fno-omit-frame-pointer -O1 -g1 -UNDEBUG
                       -D_GLIBCXX_ASSERTIONS)
  add_link_options(-fsanitize=address,undefined)
endif()
