#include <algorithm>
#include <cmath>

#include "tensor/cpu/loops.h"
#include "tensor/kernels.h"

namespace tapestry {
namespace {

/// Larger scores first, ties by column, of scores that are numbers.
template <typename T>
auto by_score(const T* score) {
  return [score](std::int32_t a, std::int32_t b) { return score[a] == score[b] ? a < b : score[a] > score[b]; };
}

/// The best columns of a row among those offered, which come in ascending order, so that an equal score never displaces a kept
/// one: a heap of the best so far, its worst on top, straight in the output, so that a scan of the row rarely touches it.
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

/// The `wanted` best columns of a row among those of the ranges that each_range visits from left to right, best first, NaN behind
/// every number and then by column. Returns how many there are; best has room for `wanted`.
template <typename T, typename EachRange>
std::int64_t best_columns(const T* score, std::int64_t wanted, const EachRange& each_range, std::int32_t* best) {
  if (wanted == 0) return 0;
  BestOffered<T> offered(score, wanted, best);
  each_range([&](std::int64_t begin, std::int64_t end) { offered.offer(begin, end); });
  std::int64_t count = offered.sort();
  if (count == wanted) return count;
  each_range([&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t col = begin; col < end && count < wanted; ++col) {
      if (std::isnan(score[col])) best[count++] = static_cast<std::int32_t>(col);
    }
  });
  return count;
}

}  // namespace

template <typename T>
void CpuKernels<T>::rank_rows(const CsrView<T>& masked, const T* x, std::int64_t k, T* /*workspace*/, std::int32_t* index) {
  for_rows(masked.rows, masked.cols, [=](std::int64_t row) {
    std::int32_t* best = index + row * k;
    const auto unmasked = [&](const auto& visit) { for_unmasked(masked, row, visit); };
    const std::int64_t count = best_columns(x + row * masked.cols, std::min(k, masked.cols), unmasked, best);
    std::fill(best + count, best + k, -1);
  });
}

template <typename T>
void CpuKernels<T>::top_lengths_rows(std::int64_t rows, std::int64_t cols, const T* x, const std::int64_t* offsets,
                                     std::int32_t* columns) {
  for_rows(rows, cols, [=](std::int64_t row) {
    std::int32_t* best = columns + offsets[row];
    const auto all = [&](const auto& visit) { visit(std::int64_t{0}, cols); };
    std::sort(best, best + best_columns(x + row * cols, offsets[row + 1] - offsets[row], all, best));
  });
}

template struct CpuKernels<float>;
template struct CpuKernels<double>;

}  // namespace tapestry
