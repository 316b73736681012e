#include <array>
#include <cmath>
#include <limits>

#include "tensor/cpu/loops.h"
#include "tensor/cpu/softmax_math.h"
#include "tensor/kernels.h"

namespace tapestry {
namespace {

/// Sum of value(i) over [0, n) in float64, added up in an order that depends on n only.
template <typename Value>
double ordered_sum(std::int64_t n, const Value& value) {
  constexpr std::int64_t kPartials = 256;
  std::array<double, kPartials> partial = {};
  const std::int64_t per_partial = (n + kPartials - 1) / kPartials;
#pragma omp parallel for schedule(static) if (n >= kParallelElements)
  for (std::int64_t p = 0; p < kPartials; ++p) {
    double total = 0;
#pragma omp simd reduction(+ : total)
    for (std::int64_t i = p * per_partial; i < std::min(n, (p + 1) * per_partial); ++i) total += value(i);
    partial[static_cast<std::size_t>(p)] = total;
  }
  double total = 0;
  for (const double value_of_part : partial) total += value_of_part;
  return total;
}

}  // namespace

template <typename T>
void CpuKernels<T>::row_sum(std::int64_t rows, std::int64_t cols, const T* x, bool squared, T* y) {
  for_rows(rows, cols, [=](std::int64_t row) {
    const T* in = x + row * cols;
    T total = 0;
#pragma omp simd reduction(+ : total)
    for (std::int64_t col = 0; col < cols; ++col) total += squared ? in[col] * in[col] : in[col];
    y[row] = total;
  });
}

template <typename T>
void CpuKernels<T>::column_sum(std::int64_t rows, std::int64_t cols, const T* x, T* y) {
  for_column_ranges(cols, rows * cols, [=](std::int64_t begin, std::int64_t end) {
    std::array<T, kColumnRange> total = {};
    for (std::int64_t row = 0; row < rows; ++row) {
      const T* in = x + row * cols + begin;
#pragma omp simd
      for (std::int64_t col = 0; col < end - begin; ++col) total[static_cast<std::size_t>(col)] += in[col];
    }
    std::copy_n(total.begin(), end - begin, y + begin);
  });
}

template <typename T>
void CpuKernels<T>::sum(std::int64_t n, const T* x, T* y) {
  *y = static_cast<T>(ordered_sum(n, [=](std::int64_t i) { return static_cast<double>(x[i]); }));
}

template <typename T>
void CpuKernels<T>::sum_squares(std::int64_t n, const T* x, const T* shift, T* y) {
  const double center = shift == nullptr ? 0.0 : static_cast<double>(*shift);
  *y = static_cast<T>(ordered_sum(n, [=](std::int64_t i) {
    const double gap = static_cast<double>(x[i]) - center;
    return gap * gap;
  }));
}

template <typename T>
void CpuKernels<T>::log_softmax(std::int64_t rows, std::int64_t cols, const T* x, T* y) {
  for_rows(rows, cols, [=](std::int64_t row) {
    const T lse = log_sum_exp(cols, x + row * cols);
#pragma omp simd
    for (std::int64_t col = 0; col < cols; ++col) y[row * cols + col] = x[row * cols + col] - lse;
  });
}

template <typename T>
void CpuKernels<T>::log_softmax_backward(std::int64_t rows, std::int64_t cols, const T* y, const T* dy, T* dx) {
  for_rows(rows, cols, [=](std::int64_t row) {
    const T* out = y + row * cols;
    const T* dout = dy + row * cols;
    T total = 0;
#pragma omp simd reduction(+ : total)
    for (std::int64_t col = 0; col < cols; ++col) total += dout[col];
#pragma omp simd
    for (std::int64_t col = 0; col < cols; ++col) dx[row * cols + col] = dout[col] - scalar::exp(out[col]) * total;
  });
}

template <typename T>
void CpuKernels<T>::score_matching(std::int64_t n, const T* s, const T* z0, T inverse, T* loss, T* moments) {
  const T* a = s + n;
  const T* b = s + 2 * n;
  const double count = static_cast<double>(n);
  const auto residual = [=](std::int64_t i) { return s[i] - z0[i]; };
  const double mean = ordered_sum(n, [=](std::int64_t i) { return static_cast<double>(residual(i)); }) / count;
  const double squares = ordered_sum(n, [=](std::int64_t i) {
    const T r = residual(i);
    const T curvature = inverse * (b[i] - a[i]) - r;
    const T fit = r - a[i];
    return static_cast<double>(curvature * curvature + fit * fit);
  });
  const double spread = ordered_sum(n, [=](std::int64_t i) {
    const double gap = static_cast<double>(residual(i)) - mean;
    return gap * gap;
  });
  const double numerator = 0.5 * squares / count;
  const double denominator = 1e-8 + spread / (count - 1);
  moments[0] = static_cast<T>(mean);
  moments[1] = static_cast<T>(numerator);
  moments[2] = static_cast<T>(denominator);
  *loss = static_cast<T>(numerator / denominator);
}

template <typename T>
void CpuKernels<T>::score_matching_backward(std::int64_t n, const T* s, const T* z0, T inverse, const T* moments, const T* scale,
                                            T* ds) {
  const T* a = s + n;
  const T* b = s + 2 * n;
  const T mean = moments[0];
  // loss = N / D: dN = (curvature dcurvature + fit dfit) / n, dD = 2 (r - mean) dr / (n - 1).
  const T by_term = *scale / (static_cast<T>(n) * moments[2]);
  const T by_spread = *scale * moments[1] / (moments[2] * moments[2]) * T(2) / static_cast<T>(n - 1);
  for_chunks(n, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) {
      const T r = s[i] - z0[i];
      const T curvature = by_term * (inverse * (b[i] - a[i]) - r);
      const T fit = by_term * (r - a[i]);
      ds[i] = fit - curvature - by_spread * (r - mean);
      ds[i + n] = -inverse * curvature - fit;
      ds[i + 2 * n] = inverse * curvature;
    }
  });
}

template <typename T>
void CpuKernels<T>::gaussian_nll(std::int64_t rows, std::int64_t cols, const T* output, const T* y, T limit, T* loss) {
  for_rows(rows, cols, [=](std::int64_t row) {
    const T* mean = output + 2 * row * cols;
    const T* variance = mean + cols;
    const T* target = y + row * cols;
    T total = 0;
#pragma omp simd reduction(+ : total)
    for (std::int64_t col = 0; col < cols; ++col) {
      const T v = variance[col] < -limit ? -limit : variance[col] > limit ? limit : variance[col];
      const T gap = target[col] - mean[col];
      total += v + scalar::exp(-v) * gap * gap;
    }
    loss[row] = total / 2;
  });
}

template <typename T>
void CpuKernels<T>::gaussian_nll_backward(std::int64_t rows, std::int64_t cols, const T* output, const T* y, T limit,
                                          const T* scale, T* doutput) {
  const T factor = *scale;
  for_rows(rows, cols, [=](std::int64_t row) {
    const T* mean = output + 2 * row * cols;
    const T* variance = mean + cols;
    const T* target = y + row * cols;
    T* dmean = doutput + 2 * row * cols;
    T* dvariance = dmean + cols;
#pragma omp simd
    for (std::int64_t col = 0; col < cols; ++col) {
      const T v = variance[col] < -limit ? -limit : variance[col] > limit ? limit : variance[col];
      const T gap = target[col] - mean[col];
      const T pull = scalar::exp(-v) * gap;  // e^-v (y - m)
      const T inside = variance[col] < -limit || variance[col] > limit ? T(0) : factor / 2;
      dmean[col] = -factor * pull;
      dvariance[col] = inside * (1 - pull * gap);
    }
  });
}

template struct CpuKernels<float>;
template struct CpuKernels<double>;

}  // namespace tapestry
