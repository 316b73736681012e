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

// Here one product gives all logits, since a GPU has no cache of its own per block of items: exps is one matrix [B, I], and each
// block's share the same 1 / sum.
template <typename T>
void CudaKernels<T>::linear_multinomial_nll(std::int64_t hidden, const T* h, const T* w, const T* bias, const CsrView<T>& target,
                                            T* exps, T* shares, T* loss, T* /*workspace*/) {
  const std::int64_t items = target.cols;
  const std::int64_t blocks = multinomial_blocks(items);
  matmul(false, true, target.rows, items, hidden, h, hidden, w, hidden, false, exps, items);
  for_rows(target.rows, items, [=] __device__(std::int64_t row) {
    T* logits = exps + row * items;
    const auto logit = [=](std::int64_t col) { return logits[col] + bias[col]; };
    const T hit =
        cuda::sum_entries(target, row, [&](std::int64_t at) { return value_at(target, at) * logit(target.columns[at]); });
    const T weight = row_weight(target, row);
    T largest = -std::numeric_limits<T>::infinity();
    for (std::int64_t col = threadIdx.x; col < items; col += blockDim.x) largest = cuda::Largest()(largest, logit(col));
    largest = cuda::block_reduce(largest, cuda::Largest());
    T total = 0;
    for (std::int64_t col = threadIdx.x; col < items; col += blockDim.x) {
      total += logits[col] = scalar::exp(logit(col) - largest);
    }
    total = cuda::block_reduce(total, cuda::Add());
    for (std::int64_t block = threadIdx.x; block < blocks; block += blockDim.x) shares[row * blocks + block] = T(1) / total;
    if (threadIdx.x == 0) loss[row] = cuda::row_loss(target, row, weight, largest + scalar::log(total), hit);
  });
}

template <typename T>
void CudaKernels<T>::linear_multinomial_nll_backward(std::int64_t hidden, const T* h, const T* w, const CsrView<T>& target,
                                                     T* exps, const T* shares, const T* scale, T* dw, T* dbias, T* dh,
                                                     T* /*workspace*/) {
  const std::int64_t rows = target.rows;
  const std::int64_t items = target.cols;
  const std::int64_t blocks = multinomial_blocks(items);
  for_rows(rows, items, [=] __device__(std::int64_t row) {
    T* dlogits = exps + row * items;
    const T weight = *scale * row_weight(target, row) * shares[row * blocks];
    for (std::int64_t col = threadIdx.x; col < items; col += blockDim.x) dlogits[col] *= weight;
    __syncthreads();
    for (std::int64_t at = target.offsets[row] + threadIdx.x; at < target.offsets[row + 1]; at += blockDim.x) {
      dlogits[target.columns[at]] -= *scale * value_at(target, at);
    }
  });
  column_sum(rows, items, exps, dbias);
  matmul(true, false, items, hidden, rows, exps, items, h, hidden, false, dw, hidden);
  matmul(false, false, rows, hidden, items, exps, items, w, hidden, false, dh, hidden);
}

template struct CudaKernels<float>;
template struct CudaKernels<double>;

}  // namespace tapestry
