#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>

#include "tensor/cuda/runtime.h"
#include "tensor/error.h"

/// Starting kernels: how work is cut into blocks and threads. The cuts depend on sizes only, never on the device, so that sums
/// come out the same everywhere.
namespace tapestry::cuda {

inline constexpr unsigned kWarp = 32;
inline constexpr unsigned kThreads = 256;
/// The most threads of a block of for_rows.
inline constexpr unsigned kRowThreads = 512;

// Every kernel names its largest block by __launch_bounds__: a body that takes more registers than that many threads can have
// would compile, and then not start.

/// Queues `kernel` on the calling thread's stream; nothing when there are no blocks. Does not wait. Throws Error(kDevice) when
/// there are more blocks than a grid can have.
template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), std::int64_t blocks, unsigned threads, const Arguments&... arguments) {
  if (blocks == 0) return;
  if (blocks > std::numeric_limits<std::int32_t>::max())
    fail(ErrorKind::kDevice, "the GPU cannot start ", blocks, " blocks of threads at once: choose a smaller batch");
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(threads);
  config.stream = context().stream();
  check(cudaLaunchKernelEx(&config, kernel, arguments...), "the start of a kernel");
}

/// Blocks of kThreads for n elements, at most `most`: beyond that each thread takes several.
inline std::int64_t blocks_for(std::int64_t n, std::int64_t most = 1 << 16) {
  return std::min<std::int64_t>((n + kThreads - 1) / kThreads, most);
}

/// The calling thread's number in the grid, and the number of threads.
__device__ inline std::int64_t grid_thread() { return std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ inline std::int64_t grid_threads() { return std::int64_t{gridDim.x} * blockDim.x; }

template <typename Body>
__global__ void __launch_bounds__(kThreads) for_each_kernel(std::int64_t n, Body body) {
  for (std::int64_t i = grid_thread(); i < n; i += grid_threads()) body(i);
}

/// body(i) for i in [0, n), each by one thread.
template <typename Body>
void for_each(std::int64_t n, const Body& body) {
  launch(for_each_kernel<Body>, blocks_for(n), kThreads, n, body);
}

/// Where element i of a matrix with `cols` columns stands. 32-bit division where it will do: it takes a fifth of the time.
struct Place {
  std::int64_t row;
  std::int64_t col;
};
__device__ inline Place place_of(std::int64_t i, std::int64_t cols) {
  if (((i | cols) >> 32) == 0) {
    const auto row = static_cast<std::uint32_t>(i) / static_cast<std::uint32_t>(cols);
    return {row, static_cast<std::uint32_t>(i) - row * static_cast<std::uint32_t>(cols)};
  }
  return {i / cols, i % cols};
}

template <typename Body>
__global__ void __launch_bounds__(kRowThreads) for_rows_kernel(Body body) {
  body(std::int64_t{blockIdx.x});
}

/// body(row) for each row, by all threads of a block: about one thread for four columns.
template <typename Body>
void for_rows(std::int64_t rows, std::int64_t cols, const Body& body) {
  const auto wanted = std::bit_ceil(static_cast<std::uint64_t>((cols + 3) / 4));
  launch(for_rows_kernel<Body>, rows, static_cast<unsigned>(std::clamp<std::uint64_t>(wanted, kWarp, kRowThreads)), body);
}

}  // namespace tapestry::cuda
