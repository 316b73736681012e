# The CUDA language, and TAPESTRY_CUDA_BUILT: whether tensor/cuda is compiled. Everything else is the same with and without.

set(TAPESTRY_CUDA_BUILT OFF)
set(TAPESTRY_CUDA_LINE "switched off: everything runs on the CPU")

# The nvcc that is named, or that an earlier configuration took; else the first on the PATH, or the one where the installer of the
# toolkit puts it, which is on no PATH by itself. Until one is taken each configuration looks anew: it may have come since.
function(tapestry_find_nvcc result)
  if(CMAKE_CUDA_COMPILER)
    set(nvcc "${CMAKE_CUDA_COMPILER}")
  else()
    set(name nvcc)
    if(NOT "$ENV{CUDACXX}" STREQUAL "")
      separate_arguments(words UNIX_COMMAND "$ENV{CUDACXX}")
      list(GET words 0 name)
    endif()
    find_program(nvcc "${name}" PATHS ENV CUDA_PATH ENV CUDA_HOME /usr/local/cuda PATH_SUFFIXES bin NO_CACHE)
  endif()
  set(${result} "${nvcc}" PARENT_SCOPE)
endfunction()

# Why a build with `nvcc` would fail; empty when it compiles a small file. For builds that did not ask for CUDA and go on without:
# enable_language() would end them.
function(tapestry_cuda_obstacle nvcc result)
  set(${result} "" PARENT_SCOPE)
  execute_process(COMMAND ${nvcc} --version OUTPUT_VARIABLE output ERROR_QUIET RESULT_VARIABLE status)
  if("${output}" MATCHES "release ([0-9]+\\.[0-9]+)" AND CMAKE_MATCH_1 VERSION_LESS 12)
    set(${result} "CUDA ${CMAKE_MATCH_1} (${nvcc}) is older than 12" PARENT_SCOPE)
    return()
  endif()
  # By the host compiler and the flags that enable_language() will use. Some nvccs know no new g++; some come without cuBLAS.
  if(DEFINED CMAKE_CUDA_FLAGS)
    separate_arguments(flags UNIX_COMMAND "${CMAKE_CUDA_FLAGS}")
  else()
    separate_arguments(flags UNIX_COMMAND "$ENV{CUDAFLAGS}")
  endif()
  if(CMAKE_CUDA_HOST_COMPILER)
    list(APPEND flags "-ccbin=${CMAKE_CUDA_HOST_COMPILER}")
  elseif(NOT "$ENV{CUDAHOSTCXX}" STREQUAL "")
    list(APPEND flags "-ccbin=$ENV{CUDAHOSTCXX}")
  endif()
  set(try "${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/tapestry_cuda_try")
  file(WRITE "${try}.cu" "#include <cublas_v2.h>\n__global__ void nothing() {}\n")
  execute_process(COMMAND ${nvcc} ${flags} -std=c++20 -c "${try}.cu" -o "${try}.o"
                  OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE status)
  if(NOT status STREQUAL "0")
    set(said "status: ${status}")  # words where it could not be started
    if("${output}" MATCHES "(error|fatal) *: *([^\n]+)")
      set(said "${CMAKE_MATCH_2}")
    endif()
    set(${result} "${nvcc} failed to compile a small file (${said})" PARENT_SCOPE)
  endif()
endfunction()

if(NOT TAPESTRY_CUDA STREQUAL "OFF")
  tapestry_find_nvcc(nvcc)
  # WSL2 shows a GPU of any make as /dev/dxg; who has nvcc there has one of NVIDIA's.
  if(NOT DEFINED TAPESTRY_GPU_FILES)  # as it is in tests/tools
    set(TAPESTRY_GPU_FILES "/dev/nvidia[0-9]*" /dev/dxg)
  endif()
  file(GLOB devices ${TAPESTRY_GPU_FILES})
  set(obstacle "")
  set(advice "")
  if(NOT nvcc)
    set(obstacle "nvcc was not found")
  elseif(TAPESTRY_CUDA STREQUAL "AUTO" AND NOT devices)
    set(obstacle "this machine has no GPU")
    set(advice " (-DTAPESTRY_CUDA=ON builds it)")
  elseif(TAPESTRY_CUDA STREQUAL "AUTO")
    tapestry_cuda_obstacle("${nvcc}" obstacle)
  endif()
  if(obstacle STREQUAL "")
    set(TAPESTRY_CUDA_BUILT ON)
  elseif(NOT TAPESTRY_CUDA STREQUAL "AUTO")
    message(FATAL_ERROR "TAPESTRY_CUDA=${TAPESTRY_CUDA}, but ${obstacle}. Install NVIDIA's CUDA toolkit, or name its nvcc "
                        "by -DCMAKE_CUDA_COMPILER=<path>; -DTAPESTRY_CUDA=OFF builds for the CPU.")
  else()
    set(TAPESTRY_CUDA_LINE "not built, since ${obstacle}: everything runs on the CPU${advice}")
  endif()
endif()

# Machine code for the first GPU of each generation, which runs on the later ones of the same: 7.5; 8.0 (8.6, 8.9); 9.0; 10.0 (10.3);
# 12.0 (12.1). PTX of 9.0 for those between (11.0), and of 12.0 for newer ones. Older toolkits end at 9.0.
function(tapestry_cuda_architectures result)
  execute_process(COMMAND ${nvcc} --list-gpu-arch
                  OUTPUT_VARIABLE known OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  set(chosen "")
  foreach(candidate 75-real 80-real 90 100-real 120)
    string(REPLACE "-real" "" number ${candidate})
    if("${known}\n" MATCHES "compute_${number}\n")
      list(APPEND chosen ${candidate})
    endif()
  endforeach()
  if(NOT chosen)  # an nvcc that does not tell
    set(chosen 75-real 80-real 90)
  endif()
  set(${result} "${chosen}" PARENT_SCOPE)
endfunction()

if(TAPESTRY_CUDA_BUILT)
  if(TAPESTRY_CUDA_ARCHITECTURES STREQUAL "AUTO")
    tapestry_cuda_architectures(TAPESTRY_CUDA_ARCHITECTURES)
  endif()
  set(CMAKE_CUDA_ARCHITECTURES "${TAPESTRY_CUDA_ARCHITECTURES}")
  if(NOT CMAKE_CUDA_COMPILER)  # FORCE: a folder of an earlier version may hold NOTFOUND
    set(CMAKE_CUDA_COMPILER "${nvcc}" CACHE FILEPATH "CUDA compiler" FORCE)
  endif()
  enable_language(CUDA)
  find_package(CUDAToolkit REQUIRED)
  if(CUDAToolkit_VERSION VERSION_LESS 12)
    message(FATAL_ERROR "CUDA ${CUDAToolkit_VERSION} was found, 12.0 or newer is needed; -DTAPESTRY_CUDA=OFF builds for the CPU.")
  endif()
  if(NOT TARGET CUDA::cublas)
    message(FATAL_ERROR "CUDA ${CUDAToolkit_VERSION} was found, but not its cuBLAS (libcublas): install it, or name it "
                        "by -DCUDA_cublas_LIBRARY=<path>; -DTAPESTRY_CUDA=OFF builds for the CPU.")
  endif()
  string(REPLACE ";" " " TAPESTRY_CUDA_LINE "CUDA ${CUDAToolkit_VERSION}, compiled for: ${TAPESTRY_CUDA_ARCHITECTURES}")
  set(CMAKE_CUDA_STANDARD 20)
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # as far as CMake 3.25 knows, nvcc has none
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
  endif()
  # Device lambdas, and constexpr functions of the standard library in device code. Multiplications and additions may be joined
  # (nvcc's default): where host and device must agree to the bit, tensor/elementwise.h writes the joins out.
  add_compile_options("$<$<COMPILE_LANGUAGE:CUDA>:--extended-lambda;--expt-relaxed-constexpr;-Xcompiler=-Wall,-Wextra>")
  if(TAPESTRY_WERROR)
    add_compile_options("$<$<COMPILE_LANGUAGE:CUDA>:--Werror=all-warnings>")
  endif()
endif()
