// tensor/processor_check.cpp: what a program says on a processor that it was not compiled for, and that the programs have it.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tensor/built_for.h"
#include "tests/tools/shell.h"

namespace tapestry::tests {
namespace {

class ProcessorCheck : public ::testing::Test {
 protected:
  void SetUp() override {
#ifndef __x86_64__
    GTEST_SKIP() << "it knows x86-64 alone";
#endif
  }
};

TEST_F(ProcessorCheck, AProgramForAnotherProcessorSaysSoBeforeAnythingHasRun) {
  const Outcome found = shell("'" TAPESTRY_UNFIT_BINARY "'");
  EXPECT_EQ(found.status, 4) << found.out;
  EXPECT_TRUE(found.out.starts_with("tapestry: this program was compiled for processors with ")) << found.out;
  EXPECT_EQ(std::count(found.out.begin(), found.out.end(), '\n'), 1) << found.out;
}

TEST_F(ProcessorCheck, KnowsWhatTheBuildMayUse) {
#ifdef __AVX2__
  EXPECT_NE(kBuiltFor & kAvx2, 0U);
  EXPECT_NE(kBuiltFor & kAvx, 0U);
#else
  EXPECT_EQ(kBuiltFor & kAvx2, 0U);
#endif
#ifdef __AVX512F__
  EXPECT_NE(kBuiltFor & kAvx512F, 0U);
#else
  EXPECT_EQ(kBuiltFor & kAvx512F, 0U);
#endif
}

TEST_F(ProcessorCheck, IsInThePrograms) {
  const std::string words = "was compiled for processors with";
  EXPECT_TRUE(has(content(TAPESTRY_REPRODUCE_BINARY), words));
#ifdef TAPESTRY_BENCH_BINARY
  EXPECT_TRUE(has(content(TAPESTRY_BENCH_BINARY), words));
#endif
}

}  // namespace
}  // namespace tapestry::tests
