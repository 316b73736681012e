#include <array>
#include <cmath>
#include <limits>

#include "tensor/cpu/loops.h"
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

template <typename T>
T row_max(std::int64_t cols, const T* x) {
  T largest = x[0];
#pragma omp simd reduction(max : largest)
  for (std::int64_t col = 0; col < cols; ++col) largest = x[col] > largest ? x[col] : largest;
  return largest;
}

/// log sum exp x. A row of NaN, or of an infinity, gives NaN or infinity as the definition does.
template <typename T>
T log_sum_exp(std::int64_t cols, const T* x) {
  const T largest = row_max(cols, x);
  if (!(std::abs(largest) < std::numeric_limits<T>::infinity())) return largest;
  // Piece by piece: one float32 sum over tens of thousands of items would lose three digits.
  constexpr std::int64_t kPiece = 512;
  double total = 0;
  for (std::int64_t begin = 0; begin < cols; begin += kPiece) {
    T piece = 0;
#pragma omp simd reduction(+ : piece)
    for (std::int64_t col = begin; col < std::min(cols, begin + kPiece); ++col) piece += scalar::exp(x[col] - largest);
    total += static_cast<double>(piece);
  }
  return largest + scalar::log(static_cast<T>(total));
}

/// Sum of a target row's values: its entry count when all are one.
template <typename T>
T row_weight(const CsrView<T>& x, std::int64_t row) {
  if (x.values == nullptr) return static_cast<T>(x.offsets[row + 1] - x.offsets[row]);
  T total = 0;
  for (std::int64_t at = x.offsets[row]; at < x.offsets[row + 1]; ++at) total += x.values[at];
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
    std::array<T, 64> total = {};
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
void CpuKernels<T>::multinomial_nll(const T* logits, const CsrView<T>& target, T* lse, T* loss) {
  for_rows(target.rows, target.cols, [=](std::int64_t row) {
    const T* in = logits + row * target.cols;
    lse[row] = log_sum_exp(target.cols, in);
    T hit = 0;
    for (std::int64_t at = target.offsets[row]; at < target.offsets[row + 1]; ++at) {
      hit += (target.values == nullptr ? T(1) : target.values[at]) * in[target.columns[at]];
    }
    const bool empty = target.offsets[row] == target.offsets[row + 1];
    loss[row] = empty ? T(0) : row_weight(target, row) * lse[row] - hit;
  });
}

template <typename T>
void CpuKernels<T>::multinomial_nll_backward(const T* logits, const CsrView<T>& target, const T* lse, const T* scale,
                                             T* dlogits) {
  const T s = *scale;
  for_rows(target.rows, target.cols, [=](std::int64_t row) {
    const T* in = logits + row * target.cols;
    T* out = dlogits + row * target.cols;
    const T weight = s * row_weight(target, row);
    const T shift = lse[row];
#pragma omp simd
    for (std::int64_t col = 0; col < target.cols; ++col) out[col] = weight * scalar::exp(in[col] - shift);
    for (std::int64_t at = target.offsets[row]; at < target.offsets[row + 1]; ++at) {
      out[target.columns[at]] -= s * (target.values == nullptr ? T(1) : target.values[at]);
    }
  });
}

template struct CpuKernels<float>;
template struct CpuKernels<double>;

}  // namespace tapestry
