#include "tensor/cuda/reduce.cuh"
#include "tensor/cuda/softmax_math.cuh"
#include "tensor/kernels.h"
#include "tensor/philox.h"

// Our own kernels rather than cuSPARSE: cusparseSpMM with a transpose may give slightly other results from run to run (so its
// documentation), and runs shall repeat bit for bit. bench/library_kernels.cu times both on these shapes, a few hundred rows of 5
// to 500 entries.
namespace tapestry {
namespace {

using cuda::for_each;
using cuda::for_rows;
using cuda::kThreads;
using cuda::place_of;
using cuda::value_at;

constexpr unsigned kMatmulThreads = 128;

/// One row of y by kMatmulThreads of its columns per block.
template <typename T>
__global__ void __launch_bounds__(kMatmulThreads)
    csr_matmul_kernel(CsrView<T> x, std::int64_t n, std::int64_t tiles, const T* w, T* y) {
  const std::int64_t row = blockIdx.x / tiles;
  const std::int64_t col = blockIdx.x % tiles * kMatmulThreads + threadIdx.x;
  if (col >= n) return;
  T total = 0;
#pragma unroll 4
  for (std::int64_t at = x.offsets[row]; at < x.offsets[row + 1]; ++at) {
    const T value = value_at(x, at);
    if (value != T(0)) total += value * w[x.columns[at] * n + col];  // half the entries of a batch behind dropout are 0
  }
  y[row * n + col] = total;
}

/// Where `column` is stored in a row, or -1. The columns of a row ascend.
template <typename T>
__device__ std::int64_t find_entry(const CsrView<T>& x, std::int64_t row, std::int64_t column) {
  std::int64_t begin = x.offsets[row];
  std::int64_t end = x.offsets[row + 1];
  while (begin < end) {
    const std::int64_t middle = (begin + end) / 2;
    if (x.columns[middle] < column) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin < x.offsets[row + 1] && x.columns[begin] == column ? begin : -1;
}

/// Columns of y that one thread adds up, and a block of kThreads.
constexpr int kPerThread = 4;
constexpr std::int64_t kTile = std::int64_t{kThreads} * kPerThread;

/// A thread's kPerThread sums of a row: those of columns first + threadIdx.x + i kThreads.
template <typename T>
struct Sums {
  T of[kPerThread];

  __device__ void start(const T* from, std::int64_t first, std::int64_t n) {
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      const std::int64_t col = first + threadIdx.x + i * std::int64_t{kThreads};
      of[i] = from != nullptr && col < n ? from[col] : T(0);
    }
  }
  __device__ void add(T factor, const T* row, std::int64_t first, std::int64_t n) {
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      const std::int64_t col = first + threadIdx.x + i * std::int64_t{kThreads};
      if (col < n) of[i] += factor * row[col];
    }
  }
  __device__ void store(T* to, std::int64_t first, std::int64_t n) const {
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      const std::int64_t col = first + threadIdx.x + i * std::int64_t{kThreads};
      if (col < n) to[col] = of[i];
    }
  }
};

/// Row `item` of y = x^T dy, or of y += x^T dy. The block looks the item up in kThreads rows of x at a time, then adds those
/// found in row order: no transpose is made, nothing is sorted, and no two blocks write one number. Few rows hold an item, so
/// those found are first listed: several of their loads are then on their way at once.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    csr_transpose_matmul_kernel(CsrView<T> x, std::int64_t n, std::int64_t tiles, const T* dy, bool accumulate, T* y) {
  __shared__ unsigned found[kThreads];
  __shared__ T values[kThreads];
  const std::int64_t item = blockIdx.x / tiles;
  const std::int64_t first = blockIdx.x % tiles * kTile;
  Sums<T> sums;
  sums.start(accumulate ? y + item * n : nullptr, first, n);
  for (std::int64_t begin = 0; begin < x.rows; begin += kThreads) {
    const std::int64_t mine = begin + threadIdx.x;
    const std::int64_t at = mine < x.rows ? find_entry(x, mine, item) : -1;
    const T value = at < 0 ? T(0) : value_at(x, at);
    const cuda::Scanned<unsigned> hits = cuda::block_scan(value != T(0) ? 1u : 0u);  // behind it the last list has been read
    if (value != T(0)) {
      found[hits.before] = threadIdx.x;
      values[hits.before] = value;
    }
    __syncthreads();
#pragma unroll 4
    for (unsigned i = 0; i < hits.total; ++i) sums.add(values[i], dy + (begin + found[i]) * n, first, n);
  }
  sums.store(y + item * n, first, n);
}

/// The block of the first index that names a row of y adds all x rows of that row, in their order; the others have nothing to do.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    scatter_add_kernel(std::int64_t n, std::int64_t cols, std::int64_t tiles, const T* x, const std::int32_t* index, T* y) {
  __shared__ unsigned found[kThreads];
  const std::int64_t mine = blockIdx.x / tiles;
  const std::int64_t first = blockIdx.x % tiles * kTile;
  const std::int32_t row = index[mine];
  for (std::int64_t begin = 0; begin < mine; begin += kThreads) {
    const std::int64_t i = begin + threadIdx.x;
    if (cuda::block_reduce(i < mine && index[i] == row ? 1 : 0, cuda::Largest()) != 0) return;
  }
  T* to = y + row * cols;
  Sums<T> sums;
  sums.start(to, first, cols);
  for (std::int64_t begin = mine; begin < n; begin += kThreads) {
    const bool same = begin + threadIdx.x < n && index[begin + threadIdx.x] == row;
    const cuda::Scanned<unsigned> hits = cuda::block_scan(same ? 1u : 0u);  // behind it the last list has been read
    if (same) found[hits.before] = threadIdx.x;
    __syncthreads();
#pragma unroll 4
    for (unsigned i = 0; i < hits.total; ++i) sums.add(T(1), x + (begin + found[i]) * cols, first, cols);
  }
  sums.store(to, first, cols);
}

}  // namespace

template <typename T>
void CudaKernels<T>::csr_matmul(const CsrView<T>& x, std::int64_t n, const T* w, T* y) {
  const std::int64_t tiles = (n + kMatmulThreads - 1) / kMatmulThreads;
  cuda::launch(csr_matmul_kernel<T>, x.rows * tiles, kMatmulThreads, x, n, tiles, w, y);
}

template <typename T>
void CudaKernels<T>::csr_transpose_matmul(const CsrView<T>& x, std::int64_t n, const T* dy, T* y) {
  const std::int64_t tiles = (n + kTile - 1) / kTile;
  cuda::launch(csr_transpose_matmul_kernel<T>, x.cols * tiles, kThreads, x, n, tiles, dy, false, y);
}

template <typename T>
void CudaKernels<T>::csr_transpose_matmul_add(const CsrView<T>& x, std::int64_t n, const T* dy, T* y) {
  const std::int64_t tiles = (n + kTile - 1) / kTile;
  cuda::launch(csr_transpose_matmul_kernel<T>, x.cols * tiles, kThreads, x, n, tiles, dy, true, y);
}

template <typename T>
void CudaKernels<T>::csr_normalize_rows(const CsrView<T>& x, T epsilon, T* out) {
  for_rows(x.rows, 1, [=] __device__(std::int64_t row) {
    const T squares = cuda::sum_entries(x, row, [&](std::int64_t at) { return value_at(x, at) * value_at(x, at); });
    const T root = std::sqrt(squares);
    const T norm = root < epsilon ? epsilon : root;
    for (std::int64_t at = x.offsets[row] + threadIdx.x; at < x.offsets[row + 1]; at += blockDim.x) {
      out[at] = value_at(x, at) / norm;
    }
  });
}

template <typename T>
void CudaKernels<T>::csr_dropout(const CsrView<T>& x, T p, const RandomStream& stream, const std::int32_t* row_ids, T* out) {
  const T scale = T(1) / (T(1) - p);
  for_rows(x.rows, 1, [=] __device__(std::int64_t row) {
    const auto id = static_cast<std::uint32_t>(row_ids == nullptr ? row : row_ids[row]);
    for (std::int64_t at = x.offsets[row] + threadIdx.x; at < x.offsets[row + 1]; at += blockDim.x) {
      const std::uint32_t word = philox::word_at(stream, id, static_cast<std::uint32_t>(x.columns[at]));
      out[at] = philox::keeps(word, static_cast<float>(p)) ? value_at(x, at) * scale : T(0);
    }
  });
}

template <typename T>
void CudaKernels<T>::csr_dense(const CsrView<T>& x, T* y) {
  for_rows(x.rows, x.cols, [=] __device__(std::int64_t row) {
    T* out = y + row * x.cols;
    for (std::int64_t col = threadIdx.x; col < x.cols; col += blockDim.x) out[col] = T(0);
    __syncthreads();  // an entry is another thread's zero
    for (std::int64_t at = x.offsets[row] + threadIdx.x; at < x.offsets[row + 1]; at += blockDim.x) {
      out[x.columns[at]] = value_at(x, at);
    }
  });
}

template <typename T>
void CudaKernels<T>::gather_rows(std::int64_t n, std::int64_t cols, const T* table, const std::int32_t* index, T* y) {
  for_each(n * cols, [=] __device__(std::int64_t i) {
    const auto [row, col] = place_of(i, cols);
    y[i] = table[index[row] * cols + col];
  });
}

template <typename T>
void CudaKernels<T>::scatter_add_rows(std::int64_t n, std::int64_t cols, const T* x, const std::int32_t* index, T* y) {
  const std::int64_t tiles = (cols + kTile - 1) / kTile;
  cuda::launch(scatter_add_kernel<T>, n * tiles, kThreads, n, cols, tiles, x, index, y);
}

template struct CudaKernels<float>;
template struct CudaKernels<double>;

}  // namespace tapestry
