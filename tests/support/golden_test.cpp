#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_folder.h"

namespace tapestry::tests {
namespace {

class GoldenTest : public ::testing::Test {
 protected:
  Golden read(const std::string& text) {
    std::ofstream(path_) << text;
    return Golden(path_);
  }

  /// Reading `text` must throw kData with exactly this message behind the path.
  void expect_refused(const std::string& text, const std::string& message) {
    try {
      read(text);
      ADD_FAILURE() << "accepted: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kData);
      EXPECT_EQ(std::string(error.what()), path_ + message);
    }
  }

  const TempFolder folder_;
  const std::string path_ = (folder_.path() / "golden.txt").string();
};

TEST_F(GoldenTest, ReadsEveryRankAndType) {
  const Golden golden = read(
      "# a comment\ntensor s 0\n-0.125\ntensor v 1 3\n1 2 -3\n# another\ntensor m 2 2 2\n0.1 1e-300\n3 4\n"
      "tensor c 3 2 1 2\n1 2\n3 4\n");
  EXPECT_EQ(golden.scalar("s"), -0.125);
  EXPECT_EQ(golden.tensor("s").shape(), Shape());
  const Tensor integers = golden.tensor("v", DType::kInt64);
  EXPECT_EQ(integers.shape(), (Shape{3}));
  EXPECT_EQ(integers.data<std::int64_t>()[2], -3);
  EXPECT_EQ(golden.tensor("v", DType::kInt32).data<std::int32_t>()[2], -3);
  const Tensor matrix = golden.tensor("m");
  EXPECT_EQ(matrix.shape(), (Shape{2, 2}));
  EXPECT_EQ(matrix.data<double>()[0], 0.1);
  EXPECT_EQ(matrix.data<double>()[1], 1e-300);
  EXPECT_EQ(golden.tensor("m", DType::kFloat32).data<float>()[0], 0.1f);
  const Tensor cube = golden.tensor("c");
  EXPECT_EQ(cube.shape(), (Shape{2, 1, 2}));
  EXPECT_EQ(cube.data<double>()[3], 4);
}

TEST_F(GoldenTest, ListsNamesUnderAPrefix) {
  const Golden golden = read("tensor grad.b 0\n1\ntensor grad.a 0\n1\ntensor gradient 0\n1\ntensor a 0\n1\n");
  EXPECT_EQ(golden.names_under("grad."), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(golden.has("gradient"));
  EXPECT_FALSE(golden.has("grad."));
}

TEST_F(GoldenTest, RefusesMisuse) {
  const Golden golden = read("tensor v 1 2\n1 2.5\ntensor big 0\n3e9\n");
  EXPECT_THROW(golden.tensor("w"), Error);
  EXPECT_THROW(golden.scalar("v"), Error);
  EXPECT_THROW(golden.tensor("v", DType::kInt32), Error);
  EXPECT_THROW(golden.tensor("big", DType::kInt32), Error);
  EXPECT_EQ(golden.tensor("big", DType::kInt64).item(), 3e9);
}

TEST_F(GoldenTest, NamesThePlaceOfAFault) {
  expect_refused("", ": holds no tensor");
  expect_refused("tensor a 0\n1\nmatrix b 0\n", ":3:1: expected 'tensor NAME RANK SIZES...', found 'matrix'");
  expect_refused("tensor\n", ":1:7: expected a tensor's name, found the end of the line");
  expect_refused("tensor a 5 1 1 1 1 1\n1\n", ":1:10: expected a rank from 0 to 4, found '5'");
  expect_refused("tensor a 2 3\n", ":1:13: expected a dimension, found the end of the line");
  expect_refused("tensor a 1 0\n", ":1:12: expected a dimension from 1 to 10000, found '0'");
  expect_refused("tensor a 1 2 3\n1 2\n", ":1:14: expected the end of the line, found '3'");
  expect_refused("tensor a 1 2\n1 x\n", ":2:3: expected 2 finite numbers in each row of tensor a, found 'x'");
  expect_refused("tensor a 1 2\n1 nan\n", ":2:3: expected 2 finite numbers in each row of tensor a, found 'nan'");
  expect_refused("tensor a 1 2\n1\n", ":2:2: expected 2 finite numbers in each row of tensor a, found the end of the line");
  expect_refused("tensor a 1 2\n1 2 3\n", ":2:5: expected the end of the line, found '3'");
  expect_refused("tensor a 2 2 1\n1\n", ": ends after line 2; expected row 2 of 2 of tensor a");
  expect_refused("tensor a 0\n1\ntensor a 0\n1\n", ":3:8: expected a name that has not been used before, found 'a'");
}

TEST_F(GoldenTest, AMatrixOfOnesHasThePlacesThatAreNotZero) {
  const CsrMatrix rows = rows_of(read("tensor x 2 3 4\n0 2 0 -1\n0 0 0 0\n1 0 0 0\n").tensor("x"));
  EXPECT_EQ(rows.cols(), 4);
  ASSERT_EQ(rows.rows(), 3);
  EXPECT_EQ(std::vector<std::int32_t>(rows.row(0).begin(), rows.row(0).end()), (std::vector<std::int32_t>{1, 3}));
  EXPECT_EQ(rows.row_nnz(1), 0);
  EXPECT_EQ(std::vector<std::int32_t>(rows.row(2).begin(), rows.row(2).end()), std::vector<std::int32_t>{0});
}

TEST_F(GoldenTest, NamesAMissingFile) {
  try {
    const Golden golden(path_);
    FAIL() << "opened a file that does not exist";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kData);
    EXPECT_NE(std::string(error.what()).find(path_ + ": cannot be opened"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tapestry::tests
