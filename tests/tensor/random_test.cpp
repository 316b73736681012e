// Philox against its published vectors, the vector code against the scalar text, and the statistics of what is made of it.
#include "tensor/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <vector>

#include "tensor/ops.h"
#include "tensor/philox.h"
#include "tests/support/device.h"
#include "tests/support/random_data.h"

namespace tapestry::tests {
namespace {

constexpr RandomStream kStream = {42, Purpose::kTest, 3};

class RandomTest : public DeviceTest {
 protected:
  static std::vector<float> host(const Tensor& x) {
    const Tensor values = x.to(DType::kFloat32).to(Device::kCpu);
    return {values.span<float>().begin(), values.span<float>().end()};
  }
  static std::vector<float> uniforms(const Shape& shape, const RandomStream& stream, const Tensor& row_ids = {}) {
    return host(random_uniform(shape, stream, 0, 1, DType::kFloat32, test_device(), row_ids));
  }
  static std::vector<float> normals(const Shape& shape, const RandomStream& stream, const Tensor& row_ids = {}) {
    return host(random_normal(shape, stream, 0, 1, DType::kFloat32, test_device(), row_ids));
  }
};

void expect_block(const philox::Words& counter, std::uint64_t key, const std::vector<std::uint32_t>& expected) {
  const philox::Words words = philox::block(counter, key);
  EXPECT_EQ(std::vector<std::uint32_t>(words.word, words.word + 4), expected);
}

// The vectors of Random123's kat_vectors for philox4x32-10.
TEST(Philox, KnownAnswers) {
  expect_block({{0, 0, 0, 0}}, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  expect_block({{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}}, 0xffffffffffffffff,
               {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  expect_block({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0x299f31d0a4093822,
               {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST(Philox, NormalPairIsBoxMuller) {
  RandomSequence sequence(kStream);
  for (int i = 0; i < 10000; ++i) {
    const std::uint32_t word0 = sequence.next_u32();
    const std::uint32_t word1 = sequence.next_u32();
    const double radius = std::sqrt(-2 * std::log((word0 >> 8) * 0x1p-24 + 0x1p-24));
    const double angle = 2 * M_PI * (word1 >> 8) * 0x1p-24;
    const philox::Pair pair = philox::normal_pair(word0, word1);
    ASSERT_TRUE(std::abs(pair.first - radius * std::cos(angle)) <= 2e-6) << word0 << " " << word1;
    ASSERT_TRUE(std::abs(pair.second - radius * std::sin(angle)) <= 2e-6) << word0 << " " << word1;
  }
  const philox::Pair extreme = philox::normal_pair(0, 0xFFFFFFFF);
  EXPECT_TRUE(std::isfinite(extreme.first) && std::isfinite(extreme.second));
}

TEST_F(RandomTest, UniformMomentsAndDistribution) {
  const std::vector<float> values = uniforms({300, 333}, kStream);
  const auto n = static_cast<double>(values.size());
  double sum = 0;
  for (const float value : values) {
    ASSERT_TRUE(value >= 0 && value < 1);
    sum += value;
  }
  EXPECT_TRUE(std::abs(sum / n - 0.5) <= 4 / std::sqrt(12 * n));
  // Kolmogorov-Smirnov: the largest gap between the empirical and the true distribution exceeds 1.95 / sqrt(n) once in 1000.
  std::vector<float> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  double gap = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) gap = std::max(gap, std::abs((static_cast<double>(i) + 0.5) / n - sorted[i]));
  EXPECT_TRUE(gap <= 1.95 / std::sqrt(n)) << gap;
}

TEST_F(RandomTest, NormalMomentsAndDistribution) {
  std::vector<float> sorted = normals({300, 333}, kStream);
  const auto n = static_cast<double>(sorted.size());
  double moment[5] = {};
  for (const float value : sorted) {
    for (int power = 1; power <= 4; ++power) moment[power] += std::pow(static_cast<double>(value), power) / n;
  }
  EXPECT_TRUE(std::abs(moment[1]) <= 4 / std::sqrt(n)) << moment[1];
  EXPECT_TRUE(std::abs(moment[2] - 1) <= 4 * std::sqrt(2 / n)) << moment[2];
  EXPECT_TRUE(std::abs(moment[3]) <= 4 * std::sqrt(15 / n)) << moment[3];
  EXPECT_TRUE(std::abs(moment[4] - 3) <= 4 * std::sqrt(96 / n)) << moment[4];
  std::sort(sorted.begin(), sorted.end());
  double gap = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    gap = std::max(gap, std::abs((static_cast<double>(i) + 0.5) / n - 0.5 * std::erfc(-sorted[i] / std::sqrt(2.0))));
  }
  EXPECT_TRUE(gap <= 1.95 / std::sqrt(n)) << gap;
}

TEST_F(RandomTest, NeighboursAreUncorrelated) {
  // Beside, below, and 16 apart, where the two numbers of a Box-Muller pair stand.
  const std::int64_t rows = 300, cols = 333;
  const std::vector<float> x = normals({rows, cols}, kStream);
  for (const std::int64_t lag : {std::int64_t{1}, std::int64_t{16}, std::int64_t{32}, std::int64_t{64}, cols}) {
    double product = 0;
    for (std::size_t i = 0; i + static_cast<std::size_t>(lag) < x.size(); ++i)
      product += x[i] * x[i + static_cast<std::size_t>(lag)];
    EXPECT_TRUE(std::abs(product / static_cast<double>(x.size())) <= 4 / std::sqrt(static_cast<double>(x.size())))
        << "lag " << lag;
  }
}

TEST_F(RandomTest, ShiftAndScale) {
  const std::vector<float> normal = normals({3, 70}, kStream);
  const std::vector<float> moved = host(random_normal({3, 70}, kStream, 5, 0.5, DType::kFloat32, test_device()));
  for (std::size_t i = 0; i < normal.size(); ++i) EXPECT_TRUE(std::abs(moved[i] - (5 + 0.5f * normal[i])) <= 1e-6f);
  for (const float value : host(random_uniform({3, 70}, kStream, -2, 3, DType::kFloat32, test_device()))) {
    EXPECT_TRUE(value >= -2 && value <= 3);
  }
}

TEST_F(RandomTest, RowsDoNotDependOnTheirBatch) {
  const std::int64_t cols = 97;
  const std::vector<std::int32_t> ids = {5, 0, 5, 1000000};
  const Tensor row_ids = Tensor::from<std::int32_t>(ids, {4}, test_device());
  const std::vector<float> all = normals({6, cols}, kStream);
  const std::vector<float> batch = normals({4, cols}, kStream, row_ids);
  const auto row = [&](const std::vector<float>& x, std::int64_t index) {
    return std::vector<float>(x.begin() + index * cols, x.begin() + (index + 1) * cols);
  };
  EXPECT_EQ(row(batch, 0), row(all, 5));
  EXPECT_EQ(row(batch, 1), row(all, 0));
  EXPECT_EQ(row(batch, 2), row(batch, 0));
  EXPECT_NE(row(batch, 3), row(batch, 0));
  // Nor does a column depend on how many there are.
  const std::vector<float> narrow = normals({1, 33}, kStream);
  EXPECT_EQ(narrow, std::vector<float>(all.begin(), all.begin() + 33));
}

TEST_F(RandomTest, AMatrixOfMoreElementsThanAGridHasThreads) {
  // A grid has 2^24 threads at most: the last 24,585 elements are those of its second round.
  if (device_is_emulated()) GTEST_SKIP() << "the emulated GPU would take minutes over sixteen million threads";
  constexpr std::int64_t kSide = 4099;
  const Tensor all = random_uniform({kSide, kSide}, kStream, 0, 1, DType::kFloat32, test_device());
  const std::vector<std::int32_t> ids = {0, kSide - 1};
  const Tensor row_ids = Tensor::from<std::int32_t>(ids, {2}, test_device());
  const Tensor shift = random_uniform({kSide}, {42, Purpose::kTest, 4}, 0, 1, DType::kFloat32, test_device());
  const Tensor sum = binary(BinaryOp::kAdd, all, shift);
  const std::vector<float> rows = uniforms({2, kSide}, kStream, row_ids), added = host(shift);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    std::vector<float> expected(rows.begin() + static_cast<std::ptrdiff_t>(i) * kSide,
                                rows.begin() + static_cast<std::ptrdiff_t>(i + 1) * kSide);
    EXPECT_EQ(host(all.slice_rows(ids[i], ids[i] + 1)), expected) << ids[i];
    std::transform(expected.begin(), expected.end(), added.begin(), expected.begin(), std::plus<>());
    EXPECT_EQ(host(sum.slice_rows(ids[i], ids[i] + 1)), expected) << ids[i];
  }
}

TEST_F(RandomTest, EveryPartOfTheAddressMatters) {
  const auto draw = [](std::uint64_t seed, Purpose purpose, std::uint32_t step) {
    return uniforms({2, 64}, {seed, purpose, step});
  };
  const std::set<std::vector<float>> different = {draw(1, Purpose::kTest, 0),
                                                  draw(2, Purpose::kTest, 0),
                                                  draw(1, Purpose::kInit, 0),
                                                  draw(1, Purpose::kTest, 1),
                                                  draw(std::uint64_t{1} << 32, Purpose::kTest, 0),
                                                  draw(1, Purpose{1000}, 0),
                                                  draw(1, Purpose{1256}, 0)};
  EXPECT_EQ(different.size(), 7U) << "1256 is 1000 to who looks at its last byte only";
  EXPECT_EQ(draw(1, Purpose::kTest, 0), draw(1, Purpose::kTest, 0));
  EXPECT_EQ(uniforms({2, 64}, kStream.at(9)), uniforms({2, 64}, {kStream.seed, kStream.purpose, 9}));
}

TEST_F(RandomTest, Float64SeesTheSameNumbers) {
  const auto both = [](const auto& draw) {
    const Tensor wide = draw(DType::kFloat64).to(Device::kCpu);
    const Tensor narrow = draw(DType::kFloat32).to(Device::kCpu);
    for (std::size_t i = 0; i < wide.span<double>().size(); ++i) {
      ASSERT_EQ(wide.span<double>()[i], static_cast<double>(narrow.span<float>()[i]));
    }
  };
  both([](DType dtype) { return random_uniform({5, 77}, kStream, 0, 1, dtype, test_device()); });
  both([](DType dtype) { return random_normal({5, 77}, kStream, 0, 1, dtype, test_device()); });
  both([](DType dtype) { return dropout(Tensor::full({5, 77}, 1, dtype, test_device()), 0.5, kStream); });
}

TEST_F(RandomTest, DropoutKeepsItsShareAndItsMean) {
  for (const double p : {0.0, 0.1, 0.5, 0.9}) {
    const std::vector<float> y = host(dropout(Tensor::full({300, 333}, 1, DType::kFloat32, test_device()), p, kStream));
    const auto n = static_cast<double>(y.size());
    const auto kept = static_cast<double>(std::count_if(y.begin(), y.end(), [](float value) { return value != 0; }));
    EXPECT_TRUE(std::abs(kept / n - (1 - p)) <= 4 * std::sqrt(p * (1 - p) / n)) << p;
    for (const float value : y) ASSERT_TRUE(value == 0 || std::abs(value - 1 / (1 - p)) <= 1e-5) << p;
  }
  const Tensor x = random_tensor({3, 50}, 1, -2, 2, DType::kFloat32, test_device());
  EXPECT_EQ(host(dropout(x, 0, kStream)), host(x));
  EXPECT_THROW(dropout(x, 1.0, kStream), Error);
  EXPECT_THROW(dropout(x, -0.1, kStream), Error);
}

TEST_F(RandomTest, SparseDropoutHasTheDenseMask) {
  const Tensor row_ids = Tensor::from<std::int32_t>({4, 9, 2, 4, 7}, {5}, test_device());
  const CsrMatrix x = random_csr(5, 150, 3, true, DType::kFloat32, test_device());
  const std::vector<float> dense =
      host(dropout(tapestry::dense(x.to(Device::kCpu), DType::kFloat32).to(test_device()), 0.4, kStream, row_ids));
  const std::vector<float> sparse = host(tapestry::dense(dropout(x, 0.4, kStream, row_ids).to(Device::kCpu), DType::kFloat32));
  EXPECT_EQ(dense, sparse);
  EXPECT_THROW(dropout(x, 1.0, kStream), Error);
  EXPECT_THROW(dropout(x, -0.1, kStream), Error);
}

TEST(RandomSequenceTest, BelowIsUniformAndInRange) {
  RandomSequence sequence(kStream);
  std::vector<int> count(7);
  for (int i = 0; i < 70000; ++i) ++count[sequence.below(7)];
  double chi_squared = 0;  // 6 degrees of freedom: above 22.5 once in 1000
  for (const int seen : count) chi_squared += (seen - 10000.0) * (seen - 10000.0) / 10000.0;
  EXPECT_TRUE(chi_squared <= 22.5) << chi_squared;
  EXPECT_EQ(sequence.below(1), 0U);
}

TEST(RandomSequenceTest, WordsThatWouldFavourSmallNumbersAreDrawnAgain) {
  constexpr std::uint32_t kBound = 3u << 30, kRejected = 1u << 30;  // 2^32 mod bound
  RandomSequence sequence(kStream), words(kStream);
  int again = 0;
  for (int i = 0; i < 100; ++i) {
    std::uint32_t word = words.next_u32();
    for (; word < kRejected; word = words.next_u32()) ++again;
    ASSERT_EQ(sequence.below(kBound), word % kBound) << i;
  }
  EXPECT_GT(again, 0);
}

TEST(RandomSequenceTest, ReadsTheStreamInOrder) {
  RandomSequence sequence(kStream);
  for (std::uint32_t block = 0; block < 3; ++block) {
    const philox::Words words = philox::block(philox::counter(kStream, 0, block), kStream.seed);
    for (const std::uint32_t word : words.word) EXPECT_EQ(sequence.next_u32(), word);
  }
}

TEST(RandomSequenceTest, UniformAndNormalMoments) {
  RandomSequence sequence(kStream);
  double uniform = 0, normal = 0, squares = 0;
  const int n = 100000;
  for (int i = 0; i < n; ++i) {
    const double u = sequence.uniform();
    const double z = sequence.normal();
    ASSERT_TRUE(u >= 0 && u < 1);
    uniform += u / n;
    normal += z / n;
    squares += z * z / n;
  }
  EXPECT_TRUE(std::abs(uniform - 0.5) <= 4 / std::sqrt(12.0 * n));
  EXPECT_TRUE(std::abs(normal) <= 4 / std::sqrt(1.0 * n));
  EXPECT_TRUE(std::abs(squares - 1) <= 4 * std::sqrt(2.0 / n));
}

TEST(RandomSequenceTest, DerivedSeedsDiffer) {
  std::set<std::uint64_t> seeds;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    for (std::uint64_t index = 0; index < 100; ++index) seeds.insert(derive_seed(seed, index));
  }
  EXPECT_EQ(seeds.size(), 1000U);
  EXPECT_NE(derive_seed(1, std::uint64_t{1} << 32), derive_seed(1, 0));
}

TEST(RandomSequenceTest, AnEnumsPartHasTheSeedOfItsNumber) {
  enum class Part : std::uint64_t { kFirst = 1, kFar = std::uint64_t{1} << 32 };
  EXPECT_EQ(derive_seed(7, Part::kFirst), derive_seed(7, 1));
  EXPECT_EQ(derive_seed(7, Part::kFar), derive_seed(7, std::uint64_t{1} << 32));
}

}  // namespace
}  // namespace tapestry::tests
