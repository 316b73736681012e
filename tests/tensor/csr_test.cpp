#include "tensor/csr.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "tensor/ops.h"
#include "tests/support/device.h"
#include "tests/support/random_data.h"

namespace tapestry::tests {
namespace {

using Values = std::vector<double>;

Values dense(const CsrMatrix& x) {
  const Tensor values = tapestry::dense(x, DType::kFloat64);
  return {values.span<double>().begin(), values.span<double>().end()};
}

Values transposed(const CsrMatrix& x) {
  const Values from = dense(x);
  Values to(from.size());
  for (std::int64_t row = 0; row < x.rows(); ++row) {
    for (std::int64_t col = 0; col < x.cols(); ++col) {
      to[static_cast<std::size_t>(col * x.rows() + row)] = from[static_cast<std::size_t>(row * x.cols() + col)];
    }
  }
  return to;
}

void expect_refused(const std::vector<std::int64_t>& offsets, const std::vector<std::int32_t>& columns,
                    const std::vector<float>& values, const std::string& part) {
  try {
    CsrMatrix::from(2, 3, offsets, columns, values);
    ADD_FAILURE() << "nothing was thrown; expected a message with " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kMisuse);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(CsrTest, RefusesWhatIsNoMatrix) {
  EXPECT_NO_THROW(CsrMatrix::from(2, 3, {0, 2, 3}, {0, 2, 1}, {1, 2, 3}));
  expect_refused({0, 2}, {0, 2}, {}, "2 rows");
  expect_refused({1, 2, 3}, {0, 2, 1}, {}, "run from 1");
  expect_refused({0, 2, 2}, {0, 2, 1}, {}, "over 3 entries");
  expect_refused({0, 3, 2}, {0, 1}, {}, "fall after row 1");
  expect_refused({0, 2, 3}, {0, 3, 1}, {}, "column 3");
  expect_refused({0, 2, 3}, {-1, 2, 1}, {}, "column -1");
  expect_refused({0, 2, 3}, {2, 0, 1}, {}, "row 0 do not ascend");
  expect_refused({0, 2, 3}, {1, 1, 1}, {}, "do not ascend");
  expect_refused({0, 2, 3}, {0, 2, 1}, {1, 2}, "2 values for 3");
  EXPECT_THROW(CsrMatrix(1, 3, Tensor::from<std::int64_t>({0, 1}, {2}), Tensor::from<std::int32_t>({0}, {1}),
                         Tensor::from<std::int32_t>({1}, {1})),
               Error);
  EXPECT_THROW(CsrMatrix(1, 3, Tensor::from<std::int32_t>({0, 1}, {2}), Tensor::from<std::int32_t>({0}, {1})), Error);
  EXPECT_THROW(CsrMatrix(1, 3, Tensor::from<std::int64_t>({0, 1}, {2}), Tensor::from<std::int64_t>({0}, {1})), Error);
  EXPECT_THROW(CsrMatrix::from_rows(3, {{1, 1}}), Error);
  EXPECT_THROW(CsrMatrix::from(-1, 3, {}, {}), Error);
  EXPECT_THROW(CsrMatrix::from(1, -3, {0, 0}, {}), Error);
  EXPECT_THROW(CsrMatrix().transpose(), Error);
}

TEST(CsrTest, FromRowsSorts) {
  const CsrMatrix x = CsrMatrix::from_rows(4, {{3, 0}, {}, {2}});
  EXPECT_EQ(dense(x), (Values{1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0}));
  EXPECT_EQ(x.nnz(), 3);
  EXPECT_EQ(x.row_nnz(1), 0);
  EXPECT_EQ(std::vector<std::int32_t>(x.row(0).begin(), x.row(0).end()), (std::vector<std::int32_t>{0, 3}));
  EXPECT_THROW(x.row(3), Error);
  EXPECT_THROW(x.row(-1), Error);
}

TEST(CsrTest, TransposeMatchesDense) {
  for (const bool with_values : {false, true}) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      const CsrMatrix x = random_csr(17, 29, 5, with_values, dtype);
      const CsrMatrix& flipped = x.transpose();
      EXPECT_EQ(dense(flipped), transposed(x));
      EXPECT_EQ(flipped.has_values(), with_values);
      EXPECT_EQ(&x.transpose(), &flipped) << "made once";
      EXPECT_EQ(dense(flipped.transpose()), dense(x));
    }
  }
}

TEST(CsrTest, TransposeIsMadeOnceByManyThreads) {
  const CsrMatrix x = random_csr(40, 30, 5, true);
  std::vector<const CsrMatrix*> seen(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < seen.size(); ++i) threads.emplace_back([&, i] { seen[i] = &x.transpose(); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(seen, std::vector<const CsrMatrix*>(4, &x.transpose()));
}

TEST(CsrTest, GatherAndSliceRows) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const CsrMatrix x = random_csr(6, 5, 2, true, dtype);  // row 1 is empty
    const Values all = dense(x);
    const auto rows = [&](const std::vector<std::ptrdiff_t>& wanted) {
      Values picked;
      for (const std::ptrdiff_t row : wanted) picked.insert(picked.end(), all.begin() + row * 5, all.begin() + (row + 1) * 5);
      return picked;
    };
    const std::vector<std::int32_t> indices = {4, 1, 0, 4};
    const CsrMatrix gathered = x.gather_rows(indices);
    EXPECT_EQ(dense(gathered), rows({4, 1, 0, 4}));
    EXPECT_EQ(gathered.values().dtype(), dtype);
    EXPECT_EQ(dense(x.slice_rows(1, 4)), rows({1, 2, 3}));
    EXPECT_EQ(x.slice_rows(3, 3).rows(), 0);
    EXPECT_EQ(x.gather_rows({}).nnz(), 0);
    EXPECT_THROW(x.gather_rows(std::vector<std::int32_t>{6}), Error);
    EXPECT_THROW(x.gather_rows(std::vector<std::int32_t>{-1}), Error);
    EXPECT_THROW(x.slice_rows(2, 7), Error);
  }
}

TEST(CsrTest, GathersRowsIntoBuffersWithRoomToSpare) {
  for (const bool with_values : {true, false}) {
    const CsrMatrix x = tests::random_csr(6, 9, 3, with_values, DType::kFloat32);
    const std::vector<std::int32_t> indices = {4, 1, 0, 4};
    const CsrMatrix expected = x.gather_rows(indices);
    const Tensor index = Tensor::from<std::int32_t>(indices, {4});
    const CsrMatrix gathered = gather_rows(x, index, 40);
    EXPECT_EQ(dense(gathered), dense(expected));
    EXPECT_EQ(gathered.nnz(), 40);
    EXPECT_THROW(gathered.transpose(), Error);
    EXPECT_EQ(dense(gather_rows(x, index, expected.nnz())), dense(expected));
    EXPECT_THROW(gather_rows(x, index, expected.nnz() - 1), Error);
    EXPECT_THROW(gather_rows(x, Tensor::from<std::int32_t>({6}, {1}), 40), Error);
    EXPECT_THROW(gather_rows(x, Tensor::from<std::int64_t>({1}, {1}), 40), Error);
  }
}

class CsrOnDevice : public DeviceTest {};

TEST_F(CsrOnDevice, ABatchWithRoomToSpareIsMovedWithoutIt) {
  const std::vector<std::int32_t> indices = {4, 1, 0, 4};
  const Device device = test_device();
  for (const bool with_values : {true, false}) {
    const CsrMatrix x = random_csr(6, 9, 3, with_values, DType::kFloat32);
    const CsrMatrix expected = x.gather_rows(indices);
    const CsrMatrix there = gather_rows(x.to(device), Tensor::from<std::int32_t>(indices, {4}, device), 40);
    EXPECT_EQ(there.to(device).columns().raw_data(), there.columns().raw_data()) << "where it is already";
    EXPECT_EQ(dense(there.to(Device::kCpu)), dense(expected));
    const CsrMatrix here = gather_rows(x, Tensor::from<std::int32_t>(indices, {4}), 40);
    EXPECT_EQ(dense(here.to(device).to(Device::kCpu)), dense(expected));
    if (device == Device::kCpu) continue;
    EXPECT_EQ(here.to(device).nnz(), expected.nnz());
    EXPECT_EQ(dense(there.to(Device::kCpu).transpose()), dense(expected.transpose()));
  }
}

TEST(CsrTest, WithValuesLeavesTheOriginal) {
  const CsrMatrix x = CsrMatrix::from(1, 3, {0, 2}, {0, 2}, {1, 2});
  x.transpose();
  const CsrMatrix y = x.with_values(Tensor::from<float>({5, 6}, {2}));
  EXPECT_EQ(dense(x), (Values{1, 0, 2}));
  EXPECT_EQ(dense(y), (Values{5, 0, 6}));
  EXPECT_EQ(dense(y.transpose()), (Values{5, 0, 6})) << "the cached transpose belongs to the old values";
  EXPECT_THROW(x.with_values(Tensor::from<float>({5}, {1})), Error);
  EXPECT_THROW(x.with_values(Tensor::from<std::int32_t>({5, 6}, {2})), Error) << "no floating-point type";
}

TEST(CsrTest, ConcatRows) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const CsrMatrix a = random_csr(3, 4, 1, true, dtype);
    const CsrMatrix b = random_csr(2, 4, 2, true, dtype);
    Values expected = dense(a);
    const Values behind = dense(b);
    expected.insert(expected.end(), behind.begin(), behind.end());
    const std::vector<CsrMatrix> parts = {a, b};
    EXPECT_EQ(dense(concat_rows(parts)), expected);
  }
  const std::vector<CsrMatrix> patterns = {CsrMatrix::from_rows(2, {{0}}), CsrMatrix::from_rows(2, {{}, {0, 1}})};
  EXPECT_EQ(dense(concat_rows(patterns)), (Values{1, 0, 0, 0, 1, 1}));
  const std::vector<CsrMatrix> mixed = {CsrMatrix::from(1, 2, {0, 1}, {0}, {5}), CsrMatrix::from_rows(2, {{1}})};
  EXPECT_FALSE(concat_rows(mixed).has_values()) << "not every part has values";
  EXPECT_EQ(dense(concat_rows(mixed)), (Values{1, 0, 0, 1}));
  const CsrMatrix nobody = CsrMatrix::from_rows(2, {{}});
  const std::vector<CsrMatrix> with_nobody = {nobody, mixed[0], nobody};
  EXPECT_EQ(dense(concat_rows(with_nobody)), (Values{0, 0, 5, 0, 0, 0})) << "a part without entries has no say in values";
  EXPECT_EQ(concat_rows(std::vector<CsrMatrix>{nobody, nobody}).nnz(), 0);
  const std::vector<CsrMatrix> types = {random_csr(3, 2, 1, true, DType::kFloat32), random_csr(3, 2, 1, true, DType::kFloat64)};
  EXPECT_THROW(concat_rows(types), Error);
  const std::vector<CsrMatrix> misfits = {CsrMatrix::from_rows(2, {{0}}), CsrMatrix::from_rows(3, {{0}})};
  EXPECT_THROW(concat_rows(misfits), Error);
  EXPECT_THROW(concat_rows(std::vector<CsrMatrix>{}), Error);
}

TEST(CsrTest, NothingStoredOrNoRows) {
  const CsrMatrix blank = CsrMatrix::from_rows(3, {{}, {}});
  EXPECT_EQ(dense(blank), Values(6, 0.0));
  EXPECT_EQ(blank.transpose().rows(), 3);
  EXPECT_EQ(blank.transpose().nnz(), 0);
  const CsrMatrix none = CsrMatrix::from_rows(3, {});
  EXPECT_EQ(none.rows(), 0);
  EXPECT_EQ(none.transpose().cols(), 0);
  const Tensor w = random_tensor({3, 2}, 1);
  EXPECT_EQ(csr_matmul(none, w).shape(), Shape({0, 2}));
  const Tensor product = csr_transpose_matmul(none, Tensor::zeros({0, 2}, DType::kFloat64));
  EXPECT_EQ(sum_squares(product).item(), 0.0);
  EXPECT_EQ(sum_squares(csr_matmul(blank, w)).item(), 0.0);
}

TEST(CsrTest, NormalizedRowsHaveNormOneOrStayEmpty) {
  const CsrMatrix x = normalize_rows(random_csr(5, 9, 4, false), DType::kFloat64);
  const Tensor norms = row_sum(tapestry::dense(x, DType::kFloat64), true);
  for (std::int64_t row = 0; row < 5; ++row) {
    const double expected = x.row_nnz(row) == 0 ? 0.0 : 1.0;
    EXPECT_TRUE(std::abs(norms.data<double>()[row] - expected) <= 1e-12) << row;
  }
  EXPECT_EQ(x.row_nnz(1), 0);
}

}  // namespace
}  // namespace tapestry::tests
