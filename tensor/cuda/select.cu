#include <limits>

#include "tensor/cuda/reduce.cuh"
#include "tensor/kernels.h"
#include "tensor/ordered_key.h"

namespace tapestry {
namespace {

/// An entry of a row by its number's key (ordered_key.h); column -1 is none, and comes after all others.
template <typename Key>
struct Entry {
  Key key;
  std::int32_t col;
  std::int32_t unused;  // no undefined bytes: entries are moved whole
};

/// Whether a comes before b: larger keys first, NaN's being below all others, ties by column.
template <typename Key>
__device__ bool before(const Entry<Key>& a, const Entry<Key>& b) {
  if (a.col < 0 || b.col < 0) return a.col >= 0;
  if (a.key == b.key) return a.col < b.col;
  return a.key > b.key;
}

struct First {
  template <typename Key>
  __device__ Entry<Key> operator()(const Entry<Key>& a, const Entry<Key>& b) const {
    return before(b, a) ? b : a;
  }
};

/// Rank by rank: the best of `entry(col)` that comes after the one chosen before, -1 where there is none. A row is read k times,
/// but from cache. All threads of a block call it for the same row.
template <typename Key, typename EntryAt>
__device__ void choose_by_rank(std::int64_t cols, std::int64_t k, const EntryAt& entry, std::int32_t* index) {
  Entry<Key> last = {Key(0), -1, 0};
  for (std::int64_t rank = 0; rank < k; ++rank) {
    if (rank == 0 || last.col >= 0) {
      Entry<Key> best = {Key(0), -1, 0};
      for (std::int64_t col = threadIdx.x; col < cols; col += blockDim.x) {
        const Entry<Key> candidate = entry(col);
        if ((rank == 0 || before(last, candidate)) && before(candidate, best)) best = candidate;
      }
      last = cuda::block_reduce(best, First());
    }
    if (threadIdx.x == 0) index[rank] = last.col;
  }
}

}  // namespace

// Among the keys of the scores, where 0, which no score has, marks what is masked: NaN keeps a place of its own below every
// number.
template <typename T>
void CudaKernels<T>::rank_rows(const CsrView<T>& masked, const T* x, std::int64_t k, T* workspace, std::int32_t* index) {
  using Key = OrderedKey<T>;
  const std::int64_t cols = masked.cols;
  cuda::for_rows(masked.rows, cols, [=] __device__(std::int64_t row) {
    Key* key = reinterpret_cast<Key*>(workspace) + row * cols;
    for (std::int64_t col = threadIdx.x; col < cols; col += blockDim.x) key[col] = ordered_key(x[row * cols + col]);
    __syncthreads();
    for (std::int64_t at = masked.offsets[row] + threadIdx.x; at < masked.offsets[row + 1]; at += blockDim.x) {
      key[masked.columns[at]] = 0;
    }
    __syncthreads();
    const auto entry = [=](std::int64_t col) {
      return Entry<Key>{key[col], key[col] == 0 ? -1 : static_cast<std::int32_t>(col), 0};
    };
    choose_by_rank<Key>(cols, k, entry, index + row * k);
  });
}

// The key of the last entry that is taken is found digit by digit; then all above it are taken, and of those equal to it the
// first.
template <typename T>
void CudaKernels<T>::top_lengths_rows(std::int64_t rows, std::int64_t cols, const T* x, const std::int64_t* offsets,
                                      std::int32_t* columns) {
  using Key = OrderedKey<T>;
  cuda::for_rows(rows, cols, [=] __device__(std::int64_t row) {
    const T* score = x + row * cols;
    RankedKey<Key> known = {0, offsets[row + 1] - offsets[row]};
    if (known.rank == 0) return;
    for (int shift = 8 * static_cast<int>(sizeof(T)) - kDigitBits; shift >= 0; shift -= kDigitBits) {
      DigitCounts mine = {};
      for (std::int64_t col = threadIdx.x; col < cols; col += blockDim.x) {
        count_digit(ordered_key(score[col]), known.prefix, shift, mine);
      }
      known = with_next_digit(known, shift, cuda::block_reduce(mine, AddDigitCounts()));
    }
    std::int32_t* to = columns + offsets[row];
    auto left = static_cast<std::uint32_t>(known.rank);  // of the equal ones
    for (std::int64_t strip = 0; strip < cols; strip += blockDim.x) {
      const std::int64_t col = strip + threadIdx.x;
      const Key key = col < cols ? ordered_key(score[col]) : Key(0);
      // Both counts in one number: a strip has less than 2^16 entries.
      const cuda::Scanned<std::uint32_t> found =
          cuda::block_scan<std::uint32_t>((key > known.prefix ? 1u << 16 : 0u) | (key == known.prefix ? 1u : 0u));
      const std::uint32_t above = found.before >> 16, equal = found.before & 0xffffu;
      if (key > known.prefix || (key == known.prefix && equal < left)) {
        to[above + (equal < left ? equal : left)] = static_cast<std::int32_t>(col);
      }
      const std::uint32_t taken = (found.total & 0xffffu) < left ? found.total & 0xffffu : left;
      to += (found.total >> 16) + taken;
      left -= taken;
    }
  });
}

template struct CudaKernels<float>;
template struct CudaKernels<double>;

}  // namespace tapestry
