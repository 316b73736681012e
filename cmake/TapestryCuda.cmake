# The CUDA language, and TAPESTRY_CUDA_BUILT: whether tensor/cuda is compiled. Everything else is the same with and without.

set(TAPESTRY_CUDA_BUILT OFF)
set(TAPESTRY_CUDA_LINE "switched off: everything runs on the CPU")
if(NOT TAPESTRY_CUDA STREQUAL "OFF")
  include(CheckLanguage)
  check_language(CUDA)
  file(GLOB devices /dev/nvidia[0-9]*)
  if(CMAKE_CUDA_COMPILER AND (devices OR NOT TAPESTRY_CUDA STREQUAL "AUTO"))
    set(TAPESTRY_CUDA_BUILT ON)
  elseif(NOT TAPESTRY_CUDA STREQUAL "AUTO")
    message(FATAL_ERROR "TAPESTRY_CUDA=${TAPESTRY_CUDA}, but nvcc was not found. Install NVIDIA's CUDA toolkit, or name its nvcc "
                        "by -DCMAKE_CUDA_COMPILER=<path>; -DTAPESTRY_CUDA=OFF builds for the CPU.")
  elseif(CMAKE_CUDA_COMPILER)
    set(TAPESTRY_CUDA_LINE "not built, since this machine has no GPU: everything runs on the CPU (-DTAPESTRY_CUDA=ON builds it)")
  else()
    set(TAPESTRY_CUDA_LINE "not built, since nvcc was not found: everything runs on the CPU")
  endif()
endif()

# Machine code for the first GPU of each generation, which runs on the later ones of the same: 7.5; 8.0 (8.6, 8.9); 9.0; 10.0 (10.3);
# 12.0 (12.1). PTX of 9.0 for those between (11.0), and of 12.0 for newer ones. Older toolkits end at 9.0.
function(tapestry_cuda_architectures result)
  execute_process(COMMAND "${CMAKE_CUDA_COMPILER}" --list-gpu-arch
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
  enable_language(CUDA)
  find_package(CUDAToolkit REQUIRED)
  if(CUDAToolkit_VERSION VERSION_LESS 12)
    message(FATAL_ERROR "CUDA ${CUDAToolkit_VERSION} was found, 12.0 or newer is needed; -DTAPESTRY_CUDA=OFF builds for the CPU.")
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
