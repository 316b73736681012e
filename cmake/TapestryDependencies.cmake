# What Tapestry takes from others. docs/dependencies.md says what each is for; tools/bootstrap.sh installs them.

include(CheckCXXSourceCompiles)

# Makes the header-only library `target` available: from its CMake package, else from the header itself. One that the project
# around this one has imported is taken as it is: CMake makes a target known everywhere only in the folder that imported it.
function(tapestry_header_library package target header suffix debian)
  if(TARGET ${target})
    return()
  endif()
  if(TAPESTRY_STAGED)
    set(${package}_HEADER_DIR "${TAPESTRY_STAGED}/include")
    if(NOT EXISTS "${${package}_HEADER_DIR}/${header}")
      message(FATAL_ERROR "TAPESTRY_STAGED=${TAPESTRY_STAGED} has no include/${header}: fill it with tools/stage_dependencies.sh")
    endif()
  else()
    find_package(${package} CONFIG QUIET)
  endif()
  if(NOT TARGET ${target})
    find_path(${package}_HEADER_DIR "${header}" PATH_SUFFIXES ${suffix})
    if(NOT ${package}_HEADER_DIR)
      message(FATAL_ERROR "${package} (${header}) was not found. On Debian or Ubuntu: apt-get install ${debian}; "
                          "`make` does it for you. Elsewhere set CMAKE_PREFIX_PATH to where it is installed.")
    endif()
    add_library(${target} INTERFACE IMPORTED GLOBAL)
    target_include_directories(${target} INTERFACE "${${package}_HEADER_DIR}")
  else()
    set_target_properties(${target} PROPERTIES IMPORTED_GLOBAL TRUE)
  endif()
endfunction()

tapestry_header_library(Eigen3 Eigen3::Eigen Eigen/Core eigen3 libeigen3-dev)
if(TAPESTRY_BUILD_APPS OR TAPESTRY_BENCH)
  tapestry_header_library(CLI11 CLI11::CLI11 CLI/CLI.hpp "" libcli11-dev)
endif()
tapestry_header_library(nlohmann_json nlohmann_json::nlohmann_json nlohmann/json.hpp "" nlohmann-json3-dev)
find_package(OpenMP REQUIRED COMPONENTS CXX)

# A CBLAS computes the products of the CPU only where it is asked for; the bench runs OpenBLAS beside ours where it is found.
# OpenBLAS first: a plain libcblas is usually the slow reference implementation. Links a program before believing it.
find_path(CBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas openblas-pthread openblas-openmp)
find_library(CBLAS_LIBRARY NAMES openblas cblas PATH_SUFFIXES openblas-pthread openblas-openmp)
mark_as_advanced(CBLAS_INCLUDE_DIR CBLAS_LIBRARY)
if(CBLAS_INCLUDE_DIR AND CBLAS_LIBRARY)
  set(CMAKE_REQUIRED_INCLUDES "${CBLAS_INCLUDE_DIR}")
  set(CMAKE_REQUIRED_LIBRARIES "${CBLAS_LIBRARY}")
  check_cxx_source_compiles("
    #include <cblas.h>
    int main() {
      float x = 1, y = 0;
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, 1, 1, 1, 1.0f, &x, 1, &x, 1, 0.0f, &y, 1);
      return static_cast<int>(y) - 1;
    }" TAPESTRY_CBLAS_LINKS)
  # OpenBLAS has threads of its own, which are told how many they may be.
  check_cxx_source_compiles("
    #include <cblas.h>
    int main() { openblas_set_num_threads(1); return openblas_get_corename() == nullptr; }" TAPESTRY_CBLAS_IS_OPENBLAS)
  unset(CMAKE_REQUIRED_INCLUDES)
  unset(CMAKE_REQUIRED_LIBRARIES)
endif()
if(TAPESTRY_CBLAS_LINKS)
  add_library(tapestry_cblas INTERFACE)
  target_include_directories(tapestry_cblas SYSTEM INTERFACE "${CBLAS_INCLUDE_DIR}")
  target_link_libraries(tapestry_cblas INTERFACE "${CBLAS_LIBRARY}")
  target_compile_definitions(tapestry_cblas INTERFACE TAPESTRY_HAVE_CBLAS=1
                             $<$<BOOL:${TAPESTRY_CBLAS_IS_OPENBLAS}>:TAPESTRY_OPENBLAS=1>)
  add_library(tapestry::cblas ALIAS tapestry_cblas)
elseif(TAPESTRY_CBLAS)
  message(FATAL_ERROR "TAPESTRY_CBLAS is on, but no CBLAS was found. On Debian or Ubuntu: apt-get install libopenblas-dev. "
                      "Without it, matrix products need nothing else.")
endif()

set(TAPESTRY_BUILD_TESTS OFF)
if(NOT TAPESTRY_TESTS STREQUAL "OFF")
  if(TAPESTRY_STAGED)
    include(TapestryStagedGoogleTest)
  else()
    find_package(GTest QUIET)
  endif()
  if(GTest_FOUND)
    set(TAPESTRY_BUILD_TESTS ON)
  elseif(NOT TAPESTRY_TESTS STREQUAL "AUTO")
    message(FATAL_ERROR "TAPESTRY_TESTS=${TAPESTRY_TESTS}, but GoogleTest was not found. "
                        "On Debian or Ubuntu: apt-get install libgtest-dev; `make test` does it for you.")
  endif()
endif()
