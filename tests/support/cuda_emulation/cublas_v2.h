#pragma once

#include <algorithm>
#include <bit>
#include <vector>

#include "tests/support/cuda_emulation/cuda_runtime.h"

// The part of cuBLAS that tensor/cuda uses, as plain loops over matrices stored by columns, as cuBLAS takes them.

enum cublasStatus_t { CUBLAS_STATUS_SUCCESS, CUBLAS_STATUS_INVALID_VALUE };
enum cublasOperation_t { CUBLAS_OP_N, CUBLAS_OP_T };
enum cublasMath_t { CUBLAS_DEFAULT_MATH };
enum cudaDataType_t { CUDA_R_32F };
enum cublasComputeType_t { CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_FAST_TF32, CUBLAS_COMPUTE_32F_FAST_16BF };
enum cublasGemmAlgo_t { CUBLAS_GEMM_DEFAULT };
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

/// x with `bits` bits of mantissa: the nearest, of two as near the even one. What is not finite stays.
inline float round_mantissa(float x, int bits) {
  constexpr std::uint32_t kExponent = 0x7f800000;
  const auto given = std::bit_cast<std::uint32_t>(x);
  if ((given & kExponent) == kExponent) return x;
  const int dropped = 23 - bits;
  const std::uint32_t odd = (given >> dropped) & 1;
  const std::uint32_t nearest = given + (std::uint32_t{1} << (dropped - 1)) - 1 + odd;
  return std::bit_cast<float>(nearest >> dropped << dropped);
}

/// The rounded elements of a matrix [rows, cols] stored by columns, ld apart: [rows, cols] without gaps.
inline std::vector<float> rounded(const float* x, std::int64_t rows, std::int64_t cols, std::int64_t ld, int bits) {
  std::vector<float> y;
  y.reserve(static_cast<std::size_t>(rows * cols));
  for (std::int64_t col = 0; col < cols; ++col) {
    for (std::int64_t row = 0; row < rows; ++row) y.push_back(round_mantissa(x[col * ld + row], bits));
  }
  return y;
}

/// The shape of a matrix as it is stored: its columns' length is the least distance they can have.
struct Stored {
  std::int64_t rows, cols;
};
inline Stored stored(cublasOperation_t op, std::int64_t rows, std::int64_t cols) {
  return op == CUBLAS_OP_N ? Stored{rows, cols} : Stored{cols, rows};
}

/// Whether cuBLAS takes these operands.
inline bool are_operands(cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m, std::int64_t n, std::int64_t k,
                         const void* a, std::int64_t lda, const void* b, std::int64_t ldb, const void* c, std::int64_t ldc) {
  return m >= 0 && n >= 0 && k >= 0 && lda >= std::max<std::int64_t>(1, stored(op_a, m, k).rows) &&
         ldb >= std::max<std::int64_t>(1, stored(op_b, k, n).rows) && ldc >= std::max<std::int64_t>(1, m) &&
         is_device_memory(a) && is_device_memory(b) && is_device_memory(c);
}

/// C = alpha op(A) op(B) + beta C, with op(A) [m, k] and op(B) [k, n]; ld is the distance of columns as stored.
template <typename T>
void gemm(cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m, std::int64_t n, std::int64_t k, T alpha, const T* a,
          std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc) {
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
}

/// Does `work`, which touches device memory, when the handle's stream comes to it: at once, or with the graph that it is
/// recording.
template <typename Work>
cublasStatus_t queue(cublasHandle_t handle, const Work& work) {
  const auto with_access = [work] {
    const DeviceAccess access;
    work();
    return cudaSuccess;
  };
  if (is_capturing(handle->stream)) {
    record(handle->stream, with_access);
  } else {
    with_access();
  }
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace tapestry::tests::emulation

// The scalars are those of the call, whenever it is done.
inline cublasStatus_t cublasDgemm_64(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m,
                                     std::int64_t n, std::int64_t k, const double* alpha, const double* a, std::int64_t lda,
                                     const double* b, std::int64_t ldb, const double* beta, double* c, std::int64_t ldc) {
  using namespace tapestry::tests::emulation;
  if (!are_operands(op_a, op_b, m, n, k, a, lda, b, ldb, c, ldc)) return CUBLAS_STATUS_INVALID_VALUE;
  return queue(handle, [=, alpha = *alpha, beta = *beta] { gemm(op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc); });
}

/// For the faster types of float32 cuBLAS documents what the operands become, not how they get there: here it is the nearest
/// value.
inline cublasStatus_t cublasGemmEx_64(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m,
                                      std::int64_t n, std::int64_t k, const void* alpha, const void* a, cudaDataType_t,
                                      std::int64_t lda, const void* b, cudaDataType_t, std::int64_t ldb, const void* beta,
                                      void* c, cudaDataType_t, std::int64_t ldc, cublasComputeType_t type, cublasGemmAlgo_t) {
  using namespace tapestry::tests::emulation;
  if (!are_operands(op_a, op_b, m, n, k, a, lda, b, ldb, c, ldc)) return CUBLAS_STATUS_INVALID_VALUE;
  const auto* const left = static_cast<const float*>(a);
  const auto* const right = static_cast<const float*>(b);
  auto* const out = static_cast<float*>(c);
  const float of_product = *static_cast<const float*>(alpha), of_sum = *static_cast<const float*>(beta);
  return queue(handle, [=] {
    if (type == CUBLAS_COMPUTE_32F) return gemm(op_a, op_b, m, n, k, of_product, left, lda, right, ldb, of_sum, out, ldc);
    const int bits = type == CUBLAS_COMPUTE_32F_FAST_TF32 ? 10 : 7;
    const Stored shape_a = stored(op_a, m, k), shape_b = stored(op_b, k, n);
    gemm(op_a, op_b, m, n, k, of_product, rounded(left, shape_a.rows, shape_a.cols, lda, bits).data(), shape_a.rows,
         rounded(right, shape_b.rows, shape_b.cols, ldb, bits).data(), shape_b.rows, of_sum, out, ldc);
  });
}
