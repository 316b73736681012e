#include "tensor/cuda/softmax_math.cuh"
#include "tensor/kernels.h"

namespace tapestry {
namespace {

using cuda::for_rows;
using cuda::row_weight;
using cuda::value_at;

}  // namespace

template <typename T>
LinearMultinomialRoom CudaKernels<T>::linear_multinomial_room(std::int64_t rows, std::int64_t items, std::int64_t /*hidden*/) {
  return {rows * items + rows, 0, 0};
}

// Here one product gives all logits, since a GPU has no cache of its own per block of items: kept are one
// matrix exps [B, I] and the rows' 1 / sum [B].
template <typename T>
void CudaKernels<T>::linear_multinomial_nll(std::int64_t hidden, const T* h, const T* w, const T* bias, const CsrView<T>& target,
                                            T* kept, T* loss, T* /*workspace*/) {
  const std::int64_t items = target.cols;
  T* exps = kept;
  T* shares = kept + target.rows * items;
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
    if (threadIdx.x > 0) return;
    shares[row] = T(1) / total;
    loss[row] = cuda::row_loss(target, row, weight, largest + scalar::log(total), hit);
  });
}

template <typename T>
void CudaKernels<T>::linear_multinomial_nll_backward(std::int64_t hidden, const T* h, const T* w, const CsrView<T>& target,
                                                     T* kept, const T* scale, T* dw, T* dbias, T* dh, T* /*workspace*/) {
  const std::int64_t rows = target.rows;
  const std::int64_t items = target.cols;
  T* exps = kept;
  const T* shares = kept + rows * items;
  for_rows(rows, items, [=] __device__(std::int64_t row) {
    T* dlogits = exps + row * items;
    const T weight = *scale * row_weight(target, row) * shares[row];
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
