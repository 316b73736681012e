// What the system refuses, threads and memory that no Tensor asks for, is an exception: no sudden end and no endless wait.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <new>

#include "recsys/recommenders/block_ops.h"
#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tests/recsys/experiment/runner_support.h"
#include "tests/support/no_threads.h"

namespace tapestry::recsys {
namespace {

#ifndef __SANITIZE_ADDRESS__  // which takes terabytes of addresses, and ends a program that gets no memory

/// No more memory for this process than it has, but for what malloc holds back: less than the blocks that are asked for below.
void allow_no_more_memory() {
  long pages = 0;
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(std::fscanf(file, "%ld", &pages), 1);
  std::fclose(file);
  const auto bytes = static_cast<rlim_t>(pages) * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
  const rlimit limit = {bytes, bytes};
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &limit), 0);
}

/// Runs `compute` without memory: ends with status 7 when it throws std::bad_alloc.
template <typename Compute>
[[noreturn]] void without_memory(const Compute& compute) {
  parallel_for(64, [](std::int64_t) {});  // the threads are there
  allow_no_more_memory();
  try {
    compute();
  } catch (const std::bad_alloc&) {
    ::_exit(7);
  }
  ::_exit(8);
}

TEST(ScarceSystemDeathTest, BlocksOfTheSvdThrowWhereMemoryEnds) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const block::Columns a = block::Columns::Random(600, 1200), c = block::Columns::Random(1200, 1200);
  block::Columns b = a;
  // Each takes memory within its parallel region: partial sums of 11 MiB, turned rows of 2.4 MiB, packed blocks of a product.
  EXPECT_EXIT(without_memory([&] { block::inner(a, a); }), ::testing::ExitedWithCode(7), "");
  EXPECT_EXIT(without_memory([&] { block::rotate(b, c); }), ::testing::ExitedWithCode(7), "");
  EXPECT_EXIT(without_memory([&] { block::subtract_product(a, c, b); }), ::testing::ExitedWithCode(7), "");
}

#endif

TEST(ScarceSystem, RunsThatGetNoThreadAreAnErrorAndNoWait) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.jobs = 2;
  options.threads = 1;
  Progress progress(std::make_unique<Saboteur>());
  std::vector<LoadedDataset> datasets;
  datasets.push_back({tiny_dataset(), 0.5});
  Experiment experiment(std::move(datasets), options, progress);
  const tapestry::tests::NoThreads none;
  try {
    experiment.run();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDevice);
    EXPECT_EQ(std::string(error.what()).find("run 1 of 2 side by side gets no thread: "), 0U) << error.what();
    EXPECT_NE(std::string(error.what()).find("--jobs"), std::string::npos);
  }
}

}  // namespace
}  // namespace tapestry::recsys
