#include "recsys/metrics/alike.h"

#include <gtest/gtest.h>

namespace tapestry::recsys {
namespace {

using Items = std::vector<std::int32_t>;

TEST(AlikeTest, TheLargestGroupOfEqualRows) {
  const CsrMatrix rows = CsrMatrix::from_rows(5, {{1, 3}, {}, {0}, {1, 3, 4}, {0}, {1, 3}, {}, {0}, {}, {}});
  EXPECT_EQ(most_shared_row(rows), Items{0}) << "three, and not the four who have nothing";
  EXPECT_EQ(equals_row(rows, Items{1, 3}),
            (std::vector<bool>{true, false, false, false, false, true, false, false, false, false}));
  EXPECT_EQ(most_shared_row(CsrMatrix::from_rows(5, {{2}, {4}, {1}, {4}, {1}})), Items{4}) << "of two the one that comes first";
  EXPECT_TRUE(most_shared_row(CsrMatrix::from_rows(5, {{2}, {4}, {}, {}})).empty()) << "no two are equal";
  EXPECT_TRUE(most_shared_row(CsrMatrix::from_rows(5, {})).empty());
}

}  // namespace
}  // namespace tapestry::recsys
