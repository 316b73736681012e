#include <algorithm>

#include "tensor/cpu/loops.h"
#include "tensor/cpu/softmax_math.h"
#include "tensor/kernels.h"

namespace tapestry {

template <typename T>
void CpuKernels<T>::multinomial_nll(const T* logits, const CsrView<T>& target, T* lse, T* loss) {
  for_rows(target.rows, target.cols, [=](std::int64_t row) {
    const T* in = logits + row * target.cols;
    T hit = 0;
    for (std::int64_t at = target.offsets[row]; at < target.offsets[row + 1]; ++at) {
      hit += value_at(target, at) * in[target.columns[at]];
    }
    lse[row] = log_sum_exp(target.cols, in);
    loss[row] = row_loss(target, row, lse[row], hit);
  });
}

template <typename T>
void CpuKernels<T>::multinomial_nll_backward(const T* logits, const CsrView<T>& target, const T* lse, const T* scale,
                                             T* dlogits) {
  for_rows(target.rows, target.cols, [=](std::int64_t row) {
    const T* in = logits + row * target.cols;
    T* out = dlogits + row * target.cols;
    const T weight = *scale * row_weight(target, row);
    const T shift = lse[row];
#pragma omp simd
    for (std::int64_t col = 0; col < target.cols; ++col) out[col] = weight * scalar::exp(in[col] - shift);
    for (std::int64_t at = target.offsets[row]; at < target.offsets[row + 1]; ++at) {
      out[target.columns[at]] -= *scale * value_at(target, at);
    }
  });
}

template struct CpuKernels<float>;
template struct CpuKernels<double>;

}  // namespace tapestry
