#include <omp.h>

#include <algorithm>

#include "tensor/cpu/product.h"
#include "tensor/kernels.h"

#ifdef TAPESTRY_HAVE_CBLAS
#include <cblas.h>
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
              std::int64_t ldb, bool accumulate, float* c, std::int64_t ldc) {
  one_blas_thread();
  cblas_sgemm(CblasRowMajor, flag(ta), flag(tb), static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), 1.0f, a,
              static_cast<int>(lda), b, static_cast<int>(ldb), accumulate ? 1.0f : 0.0f, c, static_cast<int>(ldc));
}

void multiply(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, const double* a, std::int64_t lda,
              const double* b, std::int64_t ldb, bool accumulate, double* c, std::int64_t ldc) {
  one_blas_thread();
  cblas_dgemm(CblasRowMajor, flag(ta), flag(tb), static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), 1.0, a,
              static_cast<int>(lda), b, static_cast<int>(ldb), accumulate ? 1.0 : 0.0, c, static_cast<int>(ldc));
}

#else

using cpu::multiply;

#endif

/// Products below this many multiplications stay whole; above it every strip has at least kStripProduct of them. (A CBLAS may
/// take another code path for small matrices, OpenBLAS below 10^6.)
constexpr std::int64_t kParallelProduct = 8'000'000;
constexpr std::int64_t kStripProduct = 2'000'000;

/// Into how many strips a product of so many multiplications is cut at most. Ours has the same bits however it is cut, and gets
/// one strip per thread that there is for it. A CBLAS may round a strip otherwise than the whole, as OpenBLAS's kernels for
/// Haswell and Zen do, so that with one the cut depends on the product alone: the strips, and with them the bits, are the same
/// for any number of threads, and threads beyond eight have nothing to do.
std::int64_t most_strips(std::int64_t work) {
  if (work < kParallelProduct) return 1;
#ifdef TAPESTRY_HAVE_CBLAS
  constexpr std::int64_t most = 8;
#else
  const std::int64_t most = omp_in_parallel() ? 1 : omp_get_max_threads();
#endif
  return std::min(most, work / kStripProduct);
}

}  // namespace

template <typename T>
void CpuKernels<T>::matmul(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a,
                           std::int64_t lda, const T* b, std::int64_t ldb, bool accumulate, T* c, std::int64_t ldc) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    for (std::int64_t row = 0; row < m && !accumulate; ++row) std::fill_n(c + row * ldc, n, T(0));
    return;
  }
  const std::int64_t work = m * n * k;
  const std::int64_t parts = most_strips(work);
  if (parts <= 1) return multiply(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, accumulate, c, ldc);
  // The larger side of C is cut into strips, at multiples of a register tile's sides (and of OpenBLAS's).
  const bool cut_rows = m >= n;
  constexpr std::int64_t kBlock = 48;
  const std::int64_t side = cut_rows ? m : n;
  const std::int64_t strip = ((side + parts - 1) / parts + kBlock - 1) / kBlock * kBlock;
  // What is left over gets a strip of its own only if that is no small product; else the last strip takes it.
  const bool own_strip = side % strip * (work / side) >= kStripProduct;
  const auto strips = static_cast<int>(std::max<std::int64_t>(1, side / strip + (own_strip ? 1 : 0)));
  const int threads = omp_in_parallel() ? 1 : std::min(strips, omp_get_max_threads());
#pragma omp parallel for schedule(static, 1) num_threads(threads)
  for (int part = 0; part < strips; ++part) {
    const std::int64_t begin = part * strip;
    const std::int64_t end = part + 1 == strips ? side : begin + strip;
    if (cut_rows) {
      const T* strip_a = a + begin * (transpose_a ? 1 : lda);
      multiply(transpose_a, transpose_b, end - begin, n, k, strip_a, lda, b, ldb, accumulate, c + begin * ldc, ldc);
    } else {
      const T* strip_b = b + begin * (transpose_b ? ldb : 1);
      multiply(transpose_a, transpose_b, m, end - begin, k, a, lda, strip_b, ldb, accumulate, c + begin, ldc);
    }
  }
}

template struct CpuKernels<float>;
template struct CpuKernels<double>;

}  // namespace tapestry
