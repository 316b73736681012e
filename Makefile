# Tapestry's commands; `make help` lists them. CMake does the building, in $(BUILD).
#   RUNS=n        runs of `make reproduce` (2, which two cores finish in five minutes; the paper has 5)
#   ARGS="..."    further options for `make reproduce`, and those of `make bench`
#   BUILD=dir     the build folder (build)
#   CMAKE_ARGS    options for CMake, such as -DTAPESTRY_NATIVE=OFF; docs/dependencies.md has all of Tapestry's
#   JOBS=n        compilers at a time (what processors and memory allow)

BUILD ?= build
JOBS ?= $(shell tools/jobs.sh)
ARGS ?=
RUNS ?= 2
CMAKE_ARGS ?=

configure = cmake -S . -B $(BUILD) $(CMAKE_ARGS)
compile = cmake --build $(BUILD) --parallel $(JOBS)
# Tests run side by side, with two threads each on two cores: who waits for a thread must not keep it from running.
ctest = GOMP_SPINCOUNT=$${GOMP_SPINCOUNT:-3000} ctest --test-dir $(BUILD) --parallel $(JOBS) --output-on-failure --no-tests=error

.PHONY: all build reproduce test test-long bench bench-pytorch format check data clean help

all: build

build:  ## build everything (default)
	@tools/bootstrap.sh
	@$(configure)
	@$(compile)

reproduce:  ## install what is missing, build, and reproduce the paper's first rows (ARGS="--help" for its options)
	@tools/bootstrap.sh
	@$(configure) -DCMAKE_BUILD_TYPE=Release
	@$(compile) --target reproduce
	$(BUILD)/apps/reproduce --runs $(RUNS) $(ARGS)

test:  ## install what is missing, build, and run the tests but the long ones
	@tools/bootstrap.sh --tests
	@$(configure) -DTAPESTRY_TESTS=ON
	@$(compile)
	$(ctest) -LE long

test-long:  ## the same with the long ones
	@tools/bootstrap.sh --tests
	@$(configure) -DTAPESTRY_TESTS=ON
	@$(compile)
	$(ctest)

bench:  ## build and run the benchmarks
	@tools/bootstrap.sh
	@$(configure) -DCMAKE_BUILD_TYPE=Release -DTAPESTRY_BENCH=ON
	@$(compile) --target tapestry_bench
	$(BUILD)/bench/tapestry_bench $(ARGS)

bench-pytorch:  ## time training and sampling steps beside the same in PyTorch (PYTHON=program that has it; see bench/README.md)
	@tools/bootstrap.sh
	@$(configure) -DCMAKE_BUILD_TYPE=Release -DTAPESTRY_BENCH=ON
	@$(compile) --target tapestry_bench
	@rm -f $(BUILD)/bench/beside-pytorch*
	@BENCH=$(BUILD)/bench/tapestry_bench tools/bench_pytorch.sh cpu $(BUILD)/bench/beside-pytorch

format:  ## format every source file in place
	@tools/format.sh

check:  ## formatting, folder structure and clang-tidy (FILES="a.cpp b.cpp" for some files only)
	@tools/bootstrap.sh --tests
	@tools/format.sh --check
	@$(configure) -DTAPESTRY_TESTS=ON
	@$(compile) --target tests_structure
	$(BUILD)/tests/tests_structure --gtest_brief=1
	@tools/tidy.sh $(BUILD) $(FILES)

data:  ## download MovieLens-100k and MovieLens-1M into data/
	@tools/get_data.sh

clean:  ## remove the build folder
	rm -rf $(BUILD)

help:  ## this list
	@sed -n 's/^\([a-z-]*\):  ## \(.*\)/  make \1	\2/p' Makefile | expand -t 18
	@sed -n 's/^#   /  /p' Makefile
