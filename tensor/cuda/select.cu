#include <limits>

#include "tensor/cuda/reduce.cuh"
#include "tensor/kernels.h"

namespace tapestry {
namespace {

/// An entry of a row; column -1 is none, and comes after all others.
template <typename T>
struct Entry {
  T score;
  std::int32_t col;
  std::int32_t unused;  // no undefined bytes: entries are moved whole
};

/// Whether a comes before b: larger scores first, NaN last, ties by column.
template <typename T>
__device__ bool before(const Entry<T>& a, const Entry<T>& b) {
  if (a.col < 0 || b.col < 0) return a.col >= 0;
  const bool a_nan = a.score != a.score;
  const bool b_nan = b.score != b.score;
  if (a_nan != b_nan) return b_nan;
  if (a_nan || a.score == b.score) return a.col < b.col;
  return a.score > b.score;
}

struct First {
  template <typename T>
  __device__ Entry<T> operator()(const Entry<T>& a, const Entry<T>& b) const {
    return before(b, a) ? b : a;
  }
};

template <typename T>
__device__ Entry<T> entry_at(const T* score, std::int64_t col) {
  return {score[col], static_cast<std::int32_t>(col), 0};
}

/// Rank by rank: the best entry that comes after the one chosen before. A row is read k times, but from cache.
template <typename T>
void choose_by_rank(std::int64_t rows, std::int64_t cols, const T* x, std::int64_t k, std::int32_t* index) {
  cuda::for_rows(rows, cols, [=] __device__(std::int64_t row) {
    const T* score = x + row * cols;
    Entry<T> last = {T(0), -1, 0};
    for (std::int64_t rank = 0; rank < k; ++rank) {
      Entry<T> best = {T(0), -1, 0};
      for (std::int64_t col = threadIdx.x; col < cols; col += blockDim.x) {
        const Entry<T> entry = entry_at(score, col);
        if ((rank == 0 || before(last, entry)) && before(entry, best)) best = entry;
      }
      last = cuda::block_reduce(best, First());
      if (threadIdx.x == 0) index[row * k + rank] = last.col;
    }
  });
}

/// Each entry's rank is the number of entries before it.
template <typename T>
void rank_all(std::int64_t rows, std::int64_t cols, const T* x, std::int64_t k, std::int32_t* index) {
  cuda::for_rows(rows, cols, [=] __device__(std::int64_t row) {
    const T* score = x + row * cols;
    for (std::int64_t col = threadIdx.x; col < cols; col += blockDim.x) {
      const Entry<T> entry = entry_at(score, col);
      std::int64_t rank = 0;
      for (std::int64_t other = 0; other < cols; ++other) rank += before(entry_at(score, other), entry) ? 1 : 0;
      if (rank < k) index[row * k + rank] = entry.col;
    }
  });
}

}  // namespace

// Choosing takes k passes over a row with a reduction each, ranking one comparison for every pair of entries.
template <typename T>
void CudaKernels<T>::top_k_rows(std::int64_t rows, std::int64_t cols, const T* x, std::int64_t k, std::int32_t* index) {
  8 * k > cols ? rank_all(rows, cols, x, k, index) : choose_by_rank(rows, cols, x, k, index);
}

template struct CudaKernels<float>;
template struct CudaKernels<double>;

}  // namespace tapestry
