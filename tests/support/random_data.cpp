#include "tests/support/random_data.h"

#include "tensor/random.h"

namespace tapestry::tests {

template <typename T>
std::vector<T> random_values(std::int64_t count, std::uint64_t seed, double low, double high) {
  RandomSequence sequence({seed, Purpose::kTest, 1});
  std::vector<T> values;
  values.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) values.push_back(static_cast<T>(low + (high - low) * sequence.uniform()));
  return values;
}
template std::vector<float> random_values<float>(std::int64_t, std::uint64_t, double, double);
template std::vector<double> random_values<double>(std::int64_t, std::uint64_t, double, double);

Tensor random_tensor(const Shape& shape, std::uint64_t seed, double low, double high, DType dtype, Device device) {
  const std::vector<double> values = random_values<double>(shape.numel(), seed, low, high);
  return Tensor::from<double>(values, shape).to(dtype).to(device);
}

std::vector<std::int32_t> random_indices(std::int64_t count, std::int64_t bound, std::uint64_t seed) {
  RandomSequence sequence({seed, Purpose::kTest, 2});
  std::vector<std::int32_t> indices;
  for (std::int64_t i = 0; i < count; ++i) {
    indices.push_back(static_cast<std::int32_t>(sequence.below(static_cast<std::uint32_t>(bound))));
  }
  return indices;
}

std::vector<std::vector<std::int32_t>> random_pattern(std::int64_t rows, std::int64_t cols, double density, std::uint64_t seed) {
  RandomSequence sequence({seed, Purpose::kTest, 3});
  std::vector<std::vector<std::int32_t>> pattern(static_cast<std::size_t>(rows));
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t col = 0; col < cols; ++col) {
      const bool stored = sequence.uniform() < density;
      if (row == 0 || (stored && row != 1)) pattern[static_cast<std::size_t>(row)].push_back(static_cast<std::int32_t>(col));
    }
  }
  return pattern;
}

CsrMatrix random_csr(std::int64_t rows, std::int64_t cols, std::uint64_t seed, bool with_values, DType dtype, Device device) {
  const CsrMatrix pattern = CsrMatrix::from_rows(cols, random_pattern(rows, cols, 0.3, seed)).to(device);
  return with_values ? pattern.with_values(random_tensor({pattern.nnz()}, seed, 0.5, 1.5, dtype, device)) : pattern;
}

CsrMatrix grouped_matrix(std::int64_t rows, std::int64_t cols, int groups, std::uint64_t seed) {
  RandomSequence random({seed, Purpose::kTest, 7});
  std::vector<std::vector<std::int32_t>> pattern(static_cast<std::size_t>(rows));
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t col = 0; col < cols; ++col) {
      const double chance = row % groups == col % groups ? 0.7 : 0.05;
      if (random.uniform() < chance) pattern[static_cast<std::size_t>(row)].push_back(static_cast<std::int32_t>(col));
    }
  }
  return CsrMatrix::from_rows(cols, pattern);
}

Tensor repeated(std::int64_t count, std::int32_t value) {
  return Tensor::from<std::int32_t>(std::vector<std::int32_t>(static_cast<std::size_t>(count), value), {count});
}

}  // namespace tapestry::tests
