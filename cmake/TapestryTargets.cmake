# tapestry_library(<folder> SOURCES <files> [LINKS <folders below>] [USES <outside libraries>])
# The static library tapestry_<folder>. LINKS are seen by whoever links it, as are the language of its headers and, where it has
# them, the sanitizers; USES stay inside.
function(tapestry_library folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINKS;USES")
  add_library(tapestry_${folder} STATIC ${arg_SOURCES})
  add_library(tapestry::${folder} ALIAS tapestry_${folder})
  target_include_directories(tapestry_${folder} PUBLIC "${PROJECT_SOURCE_DIR}")
  target_compile_features(tapestry_${folder} PUBLIC cxx_std_20)
  target_link_options(tapestry_${folder} INTERFACE $<$<BOOL:${TAPESTRY_SANITIZE}>:-fsanitize=address,undefined>)
  list(TRANSFORM arg_LINKS PREPEND tapestry::)
  target_link_libraries(tapestry_${folder} PUBLIC ${arg_LINKS} PRIVATE ${arg_USES})
endfunction()

# tapestry_app(<name> SOURCES <files>): the program <name>, at build/apps/<name>.
function(tapestry_app name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE tapestry::processor_check tapestry::recsys CLI11::CLI11 nlohmann_json::nlohmann_json)
endfunction()

# tapestry_test_support(SOURCES <files>): what several folders' tests share.
function(tapestry_test_support)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "SOURCES")
  add_library(tapestry_test_support STATIC ${arg_SOURCES})
  target_include_directories(tapestry_test_support PUBLIC "${PROJECT_SOURCE_DIR}")
  target_link_libraries(tapestry_test_support PUBLIC tapestry::tensor GTest::gtest)
  target_compile_definitions(tapestry_test_support PRIVATE TAPESTRY_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
endfunction()

# tapestry_test(<name> SOURCES <files> [LINKS <folders>] [USES <outside libraries>])
# The GoogleTest binary tests_<name>, one ctest test for each of its tests, labelled <name>. Suites whose names start with Long
# are labelled <name>-long instead, so that `ctest -LE long` leaves them out. They find the repository's files (golden values)
# through TAPESTRY_SOURCE_DIR and the program under test through TAPESTRY_REPRODUCE_BINARY.
function(tapestry_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINKS;USES")
  add_executable(tests_${name} ${arg_SOURCES})
  list(TRANSFORM arg_LINKS REPLACE "(.+)" "tapestry::\\1")
  if(arg_LINKS)
    list(PREPEND arg_LINKS tapestry_test_support)
  endif()
  target_link_libraries(tests_${name} PRIVATE ${arg_LINKS} ${arg_USES} nlohmann_json::nlohmann_json GTest::gtest GTest::gtest_main)
  # Test code runs once: compiling it at -O3 costs more than it saves, and under the sanitizers even -O1 (twice the time of -O0), or
  # looking for undefined behaviour in the tests themselves. What is tested keeps the flags that users get.
  target_compile_options(tests_${name} PRIVATE $<IF:$<BOOL:${TAPESTRY_SANITIZE}>,-O0;-fno-sanitize=undefined,-O1>)
  target_compile_definitions(tests_${name} PRIVATE
    TAPESTRY_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    TAPESTRY_REPRODUCE_BINARY="$<TARGET_FILE:reproduce>")
  # Names carry the folder, since two folders may have suites of one name, and a parameter by its name or number: its printed
  # bytes may hold addresses, which differ from run to run.
  set(discovery TEST_PREFIX "${name}." NO_PRETTY_VALUES DISCOVERY_TIMEOUT 60)
  gtest_discover_tests(tests_${name} ${discovery} TEST_FILTER "-Long*:*/Long*" PROPERTIES TIMEOUT 600 LABELS ${name})
  gtest_discover_tests(tests_${name} ${discovery} TEST_FILTER "Long*:*/Long*" PROPERTIES TIMEOUT 3600 LABELS ${name}-long)
endfunction()

# tapestry_cuda_emulation(SOURCES <files> KERNELS <files of tensor/cuda>): objects that take the place of a GPU. KERNELS are compiled
# as C++ against the headers of tests/support/cuda_emulation, whose README.md says what that is for.
function(tapestry_cuda_emulation)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "SOURCES;KERNELS")
  list(TRANSFORM arg_KERNELS PREPEND "${PROJECT_SOURCE_DIR}/tensor/cuda/")
  add_library(tapestry_cuda_emulation OBJECT ${arg_SOURCES} ${arg_KERNELS})
  set_source_files_properties(${arg_KERNELS} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "-xc++;-Wno-unknown-pragmas")
  target_include_directories(tapestry_cuda_emulation
    PRIVATE "${PROJECT_SOURCE_DIR}/tests/support/cuda_emulation" "${PROJECT_SOURCE_DIR}")
  target_compile_definitions(tapestry_cuda_emulation PRIVATE TAPESTRY_CUDA_ARCHITECTURES="emulated")
endfunction()

# tapestry_emulated_test(<name> [SOURCES <further files>] [FILTER <tests>]): tests_<name> once more, as tests_<name>_emulated, with
# the emulated GPU as its device; with FILTER those tests only. The emulation's objects come before the libraries, which have their
# own for each of its symbols.
function(tapestry_emulated_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "FILTER" "SOURCES")
  set(target tests_${name}_emulated)
  add_executable(${target} ${arg_SOURCES} $<TARGET_OBJECTS:tests_${name}> $<TARGET_OBJECTS:tapestry_cuda_emulation>)
  target_link_libraries(${target} PRIVATE $<TARGET_PROPERTY:tests_${name},LINK_LIBRARIES>)
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests/support/cuda_emulation")  # for headers of tensor/cuda
  gtest_discover_tests(${target} TEST_PREFIX "${name}.emulated." NO_PRETTY_VALUES DISCOVERY_TIMEOUT 60
                       TEST_FILTER "${arg_FILTER}-Long*:*/Long*:*IgnoresThreadCount*" PROPERTIES TIMEOUT 600 LABELS emulated ENVIRONMENT TAPESTRY_DEVICE=cuda)
endfunction()

# tapestry_bench(SOURCES <files> CUDA_SOURCES <files>): build/bench/tapestry_bench. CUDA_SOURCES are for builds with CUDA and cuSPARSE.
function(tapestry_bench)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "SOURCES;CUDA_SOURCES")
  add_executable(tapestry_bench ${arg_SOURCES})
  target_link_libraries(tapestry_bench PRIVATE
    tapestry::processor_check tapestry::recsys CLI11::CLI11 nlohmann_json::nlohmann_json)
  if(TARGET tapestry::cblas)
    target_link_libraries(tapestry_bench PRIVATE tapestry::cblas)
  endif()
  if(TAPESTRY_CUDA_BUILT AND TARGET CUDA::cusparse)
    add_library(tapestry_bench_cuda OBJECT ${arg_CUDA_SOURCES})
    target_link_libraries(tapestry_bench_cuda PRIVATE tapestry::tensor CUDA::cudart_static CUDA::cublas CUDA::cusparse)
    target_compile_definitions(tapestry_bench PRIVATE TAPESTRY_BENCH_LIBRARIES)
    target_link_libraries(tapestry_bench PRIVATE tapestry_bench_cuda CUDA::cusparse)
  endif()
endfunction()
