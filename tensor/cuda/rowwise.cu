#include "tensor/cuda/reduce.cuh"
#include "tensor/cuda/softmax_math.cuh"
#include "tensor/kernels.h"

namespace tapestry {
namespace {

using cuda::block_reduce;
using cuda::for_each;
using cuda::for_rows;

/// A block's threads as lanes x columns: neighbours read neighbouring columns, and each lane adds up every kLanes-th row.
constexpr unsigned kColumns = 32;
constexpr unsigned kLanes = 16;
constexpr unsigned kSumThreads = kColumns * kLanes;

template <typename T>
__global__ void __launch_bounds__(kSumThreads) column_sum_kernel(std::int64_t rows, std::int64_t cols, const T* x, T* y) {
  __shared__ T of_lane[kLanes][kColumns];
  const unsigned lane = threadIdx.x / kColumns;
  const unsigned within = threadIdx.x % kColumns;
  const std::int64_t col = std::int64_t{blockIdx.x} * kColumns + within;
  T total = 0;
  if (col < cols) {
    for (std::int64_t row = lane; row < rows; row += kLanes) total += x[row * cols + col];
  }
  of_lane[lane][within] = total;
  __syncthreads();
  if (lane > 0 || col >= cols) return;
  for (unsigned other = 1; other < kLanes; ++other) total += of_lane[other][within];
  y[col] = total;
}

/// What score_matching sums over the elements.
struct ScoreSums {
  double gap;          ///< r - pivot
  double gap_squares;  ///< (r - pivot)^2
  double terms;        ///< curvature^2 + fit^2
};

struct AddSums {
  __device__ ScoreSums operator()(const ScoreSums& a, const ScoreSums& b) const {
    return {a.gap + b.gap, a.gap_squares + b.gap_squares, a.terms + b.terms};
  }
};

}  // namespace

template <typename T>
void CudaKernels<T>::row_sum(std::int64_t rows, std::int64_t cols, const T* x, bool squared, T* y) {
  for_rows(rows, cols, [=] __device__(std::int64_t row) {
    const T* in = x + row * cols;
    T total = 0;
    for (std::int64_t col = threadIdx.x; col < cols; col += blockDim.x) total += squared ? in[col] * in[col] : in[col];
    total = block_reduce(total, cuda::Add());
    if (threadIdx.x == 0) y[row] = total;
  });
}

template <typename T>
void CudaKernels<T>::column_sum(std::int64_t rows, std::int64_t cols, const T* x, T* y) {
  cuda::launch(column_sum_kernel<T>, (cols + kColumns - 1) / kColumns, kSumThreads, rows, cols, x, y);
}

template <typename T>
void CudaKernels<T>::sum(std::int64_t n, const T* x, T* y) {
  const auto take = [=] __device__(std::int64_t i) { return static_cast<double>(x[i]); };
  cuda::reduce(n, 0.0, take, cuda::Add(), [=] __device__(double total) { *y = static_cast<T>(total); });
}

template <typename T>
void CudaKernels<T>::sum_squares(std::int64_t n, const T* x, const T* shift, T* y) {
  const auto take = [=] __device__(std::int64_t i) {
    const double gap = static_cast<double>(x[i]) - (shift == nullptr ? 0.0 : static_cast<double>(*shift));
    return gap * gap;
  };
  cuda::reduce(n, 0.0, take, cuda::Add(), [=] __device__(double total) { *y = static_cast<T>(total); });
}

template <typename T>
void CudaKernels<T>::log_softmax(std::int64_t rows, std::int64_t cols, const T* x, T* y) {
  for_rows(rows, cols, [=] __device__(std::int64_t row) {
    const T* in = x + row * cols;
    const T lse = cuda::log_sum_exp<T>(cols, [=](std::int64_t col) { return in[col]; });
    for (std::int64_t col = threadIdx.x; col < cols; col += blockDim.x) y[row * cols + col] = in[col] - lse;
  });
}

template <typename T>
void CudaKernels<T>::log_softmax_backward(std::int64_t rows, std::int64_t cols, const T* y, const T* dy, T* dx) {
  for_rows(rows, cols, [=] __device__(std::int64_t row) {
    const T* out = y + row * cols;
    const T* dout = dy + row * cols;
    T total = 0;
    for (std::int64_t col = threadIdx.x; col < cols; col += blockDim.x) total += dout[col];
    total = block_reduce(total, cuda::Add());
    for (std::int64_t col = threadIdx.x; col < cols; col += blockDim.x) {
      dx[row * cols + col] = dout[col] - scalar::exp(out[col]) * total;
    }
  });
}

template <typename T>
void CudaKernels<T>::score_matching(std::int64_t n, const T* s, const T* z0, T inverse, T* loss, T* moments) {
  const T* a = s + n;
  const T* b = s + 2 * n;
  // Mean and variance in one pass: the squares of gaps to any one residual, here the first, do not cancel as those to 0 would.
  const auto take = [=] __device__(std::int64_t i) {
    const T r = s[i] - z0[i];
    const T curvature = inverse * (b[i] - a[i]) - r;
    const T fit = r - a[i];
    const double gap = static_cast<double>(r) - static_cast<double>(s[0] - z0[0]);
    return ScoreSums{gap, gap * gap, static_cast<double>(curvature * curvature + fit * fit)};
  };
  const auto finish = [=] __device__(const ScoreSums& sums) {
    const auto count = static_cast<double>(n);
    const double gap = sums.gap / count;
    const double numerator = 0.5 * sums.terms / count;
    const double denominator = 1e-8 + (sums.gap_squares - sums.gap * gap) / (count - 1);
    moments[0] = static_cast<T>(static_cast<double>(s[0] - z0[0]) + gap);
    moments[1] = static_cast<T>(numerator);
    moments[2] = static_cast<T>(denominator);
    *loss = static_cast<T>(numerator / denominator);
  };
  cuda::reduce(n, ScoreSums{0, 0, 0}, take, AddSums(), finish);
}

template <typename T>
void CudaKernels<T>::score_matching_backward(std::int64_t n, const T* s, const T* z0, T inverse, const T* moments, const T* scale,
                                             T* ds) {
  const T* a = s + n;
  const T* b = s + 2 * n;
  for_each(n, [=] __device__(std::int64_t i) {
    // loss = N / D: dN = (curvature dcurvature + fit dfit) / n, dD = 2 (r - mean) dr / (n - 1).
    const T by_term = *scale / (static_cast<T>(n) * moments[2]);
    const T by_spread = *scale * moments[1] / (moments[2] * moments[2]) * T(2) / static_cast<T>(n - 1);
    const T r = s[i] - z0[i];
    const T curvature = by_term * (inverse * (b[i] - a[i]) - r);
    const T fit = by_term * (r - a[i]);
    ds[i] = fit - curvature - by_spread * (r - moments[0]);
    ds[i + n] = -inverse * curvature - fit;
    ds[i + 2 * n] = inverse * curvature;
  });
}

template <typename T>
void CudaKernels<T>::gaussian_nll(std::int64_t rows, std::int64_t cols, const T* output, const T* y, T limit, T* loss) {
  for_rows(rows, cols, [=] __device__(std::int64_t row) {
    const T* mean = output + 2 * row * cols;
    const T* variance = mean + cols;
    const T* target = y + row * cols;
    T total = 0;
    for (std::int64_t col = threadIdx.x; col < cols; col += blockDim.x) {
      const T v = variance[col] < -limit ? -limit : variance[col] > limit ? limit : variance[col];
      const T gap = target[col] - mean[col];
      total += v + scalar::exp(-v) * gap * gap;
    }
    total = block_reduce(total, cuda::Add());
    if (threadIdx.x == 0) loss[row] = total / 2;
  });
}

template <typename T>
void CudaKernels<T>::gaussian_nll_backward(std::int64_t rows, std::int64_t cols, const T* output, const T* y, T limit,
                                           const T* scale, T* doutput) {
  for_each(rows * cols, [=] __device__(std::int64_t i) {
    const auto [row, col] = cuda::place_of(i, cols);
    const std::int64_t mean = 2 * row * cols + col;
    const std::int64_t variance = mean + cols;
    const T factor = *scale;
    const T given = output[variance];
    const T v = given < -limit ? -limit : given > limit ? limit : given;
    const T gap = y[i] - output[mean];
    const T pull = scalar::exp(-v) * gap;  // e^-v (y - m)
    const T inside = given < -limit || given > limit ? T(0) : factor / 2;
    doutput[mean] = -factor * pull;
    doutput[variance] = inside * (1 - pull * gap);
  });
}

template struct CudaKernels<float>;
template struct CudaKernels<double>;

}  // namespace tapestry
