# Every switch of the build, each with its one line of help (cmake -LH lists them), and a row of docs/dependencies.md.

option(TAPESTRY_NATIVE "Compile for this machine's processor (-march=native) unless CMAKE_CXX_FLAGS name one; off: x86-64-v3, any PC since about 2015" ON)
option(TAPESTRY_CBLAS "Compute matrix products on the CPU by a CBLAS such as OpenBLAS instead of tensor/cpu/product.cpp" OFF)
set(TAPESTRY_CUDA AUTO CACHE STRING "Build the CUDA kernels under tensor/cuda: ON, OFF, or AUTO (where a GPU and an nvcc that works are found)")
set_property(CACHE TAPESTRY_CUDA PROPERTY STRINGS AUTO ON OFF)
set(TAPESTRY_CUDA_ARCHITECTURES AUTO CACHE STRING
    "GPUs to compile for, as CMAKE_CUDA_ARCHITECTURES; AUTO: all since Turing (7.5) that nvcc knows, and PTX for newer ones")
option(TAPESTRY_SANITIZE "Build with the address and undefined-behaviour sanitizers, at -O1 with assertions" OFF)
option(TAPESTRY_WERROR "Treat compiler warnings as errors" OFF)
set(TAPESTRY_STAGED "" CACHE PATH
    "Folder that tools/stage_dependencies.sh filled: the libraries are taken from there, and GoogleTest is built from source")
if(NOT PROJECT_IS_TOP_LEVEL)
  # A project that uses the libraries has tests of its own: ours would be in its ctest, and not built under EXCLUDE_FROM_ALL.
  set(TAPESTRY_BENCH OFF CACHE BOOL "Build bench/tapestry_bench")
  set(TAPESTRY_TESTS OFF CACHE STRING "Build the tests: ON, OFF, or AUTO (when GoogleTest is found)")
endif()
option(TAPESTRY_BENCH "Build bench/tapestry_bench" ON)
set(TAPESTRY_TESTS AUTO CACHE STRING "Build the tests: ON, OFF, or AUTO (when GoogleTest is found)")
set_property(CACHE TAPESTRY_TESTS PROPERTY STRINGS AUTO ON OFF)
# "off", "no" and "0" mean what they mean to CMake everywhere else.
foreach(option TAPESTRY_CUDA TAPESTRY_TESTS)
  if(NOT "${${option}}" MATCHES "^(AUTO|ON|on|On|YES|yes|TRUE|true|1|OFF|off|Off|NO|no|FALSE|false|0)$")
    message(FATAL_ERROR "${option}=${${option}}: expected ON, OFF or AUTO")
  endif()
  if("${${option}}" STREQUAL "AUTO")
  elseif(${option})
    set(${option} ON)
  else()
    set(${option} OFF)
  endif()
endforeach()

# Whether the program of apps/ is there: the tests start it.
set(TAPESTRY_BUILD_APPS ON)
if(NOT PROJECT_IS_TOP_LEVEL AND TAPESTRY_TESTS STREQUAL "OFF")
  set(TAPESTRY_BUILD_APPS OFF)
endif()

get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT CMAKE_BUILD_TYPE AND NOT multi_config)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()
