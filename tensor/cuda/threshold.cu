#include <limits>

#include "tensor/cuda/reduce.cuh"
#include "tensor/kernels.h"
#include "tensor/ordered_key.h"

// Selection from a list by value: what is found is counted chunk by chunk, the counts are summed up, and each chunk then knows
// where its finds go. Integers only, so that no order of blocks can show.
namespace tapestry {
namespace {

constexpr int kPerThread = kSelectChunk / cuda::kThreads;  // neighbouring entries, so that finds keep their order
static_assert(kPerThread * cuda::kThreads == kSelectChunk);

/// The first entry of a thread in a grid with one block per chunk.
__device__ std::int64_t first_entry() { return cuda::grid_thread() * kPerThread; }

template <typename T>
__global__ void __launch_bounds__(cuda::kThreads)
    count_kernel(std::int64_t n, const T* x, T sign, T bound, std::int64_t* starts) {
  int mine = 0;
  for (std::int64_t i = first_entry(); i < first_entry() + kPerThread && i < n; ++i) mine += sign * x[i] >= bound ? 1 : 0;
  const int total = cuda::block_reduce(mine, cuda::Add());
  if (threadIdx.x == 0) starts[blockIdx.x] = total;
}

/// Turns counts [chunks] into their running sums [chunks + 1], by one block.
__global__ void __launch_bounds__(cuda::kThreads) sum_up_kernel(std::int64_t chunks, std::int64_t* starts) {
  std::int64_t before = 0;
  for (std::int64_t begin = 0; begin < chunks; begin += cuda::kThreads) {
    const std::int64_t chunk = begin + threadIdx.x;
    const cuda::Scanned<std::int64_t> counts = cuda::block_scan(chunk < chunks ? starts[chunk] : std::int64_t{0});
    if (chunk < chunks) starts[chunk] = before + counts.before;
    before += counts.total;
  }
  if (threadIdx.x == 0) starts[chunks] = before;
}

template <typename T>
__global__ void __launch_bounds__(cuda::kThreads)
    take_kernel(std::int64_t n, const T* x, T sign, T bound, const std::int64_t* starts, const std::int64_t* from,
                std::int64_t first, T* values, std::int64_t* places) {
  if (starts[blockIdx.x] == starts[blockIdx.x + 1]) return;  // nothing in this chunk, which is usual
  const std::int64_t begin = first_entry();
  int mine = 0;
  for (std::int64_t i = begin; i < begin + kPerThread && i < n; ++i) mine += sign * x[i] >= bound ? 1 : 0;
  std::int64_t to = starts[blockIdx.x] + cuda::block_scan(mine).before;
  for (std::int64_t i = begin; to < starts[blockIdx.x + 1] && i < begin + kPerThread && i < n; ++i) {
    const T value = sign * x[i];
    if (!(value >= bound)) continue;
    if (values != nullptr) values[to] = value;
    places[to++] = from == nullptr ? first + i : from[i];
  }
}

/// What kth_largest knows so far.
template <typename Key>
__device__ RankedKey<Key> known_key(const std::int64_t* workspace) {
  return {static_cast<Key>(workspace[0]), workspace[1]};
}

/// Of numbers, or of a NaN for b, which then is not taken.
struct Smallest {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return b < a ? b : a;
  }
};

}  // namespace

template <typename T>
void CudaKernels<T>::smallest(std::int64_t n, const T* x, T* y) {
  const auto take = [=] __device__(std::int64_t i) { return x[i]; };
  cuda::reduce(n, std::numeric_limits<T>::infinity(), take, Smallest(), [=] __device__(T least) { *y = least; });
}

template <typename T>
void CudaKernels<T>::first_not_finite(std::int64_t n, const T* x, std::int64_t* at) {
  const auto take = [=] __device__(std::int64_t i) -> std::int64_t {
    return std::abs(x[i]) <= std::numeric_limits<T>::max() ? n : i;
  };
  cuda::reduce(n, n, take, Smallest(), [=] __device__(std::int64_t first) { *at = first; });
}

template <typename T>
void CudaKernels<T>::count_at_least(std::int64_t n, const T* x, T sign, T bound, std::int64_t* starts) {
  cuda::launch(count_kernel<T>, select_chunks(n), cuda::kThreads, n, x, sign, bound, starts);
  cuda::launch(sum_up_kernel, 1, cuda::kThreads, select_chunks(n), starts);
}

template <typename T>
void CudaKernels<T>::take_at_least(std::int64_t n, const T* x, T sign, T bound, const std::int64_t* starts,
                                   const std::int64_t* from, std::int64_t first, T* values, std::int64_t* places) {
  cuda::launch(take_kernel<T>, select_chunks(n), cuda::kThreads, n, x, sign, bound, starts, from, first, values, places);
}

// A pass per digit, each of which leaves what it found in the workspace for the next: nothing comes to the host in between.
template <typename T>
void CudaKernels<T>::kth_largest(std::int64_t n, const T* x, std::int64_t k, T* y, std::int64_t* workspace) {
  using Key = OrderedKey<T>;
  cuda::for_each(1, [=] __device__(std::int64_t) {
    workspace[0] = 0;
    workspace[1] = k;
  });
  for (int shift = 8 * static_cast<int>(sizeof(T)) - kDigitBits; shift >= 0; shift -= kDigitBits) {
    const auto take = [=] __device__(std::int64_t i) {
      DigitCounts counts = {};
      count_digit(ordered_key(x[i]), known_key<Key>(workspace).prefix, shift, counts);
      return counts;
    };
    const auto finish = [=] __device__(const DigitCounts& counts) {
      const RankedKey<Key> next = with_next_digit(known_key<Key>(workspace), shift, counts);
      workspace[0] = static_cast<std::int64_t>(next.prefix);
      workspace[1] = next.rank;
    };
    cuda::reduce(n, DigitCounts{}, take, AddDigitCounts(), finish);
  }
  cuda::for_each(1, [=] __device__(std::int64_t) { *y = from_ordered_key<T>(known_key<Key>(workspace).prefix); });
}

template <typename T>
void CudaKernels<T>::places_to_csr(std::int64_t rows, std::int64_t cols, std::int64_t n, const std::int64_t* places,
                                   std::int64_t* offsets, std::int32_t* columns) {
  cuda::for_each(n, [=] __device__(std::int64_t i) { columns[i] = static_cast<std::int32_t>(places[i] % cols); });
  cuda::for_each(rows + 1, [=] __device__(std::int64_t row) {  // how many places lie before the row
    std::int64_t begin = 0;
    std::int64_t end = n;
    while (begin < end) {
      const std::int64_t middle = (begin + end) / 2;
      if (places[middle] < row * cols) {
        begin = middle + 1;
      } else {
        end = middle;
      }
    }
    offsets[row] = begin;
  });
}

template struct CudaKernels<float>;
template struct CudaKernels<double>;

}  // namespace tapestry
