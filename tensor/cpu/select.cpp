#include <algorithm>
#include <cmath>

#include "tensor/cpu/loops.h"
#include "tensor/kernels.h"

namespace tapestry {
namespace {

/// The k best columns of a row, in no order: a heap of the k best so far, its worst on top, straight in the output, so that a
/// scan of the row rarely touches it.
template <typename Better>
void keep_best(std::int64_t cols, std::int64_t k, const Better& better, std::int32_t* heap) {
  for (std::int32_t col = 0; col < static_cast<std::int32_t>(cols); ++col) {
    if (col < k) {
      heap[col] = col;
      std::push_heap(heap, heap + col + 1, better);
    } else if (k > 0 && better(col, heap[0])) {
      std::pop_heap(heap, heap + k, better);
      heap[k - 1] = col;
      std::push_heap(heap, heap + k, better);
    }
  }
}

/// Larger scores first, NaN last, ties by column.
template <typename T>
auto by_score(const T* score) {
  return [score](std::int32_t a, std::int32_t b) {
    const bool a_nan = std::isnan(score[a]);
    const bool b_nan = std::isnan(score[b]);
    if (a_nan != b_nan) return b_nan;
    if (a_nan || score[a] == score[b]) return a < b;
    return score[a] > score[b];
  };
}

/// The best columns of a row among those offered, which come in ascending order, so that an equal score never displaces a kept
/// one. The same heap as above.
template <typename T>
class BestOffered {
 public:
  BestOffered(const T* score, std::int64_t capacity, std::int32_t* heap) : score_(score), capacity_(capacity), heap_(heap) {}

  /// Offers columns [begin, end), leaving NaN out. Nearly all fall below the bar once the heap is full, which a branch-free look
  /// at a strip tells.
  void offer(std::int64_t begin, std::int64_t end) {
    constexpr std::int64_t kStrip = 32;
    std::int64_t col = begin;
    while (col < end) {
      const std::int64_t stop = std::min(col + kStrip, end);
      if (count_ == capacity_ && stop - col == kStrip) {
        const T bar = score_[heap_[0]];
        int above = 0;
        for (std::int64_t i = 0; i < kStrip; ++i) above |= score_[col + i] > bar;
        if (!above) {
          col = stop;
          continue;
        }
      }
      for (; col < stop; ++col) offer(static_cast<std::int32_t>(col));
    }
  }

  /// Best first; how many there are.
  std::int64_t sort() {
    std::sort_heap(heap_, heap_ + count_, by_score(score_));
    return count_;
  }

 private:
  void offer(std::int32_t col) {
    if (std::isnan(score_[col])) return;
    if (count_ == capacity_) {
      if (!(score_[col] > score_[heap_[0]])) return;
      std::pop_heap(heap_, heap_ + count_, by_score(score_));
      --count_;
    }
    heap_[count_++] = col;
    std::push_heap(heap_, heap_ + count_, by_score(score_));
  }

  const T* score_;
  std::int64_t capacity_;
  std::int64_t count_ = 0;
  std::int32_t* heap_;
};

/// Calls visit(begin, end) for the gaps between a row's masked columns.
template <typename T, typename Visit>
void for_unmasked(const CsrView<T>& masked, std::int64_t row, const Visit& visit) {
  std::int64_t begin = 0;
  for (std::int64_t at = masked.offsets[row]; at < masked.offsets[row + 1]; ++at) {
    visit(begin, std::int64_t{masked.columns[at]});
    begin = masked.columns[at] + 1;
  }
  visit(begin, masked.cols);
}

}  // namespace

template <typename T>
void CpuKernels<T>::rank_rows(const CsrView<T>& masked, const T* x, std::int64_t k, T* /*workspace*/, std::int32_t* index) {
  for_rows(masked.rows, masked.cols, [=](std::int64_t row) {
    const T* score = x + row * masked.cols;
    std::int32_t* best = index + row * k;
    const std::int64_t wanted = std::min(k, masked.cols);
    BestOffered<T> offered(score, wanted, best);
    if (wanted > 0) for_unmasked(masked, row, [&](std::int64_t begin, std::int64_t end) { offered.offer(begin, end); });
    std::int64_t count = offered.sort();
    if (count < wanted) {
      for_unmasked(masked, row, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t col = begin; col < end && count < wanted; ++col) {
          if (std::isnan(score[col])) best[count++] = static_cast<std::int32_t>(col);
        }
      });
    }
    std::fill(best + count, best + k, -1);
  });
}

template <typename T>
void CpuKernels<T>::top_lengths_rows(std::int64_t rows, std::int64_t cols, const T* x, const std::int64_t* offsets,
                                     std::int32_t* columns) {
  for_rows(rows, cols, [=](std::int64_t row) {
    const std::int64_t length = offsets[row + 1] - offsets[row];
    std::int32_t* best = columns + offsets[row];
    keep_best(cols, length, by_score(x + row * cols), best);
    std::sort(best, best + length);
  });
}

template struct CpuKernels<float>;
template struct CpuKernels<double>;

}  // namespace tapestry
