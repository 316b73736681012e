// The products of tensor/cpu: the same bits for every way to cut them, whatever else they are compared with.

#include "tensor/cpu/product.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "tests/support/random_data.h"

namespace tapestry::tests {
namespace {

template <typename T>
class CpuProductTest : public ::testing::Test {
 protected:
  /// What one product takes. `extra` columns lie behind those of each stored matrix.
  struct Case {
    bool transpose_a, transpose_b;
    std::int64_t m, n, k;
    std::vector<T> a, b, c;
    std::int64_t lda, ldb, ldc;
  };

  static Case make(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k) {
    constexpr std::int64_t extra = 3;
    Case x = {transpose_a, transpose_b, m, n, k, {}, {}, {}, (transpose_a ? m : k) + extra, (transpose_b ? k : n) + extra,
              n + extra};
    x.a = random_values<T>((transpose_a ? k : m) * x.lda, 1, -2, 2);
    x.b = random_values<T>((transpose_b ? n : k) * x.ldb, 2, -2, 2);
    x.c = random_values<T>(m * x.ldc, 3, -2, 2);
    return x;
  }

  static std::vector<T> whole(const Case& x, bool accumulate) {
    std::vector<T> c = x.c;
    cpu::multiply(x.transpose_a, x.transpose_b, x.m, x.n, x.k, x.a.data(), x.lda, x.b.data(), x.ldb, accumulate, c.data(), x.ldc);
    return c;
  }

  /// One rectangle of C.
  static void part(const Case& x, bool accumulate, std::int64_t row, std::int64_t rows, std::int64_t col, std::int64_t cols,
                   std::vector<T>& c) {
    const T* a = x.a.data() + row * (x.transpose_a ? 1 : x.lda);
    const T* b = x.b.data() + col * (x.transpose_b ? x.ldb : 1);
    cpu::multiply(x.transpose_a, x.transpose_b, rows, cols, x.k, a, x.lda, b, x.ldb, accumulate, c.data() + row * x.ldc + col,
                  x.ldc);
  }

  static void expect_bits(const std::vector<T>& one, const std::vector<T>& other, const Case& x) {
    EXPECT_EQ(std::memcmp(one.data(), other.data(), one.size() * sizeof(T)), 0)
        << x.m << " x " << x.n << " x " << x.k << (x.transpose_a ? " A^T" : "") << (x.transpose_b ? " B^T" : "");
  }

  /// Every combination of transposes.
  template <typename Body>
  static void for_all(std::int64_t m, std::int64_t n, std::int64_t k, const Body& body) {
    for (const bool transpose_a : {false, true}) {
      for (const bool transpose_b : {false, true}) body(make(transpose_a, transpose_b, m, n, k));
    }
  }
};

using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(CpuProductTest, Types);

TYPED_TEST(CpuProductTest, IsTheSumOfItsProducts) {
  using T = TypeParam;
  // Rows left over from every tile, columns from every panel and lane, sums of one, two and three pieces; no row, no column, no
  // sum.
  for (const auto& [m, n, k] : std::vector<std::array<std::int64_t, 3>>{{1, 1, 1},
                                                                        {7, 47, 5},
                                                                        {9, 49, 33},
                                                                        {33, 97, 130},
                                                                        {41, 16, cpu::kDepth + 1},
                                                                        {11, 52, 3 * cpu::kDepth - 1},
                                                                        {0, 5, 4},
                                                                        {5, 0, 4},
                                                                        {6, 7, 0},
                                                                        {70, 400, 60}}) {
    this->for_all(m, n, k, [&](const auto& x) {
      for (const bool accumulate : {false, true}) {
        const std::vector<T> c = this->whole(x, accumulate);
        for (std::int64_t i = 0; i < x.m; ++i) {
          for (std::int64_t j = 0; j < x.ldc; ++j) {
            const auto at = static_cast<std::size_t>(i * x.ldc + j);
            if (j >= x.n) {
              EXPECT_EQ(c[at], x.c[at]) << "written behind row " << i;
              continue;
            }
            double sum = accumulate ? static_cast<double>(x.c[at]) : 0.0;
            for (std::int64_t p = 0; p < x.k; ++p) {
              const T left = x.a[static_cast<std::size_t>(x.transpose_a ? p * x.lda + i : i * x.lda + p)];
              const T right = x.b[static_cast<std::size_t>(x.transpose_b ? j * x.ldb + p : p * x.ldb + j)];
              sum += static_cast<double>(left) * static_cast<double>(right);
            }
            const double tolerance = 4.0 * std::numeric_limits<T>::epsilon() * static_cast<double>(x.k + 1);
            ASSERT_LE(std::abs(static_cast<double>(c[at]) - sum), tolerance) << i << ", " << j;
          }
        }
      }
    });
  }
}

TYPED_TEST(CpuProductTest, HasTheSameBitsHoweverItIsCut) {
  using T = TypeParam;
  for (const auto& [m, n, k] :
       std::vector<std::array<std::int64_t, 3>>{{100, 130, 77}, {67, 200, cpu::kDepth + 300}, {33, 50, 9}}) {
    this->for_all(m, n, k, [&](const auto& x) {
      for (const bool accumulate : {false, true}) {
        const std::vector<T> c = this->whole(x, accumulate);
        for (const std::int64_t rows : {1, 5, 32}) {  // of few rows panels are read where they lie
          for (const std::int64_t cols : {1, 17, 64}) {
            if (cols == 1 && x.k > cpu::kDepth) continue;  // packs a panel for every number of C
            std::vector<T> parts = x.c;
            for (std::int64_t row = 0; row < x.m; row += rows) {
              for (std::int64_t col = 0; col < x.n; col += cols) {
                this->part(x, accumulate, row, std::min(rows, x.m - row), col, std::min(cols, x.n - col), parts);
              }
            }
            this->expect_bits(c, parts, x);
          }
        }
      }
    });
  }
}

TYPED_TEST(CpuProductTest, PackedAheadHasTheSameBits) {
  using T = TypeParam;
  for (const std::int64_t k : {std::int64_t{30}, 2 * cpu::kDepth + 5}) {
    this->for_all(61, 500, k, [&](const auto& x) {
      std::vector<T> packed(static_cast<std::size_t>(cpu::packed_size<T>(x.k, x.n)));
      cpu::pack_panels(x.transpose_b, x.k, x.n, x.b.data(), x.ldb, packed.data());
      for (const bool accumulate : {false, true}) {
        std::vector<T> c = x.c;
        cpu::multiply_panels(x.transpose_a, x.m, x.n, x.k, x.a.data(), x.lda, packed.data(), cpu::Onto<T>{accumulate}, c.data(),
                             x.ldc);
        this->expect_bits(c, this->whole(x, accumulate), x);
      }
    });
  }
}

TYPED_TEST(CpuProductTest, IsAddedToANumberOfEachRow) {
  using T = TypeParam;
  for (const std::int64_t k : {std::int64_t{30}, cpu::kDepth + 5}) {
    this->for_all(61, 100, k, [&](const auto& x) {
      const std::vector<T> start = random_values<T>(x.m, 4, -2, 2);
      auto filled = x;
      for (std::int64_t i = 0; i < x.m; ++i) {
        for (std::int64_t j = 0; j < x.n; ++j) {
          filled.c[static_cast<std::size_t>(i * x.ldc + j)] = start[static_cast<std::size_t>(i)];
        }
      }
      std::vector<T> packed(static_cast<std::size_t>(cpu::packed_size<T>(x.k, x.n)));
      cpu::pack_panels(x.transpose_b, x.k, x.n, x.b.data(), x.ldb, packed.data());
      std::vector<T> c = x.c;
      cpu::multiply_panels(x.transpose_a, x.m, x.n, x.k, x.a.data(), x.lda, packed.data(), {false, start.data()}, c.data(),
                           x.ldc);
      this->expect_bits(c, this->whole(filled, true), x);
    });
  }
}

TYPED_TEST(CpuProductTest, NotANumberStaysInItsRowAndColumn) {
  using T = TypeParam;
  this->for_all(20, 60, 10, [&](auto x) {
    x.a[static_cast<std::size_t>(x.transpose_a ? 2 * x.lda + 3 : 3 * x.lda + 2)] = std::numeric_limits<T>::quiet_NaN();
    const std::vector<T> c = this->whole(x, false);
    for (std::int64_t i = 0; i < x.m; ++i) {
      for (std::int64_t j = 0; j < x.n; ++j) EXPECT_EQ(std::isnan(c[static_cast<std::size_t>(i * x.ldc + j)]), i == 3);
    }
  });
}

}  // namespace
}  // namespace tapestry::tests
