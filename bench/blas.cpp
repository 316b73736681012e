#include "bench/blas.h"

#ifdef TAPESTRY_OPENBLAS
#include <cblas.h>
#endif

namespace tapestry::bench {

#ifdef TAPESTRY_OPENBLAS

std::string blas_name() { return std::string("OpenBLAS for ") + openblas_get_corename(); }

bool blas_product(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* b, float* c, int threads) {
  openblas_set_num_threads(threads);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), 1.0f, a,
              static_cast<int>(k), b, static_cast<int>(k), 0.0f, c, static_cast<int>(n));
  return true;
}

#else

std::string blas_name() { return "none"; }

bool blas_product(std::int64_t, std::int64_t, std::int64_t, const float*, const float*, float*, int) { return false; }

#endif

}  // namespace tapestry::bench
