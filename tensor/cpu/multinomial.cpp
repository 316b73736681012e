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

/// The loss of one row from its log sum exp and sum_i x_ri logits[r, i]; nothing for a user without items.
template <typename T>
T row_loss(const CsrView<T>& target, std::int64_t row, T lse, T hit) {
  const bool empty = target.offsets[row] == target.offsets[row + 1];
  return empty ? T(0) : row_weight(target, row) * lse - hit;
}

/// The items of one block.
struct Block {
  std::int64_t begin;
  std::int64_t end;
  std::int64_t size() const { return end - begin; }
};

/// The part of a target row that lies in one block of items: positions [begin, end) of its entries.
struct Entries {
  std::int64_t begin;
  std::int64_t end;
};

template <typename T>
Entries entries_in(const CsrView<T>& target, std::int64_t row, const Block& block) {
  const std::int32_t* first = target.columns + target.offsets[row];
  const std::int32_t* last = target.columns + target.offsets[row + 1];
  const std::int32_t* from = std::lower_bound(first, last, block.begin);
  return {from - target.columns, std::lower_bound(from, last, block.end) - target.columns};
}

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
    T hit = 0;
    for (std::int64_t at = target.offsets[row]; at < target.offsets[row + 1]; ++at) {
      hit += target_at(target, at) * in[target.columns[at]];
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
      out[target.columns[at]] -= *scale * target_at(target, at);
    }
  });
}

template <typename T>
void CpuKernels<T>::linear_multinomial_nll(std::int64_t hidden, const T* h, const T* w, const T* bias, const CsrView<T>& target,
                                           T* exps, T* shares, T* loss, T* workspace) {
  const std::int64_t rows = target.rows;
  const std::int64_t items = target.cols;
  const std::int64_t blocks = multinomial_blocks(items);
  T* largest = shares;  // until the sums over all blocks are known
  T* sums = workspace;
  T* hits = workspace + rows * blocks;  // sum_i x_ri logits[r, i]
  for_blocks(items, [=](std::int64_t index, const Block& block) {
    T* logits = exps + rows * block.begin;
    for (std::int64_t row = 0; row < rows; ++row) std::copy_n(bias + block.begin, block.size(), logits + row * block.size());
    matmul(false, true, rows, block.size(), hidden, h, hidden, w + block.begin * hidden, hidden, true, logits, block.size());
    for (std::int64_t row = 0; row < rows; ++row) {
      T* logit = logits + row * block.size();
      T hit = 0;
      const Entries entries = entries_in(target, row, block);
      for (std::int64_t at = entries.begin; at < entries.end; ++at) {
        hit += target_at(target, at) * logit[target.columns[at] - block.begin];
      }
      hits[row * blocks + index] = hit;
      constexpr T kNothing = -std::numeric_limits<T>::infinity();
      const T shift = block.size() == 0 ? kNothing : row_max(block.size(), logit);
      largest[row * blocks + index] = shift;
      sums[row * blocks + index] = exponentiate(block.size(), shift, logit);
    }
  });
  // log sum exp of the blocks' log sum exps.
  for_rows(rows, 64, [=](std::int64_t row) {
    T* share = shares + row * blocks;
    const T shift = row_max(blocks, share);
    T total = 0;
    T hit = 0;
    for (std::int64_t index = 0; index < blocks; ++index) {
      total += scalar::exp(share[index] - shift) * sums[row * blocks + index];
      hit += hits[row * blocks + index];
    }
    const T lse = shift + scalar::log(total);
    for (std::int64_t index = 0; index < blocks; ++index) share[index] = scalar::exp(share[index] - lse);
    loss[row] = row_loss(target, row, lse, hit);
  });
}

template <typename T>
void CpuKernels<T>::linear_multinomial_nll_backward(std::int64_t hidden, const T* h, const T* w, const CsrView<T>& target,
                                                    T* exps, const T* shares, const T* scale, T* dw, T* dbias, T* dh,
                                                    T* workspace) {
  const std::int64_t rows = target.rows;
  const std::int64_t items = target.cols;
  const std::int64_t blocks = multinomial_blocks(items);
  for_blocks(items, [=](std::int64_t index, const Block& block) {
    T* dlogits = exps + rows * block.begin;
    T* sum = dbias + block.begin;
    std::fill_n(sum, block.size(), T(0));
    for (std::int64_t row = 0; row < rows; ++row) {
      T* gradient = dlogits + row * block.size();
      const T weight = *scale * row_weight(target, row) * shares[row * blocks + index];
#pragma omp simd
      for (std::int64_t col = 0; col < block.size(); ++col) {
        gradient[col] *= weight;
        sum[col] += gradient[col];
      }
      const Entries entries = entries_in(target, row, block);
      for (std::int64_t at = entries.begin; at < entries.end; ++at) {
        const std::int64_t col = target.columns[at] - block.begin;
        gradient[col] -= *scale * target_at(target, at);
        sum[col] -= *scale * target_at(target, at);
      }
    }
    matmul(true, false, block.size(), hidden, rows, dlogits, block.size(), h, hidden, false, dw + block.begin * hidden, hidden);
    matmul(false, false, rows, hidden, block.size(), dlogits, block.size(), w + block.begin * hidden, hidden, false,
           workspace + index * rows * hidden, hidden);
  });
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
