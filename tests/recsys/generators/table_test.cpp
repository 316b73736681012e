#include "recsys/generators/table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <string>

#include "tests/recsys/generators/table_support.h"

namespace tapestry::recsys {
namespace {

using tests::cells;
using tests::random_users;

/// Scores [n, C] whose largest entry in each column is what the marks say.
Tensor scores_of(const TableEncoding& table, const CsrMatrix& marks) {
  return tests::one_hot_rows(table.planes(), marks, DType::kFloat32);
}

Interactions users(std::int64_t items, const std::vector<std::vector<std::int32_t>>& likes,
                   const std::vector<std::vector<std::int32_t>>& dislikes) {
  return {CsrMatrix::from_rows(items, likes), CsrMatrix::from_rows(items, dislikes)};
}

TEST(Table, PlanesHoldTheCommonestValueFirst) {
  // Item 0: unrated throughout. 1: liked by two of three. 2: one of each. 3: disliked by all.
  const Interactions rows = users(4, {{1}, {1, 2}, {}}, {{2, 3}, {3}, {3}});
  const TableEncoding table(rows, TableKind::kTernary);
  EXPECT_EQ(table.planes().columns, 4);
  EXPECT_EQ(table.planes().two, 2);
  EXPECT_EQ(table.planes().three, 1);
  EXPECT_EQ(table.rows(), 3);
  EXPECT_EQ(table.item(0), 2);  // columns with more categories come first, else in the items' order
  EXPECT_EQ(table.item(1), 1);
  EXPECT_EQ(table.item(2), 0);
  EXPECT_EQ(table.item(3), 3);
  EXPECT_EQ(table.value(0, 0), -1);  // all three once: in order of appearance
  EXPECT_EQ(table.value(0, 1), 1);
  EXPECT_EQ(table.value(0, 2), 0);
  EXPECT_EQ(table.value(1, 0), 1);
  EXPECT_EQ(table.count(1, 0), 2);
  EXPECT_EQ(table.value(1, 1), 0);
  EXPECT_EQ(table.value(3, 0), -1);
  EXPECT_EQ(table.count(3, 0), 3);
  EXPECT_EQ(table.category_of(3, 0), -1);
}

TEST(Table, AppearanceIsTheOrderDownTheRows) {
  // Item 0 is liked first but mostly unrated; item 1 the other way round.
  const TableEncoding table(users(2, {{0}, {1}, {}}, {{}, {}, {}}), TableKind::kBinary);
  ASSERT_EQ(table.planes().two, 2);
  EXPECT_EQ(table.value(0, 0), 0);
  EXPECT_EQ(table.appearance(0, 0), 1);
  EXPECT_EQ(table.appearance(0, 1), 0);
  EXPECT_EQ(table.category_at(0, 0), 1);
  EXPECT_EQ(table.appearance(1, 0), 0);
}

TEST(Table, BinaryForgetsDislikes) {
  const TableEncoding table(users(2, {{0}, {}}, {{1}, {0}}), TableKind::kBinary);
  EXPECT_EQ(table.planes().three, 0);
  EXPECT_EQ(table.planes().two, 1);
  EXPECT_EQ(table.category_of(table.column(1), -1), -1);
  const CsrMatrix told = table.encode(users(2, {{0}, {}}, {{1}, {0}})), untold = table.encode(users(2, {{0}, {}}, {{}, {}}));
  for (std::int64_t row = 0; row < 2; ++row) {
    EXPECT_TRUE(std::equal(told.row(row).begin(), told.row(row).end(), untold.row(row).begin(), untold.row(row).end())) << row;
  }
}

TEST(Table, EncodedRowsDecodeToThemselves) {
  for (const double liked : {0.05, 0.5, 0.9}) {  // 0.9: the commonest value is a like, so that unrated cells are marked
    for (const TableKind kind : {TableKind::kBinary, TableKind::kTernary}) {
      const Interactions rows = random_users(40, 13, liked, kind == TableKind::kTernary ? 0.08 : 0.0, 5);
      const TableEncoding table(rows, kind);
      for (const std::int64_t expected : {40, 7}) {  // 7: they are collected in six parts
        DrawnUsers drawn(table, expected);
        drawn.append(scores_of(table, table.encode(rows)));
        EXPECT_EQ(cells(drawn.take(true)), cells(rows)) << liked;
      }
    }
  }
}

TEST(Table, CountsAreThoseOfTheRows) {
  const Interactions rows = random_users(60, 9, 0.3, 0.3, 6);
  const TableEncoding table(rows, TableKind::kTernary);
  const std::vector<std::vector<int>> values = cells(rows);
  for (std::int64_t column = 0; column < table.items(); ++column) {
    for (std::int64_t k = 0; k < table.category_count(column); ++k) {
      std::int64_t count = 0;
      for (const std::vector<int>& row : values) {
        count += row[static_cast<std::size_t>(table.item(column))] == table.value(column, k) ? 1 : 0;
      }
      EXPECT_EQ(table.count(column, k), count);
      EXPECT_LE(table.count(column, k), table.count(column, 0));
    }
  }
}

TEST(Table, EqualScoresGoToTheFirstToAppear) {
  const TableEncoding table(users(2, {{0}, {1}, {}}, {{}, {}, {}}), TableKind::kBinary);
  DrawnUsers drawn(table, 1);
  drawn.append(Tensor::full({1, 4}, 1));
  EXPECT_EQ(cells(drawn.take(false)), (std::vector<std::vector<int>>{{1, 0}}));
}

TEST(Table, ADivergedModelDrawsNobody) {
  const TableEncoding table(users(2, {{0}, {1}, {}}, {{}, {}, {}}), TableKind::kBinary);
  DrawnUsers drawn(table, 1);
  try {
    drawn.append(Tensor::full({1, 4}, std::nan("")));
    drawn.take(false);
    ADD_FAILURE() << "users without likes were made of it";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFit) << error.what();
  }
}

TEST(Table, ScoresOfAnotherTableAreRefused) {
  const TableEncoding table(users(2, {{0}, {1}, {}}, {{}, {}, {}}), TableKind::kBinary);
  DrawnUsers drawn(table, 1);
  EXPECT_THROW(drawn.append(Tensor::full({1, 3}, 1)), Error);
  EXPECT_THROW(drawn.add(Tensor::full({1, 3}, 1)), Error);
  CategoryTable meaning = table.meaning(Device::kCpu);
  EXPECT_EQ(category_choice(table.planes(), Tensor::full({2, 4}, 1), meaning).shape(), (Shape{2, 2}));
  meaning.order = meaning.places;
  EXPECT_THROW(category_choice(table.planes(), Tensor::full({2, 4}, 1), meaning), Error) << "an order of two for four categories";
  EXPECT_EQ(cells(DrawnUsers(table, 1).take(true)), std::vector<std::vector<int>>()) << "nobody yet";
}

TEST(Table, DislikesAreGivenOnlyWhereAskedFor) {
  const Interactions rows = users(2, {{0}, {}}, {{1}, {1}});
  const TableEncoding table(rows, TableKind::kTernary);
  DrawnUsers drawn(table, 2);
  drawn.append(scores_of(table, table.encode(rows)));
  EXPECT_EQ(drawn.take(true).dislikes.nnz(), 2);
  EXPECT_EQ(drawn.take(false).dislikes.nnz(), 0);
  EXPECT_EQ(drawn.take(false).dislikes.rows(), 2);
}

TEST(Table, DrawnDislikesAreAmongTheOthers) {
  const CsrMatrix likes = CsrMatrix::from_rows(6, {{0, 2}, {}, {1, 2, 3, 4}, {0, 1, 2, 3, 4, 5}});
  const CsrMatrix drawn = draw_dislikes(likes, 3);
  const std::vector<std::int64_t> counts = {2, 0, 2, 0};
  for (std::int64_t row = 0; row < 4; ++row) {
    ASSERT_EQ(drawn.row_nnz(row), counts[static_cast<std::size_t>(row)]) << "as many as likes, as far as there are others";
    for (const std::int32_t item : drawn.row(row)) {
      const auto own = likes.row(row);
      EXPECT_FALSE(std::binary_search(own.begin(), own.end(), item)) << row << " " << item;
    }
  }
  // Each of the others alike: of 4 items 2 are drawn, so each one in half of the draws; deviation 16 in 1000.
  std::vector<int> often(6, 0);
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const CsrMatrix some = draw_dislikes(likes, seed);
    for (const std::int32_t item : some.row(0)) ++often[static_cast<std::size_t>(item)];
  }
  for (const int item : {1, 3, 4, 5}) EXPECT_NEAR(often[static_cast<std::size_t>(item)], 500, 80) << item;
}

TEST(Table, OneItemOneUserNoLikes) {
  const TableEncoding table({CsrMatrix::from_rows(1, {{}}), {}}, TableKind::kTernary);
  EXPECT_EQ(table.planes().differences(), 0);
  EXPECT_EQ(table.encode({CsrMatrix::from_rows(1, {{}}), {}}).nnz(), 0);
}

TEST(Table, PartsGiveItBack) {
  const Interactions rows = random_users(30, 7, 0.4, 0.2, 8);
  const TableEncoding table(rows, TableKind::kTernary);
  const TableEncoding again = TableEncoding::from_parts(table.parts(), "here");
  EXPECT_EQ(again.rows(), 30);
  for (std::int64_t column = 0; column < 7; ++column) {
    EXPECT_EQ(again.item(column), table.item(column));
    EXPECT_EQ(again.column(static_cast<std::int32_t>(column)), table.column(static_cast<std::int32_t>(column)));
    for (std::int64_t k = 0; k < table.category_count(column); ++k) {
      EXPECT_EQ(again.value(column, k), table.value(column, k));
      EXPECT_EQ(again.appearance(column, k), table.appearance(column, k));
      EXPECT_EQ(again.count(column, k), table.count(column, k));
    }
  }
  EXPECT_EQ(again.encode(rows).nnz(), table.encode(rows).nnz());
}

TEST(Table, BadPartsAreRefused) {
  const TableEncoding table(random_users(30, 7, 0.4, 0.2, 8), TableKind::kTernary);
  const auto refuses = [&](const std::function<void(TableEncoding::Parts&)>& damage) {
    TableEncoding::Parts parts = table.parts();
    damage(parts);
    try {
      TableEncoding::from_parts(parts, "model-file");
    } catch (const Error& error) {
      return error.kind() == ErrorKind::kData && std::string(error.what()).find("model-file") != std::string::npos;
    }
    return false;
  };
  EXPECT_TRUE(refuses([](auto& parts) { parts.widths.template data<std::int32_t>()[1] = 99; }));
  EXPECT_TRUE(refuses([](auto& parts) { parts.items.template data<std::int32_t>()[0] = 3; }));
  EXPECT_TRUE(refuses([](auto& parts) { parts.values.template data<std::int32_t>()[0] = 2; }));
  EXPECT_TRUE(refuses([](auto& parts) { parts.counts.template data<std::int32_t>()[0] += 1; }));
  EXPECT_TRUE(refuses([](auto& parts) { parts.appearance.template data<std::int32_t>()[0] = 7; }));
  EXPECT_TRUE(refuses([](auto& parts) { parts.items = Tensor::from<std::int32_t>({0}, {1}); }));
}

TEST(Table, MisuseIsNamed) {
  EXPECT_THROW(TableEncoding({CsrMatrix::from_rows(3, {}), {}}, TableKind::kBinary), Error);
  EXPECT_THROW(TableEncoding(users(2, {{0}}, {{0}}), TableKind::kTernary), Error);
  const TableEncoding table(users(2, {{0}, {}}, {{}, {}}), TableKind::kBinary);
  EXPECT_THROW(table.encode(users(2, {{1}}, {{}})), Error);  // nobody liked item 1 in the fit
  EXPECT_THROW(table.encode(users(3, {{1}}, {{}})), Error);
}

TEST(CategorySoftmax, ColumnsOfOneTwoAndThreeCategoriesSumToOneAndDrawBySoftmax) {
  const CategoryPlanes planes = {400, 300, 200};  // 100 columns with one category, 100 with two, 200 with three
  const Tensor differences = Tensor::empty({500, 500}, DType::kFloat32);
  for (std::int64_t i = 0; i < differences.numel(); ++i) {
    differences.data<float>()[i] = i % 500 < 300 ? 1.0F : -1.0F;  // logits (0, 1, -1)
  }
  const Tensor noise = random_gumbel({500, planes.categories()}, {4, Purpose::kTest, 0});
  std::vector<double> drawn(3);
  for (const double temperature : {0.2, 5.0}) {
    const Tensor y = category_softmax(planes, differences, noise, temperature);
    std::vector<double> counts(3);
    for (std::int64_t row = 0; row < 500; ++row) {
      const float* of_row = y.data<float>() + row * planes.categories();
      for (std::int64_t j = 0; j < planes.columns; ++j) {
        std::vector<float> column = {of_row[j]};
        if (j < planes.two) column.push_back(of_row[planes.columns + j]);
        if (j < planes.three) column.push_back(of_row[planes.columns + planes.two + j]);
        EXPECT_NEAR(std::accumulate(column.begin(), column.end(), 0.0), 1, 1e-6) << "column " << j;
        if (column.size() == 3)
          ++counts[static_cast<std::size_t>(std::max_element(column.begin(), column.end()) - column.begin())];
      }
    }
    const double total = 1 + std::exp(1.0) + std::exp(-1.0);
    EXPECT_NEAR(counts[0] / 1e5, 1 / total, 0.0041);  // three deviations of 10^5 draws
    EXPECT_NEAR(counts[1] / 1e5, std::exp(1.0) / total, 0.0045);
    if (temperature == 0.2) drawn = counts;
    EXPECT_EQ(counts, drawn) << "the temperature does not change which is largest";
  }
}

}  // namespace
}  // namespace tapestry::recsys
