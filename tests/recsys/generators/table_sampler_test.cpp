#include "recsys/generators/table_sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "optim/adam.h"
#include "recsys/generators/table_row_adam.h"
#include "tests/recsys/generators/ctgan_support.h"
#include "tests/recsys/generators/table_support.h"
#include "tests/support/compare.h"
#include "tests/support/random_data.h"

namespace tapestry::recsys {
namespace {

using tests::cells;
using tests::random_users;

/// How often each (column, category) comes out of `count` draws.
std::map<std::pair<int, int>, double> shares(const TableEncoding& table, ConditionLaw law, int count) {
  RandomSequence random({3, Purpose::kTableCondition, 0});
  const Conditions drawn = draw_conditions(table, law, count, random);
  std::map<std::pair<int, int>, double> share;
  for (std::size_t i = 0; i < drawn.column.size(); ++i) {
    share[{drawn.column[i], drawn.category[i]}] += 1.0 / count;
    EXPECT_EQ(drawn.position[i], table.position(drawn.column[i], drawn.category[i]));
  }
  return share;
}

TEST(ConditionLaw, LogFrequencyOfOneInAHundred) {
  std::vector<std::vector<std::int32_t>> likes(1000);
  for (std::size_t row = 0; row < 10; ++row) likes[row * 7] = {0};
  const TableEncoding table({CsrMatrix::from_rows(1, likes), {}}, TableKind::kBinary);
  // ln 11 / (ln 11 + ln 991), to four deviations; ln n in place of ln (n + 1) would give 0.2503.
  EXPECT_NEAR((shares(table, ConditionLaw::kLogFrequency, 200000).at({0, 1})), 0.25793, 0.004);
  EXPECT_NEAR((shares(table, ConditionLaw::kFrequency, 20000).at({0, 1})), 0.01, 0.0022);
}

TEST(ConditionLaw, ColumnsAreUniform) {
  const TableEncoding table(random_users(50, 8, 0.3, 0.2, 4), TableKind::kTernary);
  for (const ConditionLaw law : {ConditionLaw::kLogFrequency, ConditionLaw::kFrequency, ConditionLaw::kFirstColumn}) {
    std::map<int, double> columns;
    for (const auto& [condition, share] : shares(table, law, 20000)) columns[condition.first] += share;
    for (int column = 0; column < 8; ++column) EXPECT_NEAR(columns[column], 0.125, 0.0075);
  }
}

/// The package's routine, written on the dense one-hot rows in the items' order with categories in order of appearance: the
/// offset into the row is 0 whatever the column is.
TEST(ConditionLaw, TheFirstColumnSpeaksForAll) {
  for (const std::uint64_t seed : {4, 5, 6}) {
    Interactions rows = random_users(60, 5, 0.25, 0.2, seed);
    if (seed == 6) {  // item 0 has a single value, so that the entries read reach into item 1's
      rows = {CsrMatrix::from_rows(3, {{1}, {2}, {1, 2}, {}, {}}), CsrMatrix::from_rows(3, {{}, {1}, {}, {2}, {}})};
    }
    const TableEncoding table(rows, TableKind::kTernary);
    const auto values = cells(rows);
    std::map<std::pair<int, int>, double> expected;
    const auto items = static_cast<std::size_t>(table.items());
    for (const std::vector<int>& row : values) {
      std::vector<int> hot;
      for (std::size_t item = 0; item < items; ++item) {
        const std::int64_t column = table.column(static_cast<std::int32_t>(item));
        const std::int64_t place = table.appearance(column, table.category_of(column, row[item]));
        for (std::int64_t at = 0; at < table.category_count(column); ++at) hot.push_back(at == place ? 1 : 0);
      }
      for (std::int64_t column = 0; column < table.items(); ++column) {
        const auto width = table.category_count(column);
        const auto pick = std::max_element(hot.begin(), hot.begin() + width) - hot.begin();
        expected[{static_cast<int>(column), static_cast<int>(table.category_at(column, pick))}] +=
            1.0 / static_cast<double>(values.size() * items);
      }
    }
    const auto found = shares(table, ConditionLaw::kFirstColumn, 40000);
    for (const auto& [condition, share] : expected) {
      const auto at = found.find(condition);
      EXPECT_NEAR(at == found.end() ? 0 : at->second, share, 0.008) << condition.first << " " << condition.second;
    }
  }
}

TEST(RowIndex, EveryRowDrawnMeetsItsCondition) {
  const Interactions rows = random_users(80, 12, 0.4, 0.3, 9);
  const auto values = cells(rows);
  const TableEncoding table(rows, TableKind::kTernary);
  const RowIndex index(table, table.encode(rows));
  RandomSequence random({1, Purpose::kTableRow, 0});
  for (std::int64_t column = 0; column < table.items(); ++column) {
    for (std::int64_t k = 0; k < table.category_count(column); ++k) {
      std::set<std::int32_t> seen;
      for (int i = 0; i < 600; ++i) {
        const std::int32_t row = index.draw(column, k, random);
        seen.insert(row);
        ASSERT_EQ(values[static_cast<std::size_t>(row)][static_cast<std::size_t>(table.item(column))], table.value(column, k));
      }
      EXPECT_GE(static_cast<std::int64_t>(seen.size()), table.count(column, k) - 1);  // and all of them come up
    }
  }
}

TEST(RowIndex, PermutedConditionsMatchTheirRows) {
  const Interactions rows = random_users(40, 6, 0.4, 0.3, 9);
  const auto values = cells(rows);
  const TableEncoding table(rows, TableKind::kTernary);
  const RowIndex index(table, table.encode(rows));
  RandomSequence random({1, Purpose::kTableRow, 0});
  EXPECT_THROW(RowIndex(table, table.encode(rows).slice_rows(0, 39)), Error);  // a category may have lost its only row
  const Conditions conditions = draw_conditions(table, ConditionLaw::kLogFrequency, 5, random);
  const Conditions moved = conditions.permuted({3, 0, 4, 1, 2});
  EXPECT_EQ(moved.column[0], conditions.column[3]);
  EXPECT_EQ(moved.position[4], conditions.position[2]);
  const std::vector<std::int32_t> drawn = index.draw(moved, random);
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    const std::size_t item = static_cast<std::size_t>(table.item(moved.column[i]));
    EXPECT_EQ(values[static_cast<std::size_t>(drawn[i])][item], table.value(moved.column[i], moved.category[i]));
  }
}

/// Rows that waited end with the bits of a plain Adam over the whole table.
TEST(RowAdam, EqualsAdamToTheBit) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const optim::AdamOptions options = {.beta1 = 0.5, .beta2 = 0.9, .l2 = 0.01};
    std::vector<autograd::Variable> dense;
    std::vector<autograd::Variable> lazy;
    for (const std::int64_t width : {3, 1500}) {
      const Tensor start = tests::random_tensor({9, width}, static_cast<std::uint64_t>(width), -1, 1, dtype);
      dense.push_back(autograd::Variable::parameter(start.clone()));
      lazy.push_back(autograd::Variable::parameter(start.clone()));
    }
    optim::Adam adam(dense, options);
    // Another rate in every step.
    std::vector<Tensor> factors;
    optim::Adam counter(dense, options);
    for (int step = 0; step < 12; ++step, counter.count(1)) factors.push_back(counter.prepare(1, 0.01 * (step + 1)));
    tests::SteppedRowAdam rows(lazy, concat_rows(factors));
    for (int step = 0; step < 12; ++step) {
      const std::vector<std::int32_t> touched = tests::random_indices(4, 8, static_cast<std::uint64_t>(step));  // never row 8
      const Tensor index = Tensor::from<std::int32_t>(touched, {4});
      rows.catch_up(touched);
      std::vector<Tensor> gradients;
      for (std::size_t t = 0; t < dense.size(); ++t) {
        EXPECT_TRUE(tests::same_bits(gather_rows(dense[t].value(), index), gather_rows(lazy[t].value(), index)))
            << "step " << step;
        gradients.push_back(
            tests::random_tensor({4, dense[t].value().cols()}, 50 + static_cast<std::uint64_t>(step), -1, 1, dtype));
        const Tensor whole = Tensor::zeros(dense[t].shape(), dtype);
        scatter_add_rows(gradients[t], index, whole);
        dense[t].clear_gradient();
        dense[t].slot().accumulate(whole);
      }
      adam.step(0.01 * (step + 1));
      rows.step(touched, gradients);
    }
    rows.finish();
    for (std::size_t t = 0; t < dense.size(); ++t) EXPECT_TRUE(tests::same_bits(dense[t].value(), lazy[t].value())) << dtype;
  }
}

}  // namespace
}  // namespace tapestry::recsys
