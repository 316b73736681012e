# What was found, and what difference it makes.

if(TAPESTRY_CBLAS)
  set(products_line "by ${CBLAS_LIBRARY}, as TAPESTRY_CBLAS asks")
else()
  set(products_line "our own (tensor/cpu/product.cpp)")
endif()

if(TAPESTRY_BUILD_TESTS)
  set(tests_line "found: the tests are built")
elseif(TAPESTRY_TESTS STREQUAL "OFF")
  set(tests_line "switched off: no tests")
else()
  set(tests_line "not found: no tests (libgtest-dev; `make test` installs it)")
endif()

set(build_line "${CMAKE_BUILD_TYPE}")
if(TAPESTRY_SANITIZE)
  string(APPEND build_line ", address and undefined-behaviour sanitizers")
endif()

message(STATUS "Tapestry ${PROJECT_VERSION}")
message(STATUS "  build        ${build_line}, ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
message(STATUS "  processor    ${TAPESTRY_PROCESSOR}")
message(STATUS "  products     ${products_line}")
message(STATUS "  CUDA         ${TAPESTRY_CUDA_LINE}")
message(STATUS "  GoogleTest   ${tests_line}")
