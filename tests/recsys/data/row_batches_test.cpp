// recsys/data/row_batches.h: batches are the rows, on the device under test.
#include "recsys/data/row_batches.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tensor/ops.h"
#include "tests/support/device.h"

namespace tapestry::recsys {
namespace {

using RowBatchesTest = tapestry::tests::DeviceTest;

/// Rows as lists of columns, brought to the host.
std::vector<std::vector<std::int32_t>> listed(const CsrMatrix& x) {
  const CsrMatrix host = x.to(Device::kCpu);
  std::vector<std::vector<std::int32_t>> rows;
  for (std::int64_t row = 0; row < host.rows(); ++row) rows.emplace_back(host.row(row).begin(), host.row(row).end());
  return rows;
}

TEST_F(RowBatchesTest, AreTheRowsInTheirOrder) {
  const std::vector<std::vector<std::int32_t>> rows = {{0, 4}, {}, {1, 2, 3}, {4}, {0, 1, 2, 3, 4}};
  const RowBatches batches(CsrMatrix::from_rows(5, rows), 2, tapestry::tests::test_device());
  ASSERT_EQ(batches.size(), 3);
  std::vector<std::vector<std::int32_t>> seen;
  for (std::int64_t i = 0; i < batches.size(); ++i) {
    const CsrMatrix& batch = batches[i];
    EXPECT_EQ(batch.device(), tapestry::tests::test_device());
    EXPECT_EQ(batch.cols(), 5);
    EXPECT_LE(batch.rows(), 2);
    const std::vector<std::vector<std::int32_t>> part = listed(batch);
    seen.insert(seen.end(), part.begin(), part.end());
  }
  EXPECT_EQ(seen, rows);
}

TEST_F(RowBatchesTest, AreMatricesOfTheirOwn) {
  const std::vector<std::vector<std::int32_t>> rows = {{0, 2}, {1}, {0, 1, 2}};
  const RowBatches batches(CsrMatrix::from_rows(3, rows), 2, tapestry::tests::test_device());
  EXPECT_EQ(batches[1].nnz(), 3);
  const Tensor written = dense(batches[0], DType::kFloat64).to(Device::kCpu);
  const std::vector<double> expected = {1, 0, 1, 0, 1, 0};
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), written.span<double>().begin()));
  const Tensor sums = csr_matmul(batches[1], Tensor::full({3, 1}, 1, DType::kFloat64, tapestry::tests::test_device()));
  EXPECT_EQ(sums.to(Device::kCpu).item(), 3);
}

TEST_F(RowBatchesTest, RefuseWhatTheyCannotHold) {
  const CsrMatrix rows = CsrMatrix::from_rows(3, {{0}});
  EXPECT_THROW(RowBatches(rows, 0, Device::kCpu), Error);
  EXPECT_THROW(RowBatches(rows.with_values(Tensor::full({1}, 2)), 1, Device::kCpu), Error);
}

}  // namespace
}  // namespace tapestry::recsys
