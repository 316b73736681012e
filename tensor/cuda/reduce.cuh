#pragma once

#include <cstring>

#include "tensor/cuda/launch.cuh"

/// Sums, maxima and the like, always merged in the same order: the same call gives the same bits.
namespace tapestry::cuda {

struct Add {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};

struct Largest {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return b > a ? b : a;
  }
};

/// The value that the lane whose number differs in the bits of `lanes` holds. Any plain type, moved as 32-bit words.
template <typename State>
__device__ State shuffle_xor(const State& mine, int lanes) {
  constexpr int kWords = sizeof(State) / 4;
  static_assert(sizeof(State) % 4 == 0);
  unsigned words[kWords];
  std::memcpy(words, &mine, sizeof(State));
  for (int word = 0; word < kWords; ++word) words[word] = __shfl_xor_sync(0xffffffffu, words[word], lanes);
  State theirs;
  std::memcpy(&theirs, words, sizeof(State));
  return theirs;
}

/// merge over all threads' values, handed to every thread. All threads of the block call it; it is also a barrier.
template <typename State, typename Merge>
__device__ State block_reduce(State mine, const Merge& merge) {
  __shared__ State of_warp[32];
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) mine = merge(mine, shuffle_xor(mine, lanes));
  if (threadIdx.x % kWarp == 0) of_warp[threadIdx.x / kWarp] = mine;
  __syncthreads();
  State total = of_warp[0];
  for (unsigned warp = 1; warp < blockDim.x / kWarp; ++warp) total = merge(total, of_warp[warp]);
  __syncthreads();  // before the next reduction writes there
  return total;
}

template <typename T>
struct Scanned {
  T before;  ///< the sum over the threads of lower number
  T total;   ///< the sum over all threads
};

/// Running sums over the values of a block's threads. All threads of the block call it; it is also a barrier.
template <typename T>
__device__ Scanned<T> block_scan(T mine) {
  __shared__ T of_warp[32];
  Scanned<T> sums = {T(0), mine};  // within ever larger groups of lanes, up to the warp
  for (unsigned lanes = 1; lanes < kWarp; lanes *= 2) {
    const T theirs = shuffle_xor(sums.total, static_cast<int>(lanes));
    if ((threadIdx.x & lanes) != 0) sums.before += theirs;
    sums.total += theirs;
  }
  if (threadIdx.x % kWarp == 0) of_warp[threadIdx.x / kWarp] = sums.total;
  __syncthreads();
  sums.total = T(0);
  for (unsigned warp = 0; warp < blockDim.x / kWarp; ++warp) {
    if (warp < threadIdx.x / kWarp) sums.before += of_warp[warp];
    sums.total += of_warp[warp];
  }
  __syncthreads();  // before the next scan writes there
  return sums;
}

/// At most this many blocks leave a partial result each.
inline constexpr std::int64_t kPartials = 256;

template <typename State, typename Take, typename Merge>
__global__ void __launch_bounds__(kThreads) reduce_kernel(std::int64_t n, State empty, Take take, Merge merge, State* partial) {
  State mine = empty;
  for (std::int64_t i = grid_thread(); i < n; i += grid_threads()) mine = merge(mine, take(i));
  mine = block_reduce(mine, merge);
  if (threadIdx.x == 0) partial[blockIdx.x] = mine;
}

template <typename State, typename Merge, typename Finish>
__global__ void __launch_bounds__(kThreads)
    finish_kernel(int partials, State empty, const State* partial, Merge merge, Finish finish) {
  State mine = empty;
  for (int p = static_cast<int>(threadIdx.x); p < partials; p += static_cast<int>(blockDim.x)) mine = merge(mine, partial[p]);
  mine = block_reduce(mine, merge);
  if (threadIdx.x == 0) finish(mine);
}

/// finish(merge over take(i) for i in [0, n)), called by one thread; merge with `empty` changes nothing. Two kernels: several
/// blocks over the elements, one over what they left.
template <typename State, typename Take, typename Merge, typename Finish>
void reduce(std::int64_t n, const State& empty, const Take& take, const Merge& merge, const Finish& finish) {
  static_assert(kPartials * sizeof(State) <= Context::kScratchBytes);
  auto* partial = static_cast<State*>(context().scratch());
  const std::int64_t blocks = std::max<std::int64_t>(1, blocks_for((n + 3) / 4, kPartials));
  launch(reduce_kernel<State, Take, Merge>, blocks, kThreads, n, empty, take, merge, partial);
  launch(finish_kernel<State, Merge, Finish>, 1, kThreads, static_cast<int>(blocks), empty, partial, merge, finish);
}

}  // namespace tapestry::cuda
