#include <omp.h>

#include <algorithm>

#include "tensor/kernels.h"

#ifdef TAPESTRY_HAVE_CBLAS
#include <cblas.h>
#else
#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Core>
#endif

namespace tapestry {
namespace {

#ifdef TAPESTRY_HAVE_CBLAS

/// OpenBLAS brings threads of its own, which would fight with OpenMP's: each of our threads calls it for its part instead.
void one_blas_thread() {
#ifdef TAPESTRY_OPENBLAS
  static const bool once = (openblas_set_num_threads(1), true);
  static_cast<void>(once);
#endif
}

CBLAS_TRANSPOSE flag(bool transpose) { return transpose ? CblasTrans : CblasNoTrans; }

void multiply(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda, const float* b,
              std::int64_t ldb, float beta, float* c, std::int64_t ldc) {
  cblas_sgemm(CblasRowMajor, flag(ta), flag(tb), static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), 1.0f, a,
              static_cast<int>(lda), b, static_cast<int>(ldb), beta, c, static_cast<int>(ldc));
}

void multiply(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, const double* a, std::int64_t lda,
              const double* b, std::int64_t ldb, double beta, double* c, std::int64_t ldc) {
  cblas_dgemm(CblasRowMajor, flag(ta), flag(tb), static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), 1.0, a,
              static_cast<int>(lda), b, static_cast<int>(ldb), beta, c, static_cast<int>(ldc));
}

#else

void one_blas_thread() {}

template <typename T>
void multiply(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda, const T* b,
              std::int64_t ldb, T beta, T* c, std::int64_t ldc) {
  using Rows = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using View = Eigen::Map<const Rows, 0, Eigen::OuterStride<> >;
  const View left(a, ta ? k : m, ta ? m : k, Eigen::OuterStride<>(lda));
  const View right(b, tb ? n : k, tb ? k : n, Eigen::OuterStride<>(ldb));
  Eigen::Map<Rows, 0, Eigen::OuterStride<> > out(c, m, n, Eigen::OuterStride<>(ldc));
  if (beta == T(0)) out.setZero();
  if (ta && tb) {
    out.noalias() += left.transpose() * right.transpose();
  } else if (ta) {
    out.noalias() += left.transpose() * right;
  } else if (tb) {
    out.noalias() += left * right.transpose();
  } else {
    out.noalias() += left * right;
  }
}

#endif

/// Products below this many multiplications stay whole. Above it every part is still large enough for the BLAS to take the same
/// code path as for the whole (OpenBLAS has another one below 10^6), so that the split does not show in the bits. That was
/// measured for float32; OpenBLAS's float64 kernels round the edge of a strip differently, at some sizes.
constexpr std::int64_t kParallelProduct = 8'000'000;
constexpr std::int64_t kPartProduct = 2'000'000;

}  // namespace

template <typename T>
void CpuKernels<T>::matmul(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a,
                           std::int64_t lda, const T* b, std::int64_t ldb, bool accumulate, T* c, std::int64_t ldc) {
  one_blas_thread();
  const T beta = accumulate ? T(1) : T(0);
  if (m == 0 || n == 0) return;
  if (k == 0) {
    for (std::int64_t row = 0; row < m && !accumulate; ++row) std::fill_n(c + row * ldc, n, T(0));
    return;
  }
  const std::int64_t work = m * n * k;
  const bool alone = work < kParallelProduct || omp_in_parallel();
  const int parts = alone ? 1 : static_cast<int>(std::min<std::int64_t>(omp_get_max_threads(), work / kPartProduct));
  if (parts <= 1) return multiply(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, beta, c, ldc);
  // The larger side of C is cut into one strip per thread, at multiples of the widest register block.
  const bool cut_rows = m >= n;
  constexpr std::int64_t kBlock = 48;
  const std::int64_t side = cut_rows ? m : n;
  const std::int64_t strip = ((side + parts - 1) / parts + kBlock - 1) / kBlock * kBlock;
  // What is left over gets a strip of its own only if that is no small product; else the last strip takes it.
  const bool own_strip = side % strip * (work / side) >= kPartProduct;
  const auto strips = static_cast<int>(std::max<std::int64_t>(1, side / strip + (own_strip ? 1 : 0)));
#pragma omp parallel for schedule(static, 1) num_threads(strips)
  for (int part = 0; part < strips; ++part) {
    const std::int64_t begin = part * strip;
    const std::int64_t end = part + 1 == strips ? side : begin + strip;
    if (cut_rows) {
      const T* strip_a = a + begin * (transpose_a ? 1 : lda);
      multiply(transpose_a, transpose_b, end - begin, n, k, strip_a, lda, b, ldb, beta, c + begin * ldc, ldc);
    } else {
      const T* strip_b = b + begin * (transpose_b ? ldb : 1);
      multiply(transpose_a, transpose_b, m, end - begin, k, a, lda, strip_b, ldb, beta, c + begin, ldc);
    }
  }
}

template struct CpuKernels<float>;
template struct CpuKernels<double>;

}  // namespace tapestry
