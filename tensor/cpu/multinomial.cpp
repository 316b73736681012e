#include <algorithm>
#include <array>

#include "tensor/cpu/loops.h"
#include "tensor/cpu/softmax_math.h"
#include "tensor/kernels.h"

namespace tapestry {
namespace {

template <typename T>
T target_at(const CsrView<T>& target, std::int64_t at) {
  return target.values == nullptr ? T(1) : target.values[at];
}

/// sum_i x_ri logits[r, i] of one row's logits.
template <typename T>
T target_logits(const CsrView<T>& target, std::int64_t row, const T* logits) {
  T hit = 0;
  for (std::int64_t at = target.offsets[row]; at < target.offsets[row + 1]; ++at)
    hit += target_at(target, at) * logits[target.columns[at]];
  return hit;
}

template <typename T>
T row_loss(const CsrView<T>& target, std::int64_t row, const T* logits, T lse) {
  const bool empty = target.offsets[row] == target.offsets[row + 1];
  return empty ? T(0) : row_weight(target, row) * lse - target_logits(target, row, logits);
}

/// One row's gradient over the items [begin, end); in and out are whole rows and may be the same.
template <typename T>
void row_gradient(const CsrView<T>& target, std::int64_t row, std::int64_t begin, std::int64_t end, const T* in, T shift, T scale,
                  T* out) {
  const T weight = scale * row_weight(target, row);
#pragma omp simd
  for (std::int64_t col = begin; col < end; ++col) out[col] = weight * scalar::exp(in[col] - shift);
  const std::int32_t* first = target.columns + target.offsets[row];
  const std::int32_t* last = target.columns + target.offsets[row + 1];
  for (const std::int32_t* column = std::lower_bound(first, last, begin); column != last && *column < end; ++column) {
    out[*column] -= scale * target_at(target, column - target.columns);
  }
}

/// The items of one block.
struct Block {
  std::int64_t begin;
  std::int64_t end;
  std::int64_t size() const { return end - begin; }
};

/// Blocks of equal width, a multiple of 16; the last may be shorter, or empty.
Block block_at(std::int64_t items, std::int64_t index) {
  const std::int64_t blocks = multinomial_blocks(items);
  const std::int64_t width = ((items + blocks - 1) / blocks + 15) / 16 * 16;
  return {std::min(items, index * width), std::min(items, (index + 1) * width)};
}

/// body(index, block) for every block; products inside run on one thread each.
template <typename Body>
void for_blocks(std::int64_t items, const Body& body) {
#pragma omp parallel for schedule(dynamic, 1)
  for (std::int64_t index = 0; index < multinomial_blocks(items); ++index) body(index, block_at(items, index));
}

}  // namespace

template <typename T>
void CpuKernels<T>::multinomial_nll(const T* logits, const CsrView<T>& target, T* lse, T* loss) {
  for_rows(target.rows, target.cols, [=](std::int64_t row) {
    const T* in = logits + row * target.cols;
    lse[row] = log_sum_exp(target.cols, in);
    loss[row] = row_loss(target, row, in, lse[row]);
  });
}

template <typename T>
void CpuKernels<T>::multinomial_nll_backward(const T* logits, const CsrView<T>& target, const T* lse, const T* scale,
                                             T* dlogits) {
  for_rows(target.rows, target.cols, [=](std::int64_t row) {
    row_gradient(target, row, 0, target.cols, logits + row * target.cols, lse[row], *scale, dlogits + row * target.cols);
  });
}

template <typename T>
void CpuKernels<T>::linear_multinomial_nll(std::int64_t hidden, const T* h, const T* w, const T* bias, const CsrView<T>& target,
                                           T* logits, T* lse, T* loss, T* workspace) {
  const std::int64_t rows = target.rows;
  const std::int64_t items = target.cols;
  for_blocks(items, [=](std::int64_t index, const Block& block) {
    matmul(false, true, rows, block.size(), hidden, h, hidden, w + block.begin * hidden, hidden, false, logits + block.begin,
           items);
    for (std::int64_t row = 0; row < rows; ++row) {
      T* out = logits + row * items + block.begin;
#pragma omp simd
      for (std::int64_t col = 0; col < block.size(); ++col) out[col] += bias[block.begin + col];
      constexpr T kNothing = -std::numeric_limits<T>::infinity();  // the log of an empty sum
      workspace[row * multinomial_blocks(items) + index] = block.size() == 0 ? kNothing : log_sum_exp(block.size(), out);
    }
  });
  // log sum exp of the blocks' log sum exps.
  for_rows(rows, 64, [=](std::int64_t row) {
    lse[row] = log_sum_exp(multinomial_blocks(items), workspace + row * multinomial_blocks(items));
    loss[row] = row_loss(target, row, logits + row * items, lse[row]);
  });
}

template <typename T>
void CpuKernels<T>::linear_multinomial_nll_backward(std::int64_t hidden, const T* h, const T* w, const CsrView<T>& target,
                                                    const T* lse, const T* scale, T* logits, T* dw, T* dbias, T* dh,
                                                    T* workspace) {
  const std::int64_t rows = target.rows;
  const std::int64_t items = target.cols;
  for_blocks(items, [=](std::int64_t index, const Block& block) {
    T* dlogits = logits + block.begin;
    std::fill_n(dbias + block.begin, block.size(), T(0));
    for (std::int64_t row = 0; row < rows; ++row) {
      T* gradient = logits + row * items;
      row_gradient(target, row, block.begin, block.end, gradient, lse[row], *scale, gradient);
#pragma omp simd
      for (std::int64_t col = block.begin; col < block.end; ++col) dbias[col] += gradient[col];
    }
    matmul(true, false, block.size(), hidden, rows, dlogits, items, h, hidden, false, dw + block.begin * hidden, hidden);
    matmul(false, false, rows, hidden, block.size(), dlogits, items, w + block.begin * hidden, hidden, false,
           workspace + index * rows * hidden, hidden);
  });
  const std::int64_t blocks = multinomial_blocks(items);
  for_chunks(rows * hidden, [=](std::int64_t begin, std::int64_t end) {
    std::copy(workspace + begin, workspace + end, dh + begin);
    for (std::int64_t block = 1; block < blocks; ++block) {
      const T* part = workspace + block * rows * hidden;
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) dh[i] += part[i];
    }
  });
}

template struct CpuKernels<float>;
template struct CpuKernels<double>;

}  // namespace tapestry
