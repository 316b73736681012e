#include "tensor/cuda/launch.cuh"
#include "tensor/kernels.h"
#include "tensor/precision.h"

namespace tapestry {
namespace {

cublasOperation_t flag(bool transpose) { return transpose ? CUBLAS_OP_T : CUBLAS_OP_N; }

/// What cuBLAS may round the float32 operands to, so that tensor cores can take them; which sizes it does so for is its choice.
cublasComputeType_t compute_type(MatmulPrecision precision) {
  switch (precision) {
    case MatmulPrecision::kTf32:
      return CUBLAS_COMPUTE_32F_FAST_TF32;
    case MatmulPrecision::kBf16:
      return CUBLAS_COMPUTE_32F_FAST_16BF;
    default:
      return CUBLAS_COMPUTE_32F;
  }
}

// cuBLAS stores columns first: what it takes for a matrix is our transpose. C^T = B'^T A'^T is therefore asked for.
void multiply(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda, const float* b,
              std::int64_t ldb, float beta, float* c, std::int64_t ldc) {
  const float one = 1;
  cuda::check(cublasGemmEx_64(cuda::context().blas(), flag(tb), flag(ta), n, m, k, &one, b, CUDA_R_32F, ldb, a, CUDA_R_32F, lda,
                              &beta, c, CUDA_R_32F, ldc, compute_type(matmul_precision()), CUBLAS_GEMM_DEFAULT),
              "cublasGemmEx");
}

void multiply(bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, const double* a, std::int64_t lda,
              const double* b, std::int64_t ldb, double beta, double* c, std::int64_t ldc) {
  const double one = 1;
  cuda::check(cublasDgemm_64(cuda::context().blas(), flag(tb), flag(ta), n, m, k, &one, b, ldb, a, lda, &beta, c, ldc),
              "cublasDgemm");
}

}  // namespace

template <typename T>
void CudaKernels<T>::matmul(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a,
                            std::int64_t lda, const T* b, std::int64_t ldb, bool accumulate, T* c, std::int64_t ldc) {
  if (m == 0 || n == 0) return;
  if (k > 0) return multiply(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, accumulate ? T(1) : T(0), c, ldc);
  if (accumulate) return;
  cuda::for_each(m * n, [=] __device__(std::int64_t i) {
    const auto [row, col] = cuda::place_of(i, n);
    c[row * ldc + col] = T(0);
  });
}

template struct CudaKernels<float>;
template struct CudaKernels<double>;

}  // namespace tapestry
