#pragma once

#include <algorithm>

#include "tests/support/cuda_emulation/cuda_runtime.h"

// The part of cuBLAS that tensor/cuda uses, as plain loops over matrices stored by columns, as cuBLAS takes them.

enum cublasStatus_t { CUBLAS_STATUS_SUCCESS, CUBLAS_STATUS_INVALID_VALUE };
enum cublasOperation_t { CUBLAS_OP_N, CUBLAS_OP_T };
enum cublasMath_t { CUBLAS_DEFAULT_MATH };
using cublasHandle_t = struct EmulatedBlas*;

struct EmulatedBlas {
  cudaStream_t stream = nullptr;
};

inline cublasStatus_t cublasCreate(cublasHandle_t* handle) { return *handle = new EmulatedBlas, CUBLAS_STATUS_SUCCESS; }
inline cublasStatus_t cublasDestroy(cublasHandle_t handle) { return delete handle, CUBLAS_STATUS_SUCCESS; }
inline cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  return handle->stream = stream, CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasSetWorkspace(cublasHandle_t, void*, std::size_t) { return CUBLAS_STATUS_SUCCESS; }
inline cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t) { return CUBLAS_STATUS_SUCCESS; }
inline const char* cublasGetStatusString(cublasStatus_t) { return "an argument is invalid"; }

namespace tapestry::tests::emulation {

/// C = alpha op(A) op(B) + beta C, with op(A) [m, k] and op(B) [k, n]; ld is the distance of columns as stored.
template <typename T>
cublasStatus_t gemm(cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha,
                    const T* a, std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc) {
  const std::int64_t rows_a = op_a == CUBLAS_OP_N ? m : k;
  const std::int64_t rows_b = op_b == CUBLAS_OP_N ? k : n;
  if (m < 0 || n < 0 || k < 0 || lda < std::max<std::int64_t>(1, rows_a) || ldb < std::max<std::int64_t>(1, rows_b) ||
      ldc < std::max<std::int64_t>(1, m) || !is_device_memory(a) || !is_device_memory(b) || !is_device_memory(c)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const DeviceAccess access;
  const std::int64_t row_step = op_a == CUBLAS_OP_N ? 1 : lda;
  const std::int64_t inner_step = op_a == CUBLAS_OP_N ? lda : 1;
  for (std::int64_t col = 0; col < n; ++col) {
    T* out = c + col * ldc;
    for (std::int64_t row = 0; row < m; ++row) out[row] = beta == T(0) ? T(0) : beta * out[row];
    for (std::int64_t inner = 0; inner < k; ++inner) {
      const T factor = alpha * (op_b == CUBLAS_OP_N ? b[inner + col * ldb] : b[col + inner * ldb]);
      const T* in = a + inner * inner_step;
      for (std::int64_t row = 0; row < m; ++row) out[row] += factor * in[row * row_step];
    }
  }
  return CUBLAS_STATUS_SUCCESS;
}

/// The same when the handle's stream comes to it: at once, or with the graph that it is recording. The scalars are those of the
/// call.
template <typename T>
cublasStatus_t queue_gemm(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m, std::int64_t n,
                          std::int64_t k, T alpha, const T* a, std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c,
                          std::int64_t ldc) {
  const auto work = [=] { return gemm(op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc); };
  if (!is_capturing(handle->stream)) return work();
  record(handle->stream, [work] { return work() == CUBLAS_STATUS_SUCCESS ? cudaSuccess : cudaErrorIllegalAddress; });
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace tapestry::tests::emulation

inline cublasStatus_t cublasSgemm_64(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m,
                                     std::int64_t n, std::int64_t k, const float* alpha, const float* a, std::int64_t lda,
                                     const float* b, std::int64_t ldb, const float* beta, float* c, std::int64_t ldc) {
  return tapestry::tests::emulation::queue_gemm(handle, op_a, op_b, m, n, k, *alpha, a, lda, b, ldb, *beta, c, ldc);
}
inline cublasStatus_t cublasDgemm_64(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m,
                                     std::int64_t n, std::int64_t k, const double* alpha, const double* a, std::int64_t lda,
                                     const double* b, std::int64_t ldb, const double* beta, double* c, std::int64_t ldc) {
  return tapestry::tests::emulation::queue_gemm(handle, op_a, op_b, m, n, k, *alpha, a, lda, b, ldb, *beta, c, ldc);
}
