#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/cpu/loops.h"
#include "tensor/kernels.h"

namespace tapestry {

template <typename T>
void CpuKernels<T>::top_k_rows(std::int64_t rows, std::int64_t cols, const T* x, std::int64_t k, std::int32_t* index) {
  for_rows(rows, cols, [=](std::int64_t row) {
    const T* score = x + row * cols;
    const auto better = [score](std::int32_t a, std::int32_t b) {
      const bool a_nan = std::isnan(score[a]);
      const bool b_nan = std::isnan(score[b]);
      if (a_nan != b_nan) return b_nan;
      if (a_nan || score[a] == score[b]) return a < b;
      return score[a] > score[b];
    };
    // A heap of the k best so far, its worst on top, straight in the output: a scan of the row that rarely touches the heap.
    std::int32_t* heap = index + row * k;
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
    std::sort_heap(heap, heap + k, better);
  });
}

template struct CpuKernels<float>;
template struct CpuKernels<double>;

}  // namespace tapestry
