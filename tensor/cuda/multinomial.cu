#include "tensor/cuda/softmax_math.cuh"
#include "tensor/kernels.h"

namespace tapestry {
namespace {

using cuda::for_rows;
using cuda::row_weight;
using cuda::value_at;

}  // namespace

template <typename T>
void CudaKernels<T>::multinomial_nll(const T* logits, const CsrView<T>& target, T* lse, T* loss) {
  for_rows(target.rows, target.cols, [=] __device__(std::int64_t row) {
    const T* in = logits + row * target.cols;
    const T hit = cuda::sum_entries(target, row, [&](std::int64_t at) { return value_at(target, at) * in[target.columns[at]]; });
    const T weight = row_weight(target, row);
    const T row_lse = cuda::log_sum_exp<T>(target.cols, [=](std::int64_t col) { return in[col]; });
    if (threadIdx.x > 0) return;
    lse[row] = row_lse;
    loss[row] = cuda::row_loss(target, row, weight, row_lse, hit);
  });
}

template <typename T>
void CudaKernels<T>::multinomial_nll_backward(const T* logits, const CsrView<T>& target, const T* lse, const T* scale,
                                              T* dlogits) {
  for_rows(target.rows, target.cols, [=] __device__(std::int64_t row) {
    const T* in = logits + row * target.cols;
    T* out = dlogits + row * target.cols;
    const T weight = *scale * row_weight(target, row);
    const T shift = lse[row];
    for (std::int64_t col = threadIdx.x; col < target.cols; col += blockDim.x) out[col] = weight * scalar::exp(in[col] - shift);
    __syncthreads();  // the row is complete before its targets are taken off
    for (std::int64_t at = target.offsets[row] + threadIdx.x; at < target.offsets[row + 1]; at += blockDim.x) {
      out[target.columns[at]] -= *scale * value_at(target, at);
    }
  });
}

template struct CudaKernels<float>;
template struct CudaKernels<double>;

}  // namespace tapestry
