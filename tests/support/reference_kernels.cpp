#include "tests/support/reference_kernels.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "tensor/philox.h"

namespace tapestry::tests {
namespace {

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

double value_of(UnaryOp op, double x, double parameter) {
  switch (op) {
    case UnaryOp::kExp:
      return std::exp(x);
    case UnaryOp::kLog:
      return std::log(x);
    case UnaryOp::kTanh:
      return std::tanh(x);
    case UnaryOp::kSigmoid:
      return sigmoid(x);
    case UnaryOp::kSoftplus:
      return softplus(x);
    case UnaryOp::kRelu:
      return std::max(x, 0.0);
    case UnaryOp::kLeakyRelu:
      return x > 0 ? x : parameter * x;
    case UnaryOp::kSquare:
      return x * x;
    case UnaryOp::kSqrt:
      return std::sqrt(x);
    case UnaryOp::kNegate:
      return -x;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

/// From y for exp, tanh, sigmoid, ReLU and sqrt, from x for the others.
double derivative_of(UnaryOp op, double saved, double parameter) {
  switch (op) {
    case UnaryOp::kExp:
      return saved;
    case UnaryOp::kLog:
      return 1 / saved;
    case UnaryOp::kTanh:
      return 1 - saved * saved;
    case UnaryOp::kSigmoid:
      return saved * (1 - saved);
    case UnaryOp::kSoftplus:
      return sigmoid(saved);
    case UnaryOp::kRelu:
      return saved > 0 ? 1 : 0;
    case UnaryOp::kLeakyRelu:
      return saved > 0 ? 1 : parameter;
    case UnaryOp::kSquare:
      return 2 * saved;
    case UnaryOp::kSqrt:
      return 1 / (2 * saved);
    case UnaryOp::kNegate:
      return -1;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

double binary_of(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd:
      return a + b;
    case BinaryOp::kSubtract:
      return a - b;
    case BinaryOp::kMultiply:
      return a * b;
    case BinaryOp::kDivide:
      return a / b;
    case BinaryOp::kMinimum:
      return b < a ? b : a;
    case BinaryOp::kMaximum:
      return a < b ? b : a;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

/// The stream's row behind a row of the batch.
std::uint32_t stream_row(const std::int32_t* row_ids, std::int64_t row) {
  return static_cast<std::uint32_t>(row_ids == nullptr ? row : row_ids[row]);
}

}  // namespace

// --- elementwise -------------------------------------------------------------------------------------------------------------

template <typename T>
void ReferenceKernels<T>::fill(std::int64_t n, T value, T* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = value;
}

template <typename T>
void ReferenceKernels<T>::convert(std::int64_t n, const T* x, float* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(x[i]);
}

template <typename T>
void ReferenceKernels<T>::convert(std::int64_t n, const T* x, double* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<double>(x[i]);
}

template <typename T>
void ReferenceKernels<T>::unary(UnaryOp op, std::int64_t n, const T* x, T parameter, T* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<T>(value_of(op, x[i], parameter));
}

template <typename T>
void ReferenceKernels<T>::unary_backward(UnaryOp op, std::int64_t n, const T* saved, T parameter, const T* dy, T* dx) {
  for (std::int64_t i = 0; i < n; ++i) dx[i] = static_cast<T>(dy[i] * derivative_of(op, saved[i], parameter));
}

template <typename T>
void ReferenceKernels<T>::binary(BinaryOp op, std::int64_t rows, std::int64_t cols, const T* a, std::int64_t a_row_stride,
                                 std::int64_t a_col_stride, const T* b, std::int64_t b_row_stride, std::int64_t b_col_stride,
                                 T* y) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t col = 0; col < cols; ++col) {
      y[row * cols + col] =
          static_cast<T>(binary_of(op, a[row * a_row_stride + col * a_col_stride], b[row * b_row_stride + col * b_col_stride]));
    }
  }
}

template <typename T>
void ReferenceKernels<T>::linear_combination(std::int64_t n, int count, const T* coefficients, const T* const* terms, T* y) {
  for (std::int64_t i = 0; i < n; ++i) {
    double total = 0;
    for (int term = 0; term < count; ++term) total += static_cast<double>(coefficients[term]) * terms[term][i];
    y[i] = static_cast<T>(total);
  }
}

template <typename T>
void ReferenceKernels<T>::prelu(std::int64_t n, const T* x, const T* slope, T* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] > 0 ? x[i] : *slope * x[i];
}

template <typename T>
void ReferenceKernels<T>::prelu_backward(std::int64_t n, const T* x, const T* slope, const T* dy, T* dx, T* dslope) {
  double total = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    if (!(x[i] > 0)) total += static_cast<double>(dy[i]) * x[i];
    dx[i] = x[i] > 0 ? dy[i] : *slope * dy[i];
  }
  *dslope = static_cast<T>(total);
}

template <typename T>
void ReferenceKernels<T>::bce_with_logits(std::int64_t n, const T* x, const T* target, T* y) {
  for (std::int64_t i = 0; i < n; ++i) {
    const double t = target[i];  // -t ln s(x) - (1 - t) ln (1 - s(x)), with ln s(x) = -softplus(-x)
    y[i] = static_cast<T>(t * softplus(-static_cast<double>(x[i])) + (1 - t) * softplus(x[i]));
  }
}

template <typename T>
void ReferenceKernels<T>::bce_with_logits_backward(std::int64_t n, const T* x, const T* target, const T* dy, T* dx) {
  for (std::int64_t i = 0; i < n; ++i) dx[i] = static_cast<T>(dy[i] * (sigmoid(x[i]) - target[i]));
}

template <typename T>
void ReferenceKernels<T>::bias_activation(Activation activation, std::int64_t rows, std::int64_t cols, const T* bias,
                                          const T* slope, T* h, T* y) {
  for (std::int64_t i = 0; i < rows * cols; ++i) {
    if (bias != nullptr) h[i] += bias[i % cols];
    const double x = h[i];
    switch (activation) {
      case Activation::kNone:
        y[i] = h[i];
        break;
      case Activation::kTanh:
        y[i] = static_cast<T>(std::tanh(x));
        break;
      case Activation::kRelu:
        y[i] = static_cast<T>(std::max(x, 0.0));
        break;
      case Activation::kSigmoid:
        y[i] = static_cast<T>(sigmoid(x));
        break;
      case Activation::kPrelu:
        y[i] = static_cast<T>(x > 0 ? x : *slope * x);
        break;
    }
  }
}

template <typename T>
void ReferenceKernels<T>::copy_block(std::int64_t rows, std::int64_t cols, const T* x, std::int64_t x_stride, bool accumulate,
                                     T* y, std::int64_t y_stride) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t col = 0; col < cols; ++col) {
      T& to = y[row * y_stride + col];
      to = (accumulate ? to : T(0)) + x[row * x_stride + col];
    }
  }
}

// --- rowwise and reductions --------------------------------------------------------------------------------------------------

template <typename T>
void ReferenceKernels<T>::row_sum(std::int64_t rows, std::int64_t cols, const T* x, bool squared, T* y) {
  for (std::int64_t row = 0; row < rows; ++row) {
    double total = 0;
    for (std::int64_t col = 0; col < cols; ++col) {
      const double value = x[row * cols + col];
      total += squared ? value * value : value;
    }
    y[row] = static_cast<T>(total);
  }
}

template <typename T>
void ReferenceKernels<T>::column_sum(std::int64_t rows, std::int64_t cols, const T* x, T* y) {
  for (std::int64_t col = 0; col < cols; ++col) {
    double total = 0;
    for (std::int64_t row = 0; row < rows; ++row) total += x[row * cols + col];
    y[col] = static_cast<T>(total);
  }
}

template <typename T>
void ReferenceKernels<T>::sum(std::int64_t n, const T* x, T* y) {
  *y = static_cast<T>(std::accumulate(x, x + n, 0.0));
}

template <typename T>
void ReferenceKernels<T>::sum_squares(std::int64_t n, const T* x, const T* shift, T* y) {
  double total = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double gap = static_cast<double>(x[i]) - (shift == nullptr ? 0.0 : static_cast<double>(*shift));
    total += gap * gap;
  }
  *y = static_cast<T>(total);
}

// --- random ------------------------------------------------------------------------------------------------------------------

template <typename T>
void ReferenceKernels<T>::random_uniform(std::int64_t rows, std::int64_t cols, const RandomStream& stream,
                                         const std::int32_t* row_ids, T low, T high, T* y) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t col = 0; col < cols; ++col) {
      const std::uint32_t word = philox::word_at(stream, stream_row(row_ids, row), static_cast<std::uint32_t>(col));
      y[row * cols + col] = low + (high - low) * static_cast<T>(philox::uniform(word));
    }
  }
}

template <typename T>
void ReferenceKernels<T>::random_gumbel(std::int64_t rows, std::int64_t cols, const RandomStream& stream,
                                        const std::int32_t* row_ids, T* y) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t col = 0; col < cols; ++col) {
      const std::uint32_t word = philox::word_at(stream, stream_row(row_ids, row), static_cast<std::uint32_t>(col));
      y[row * cols + col] = static_cast<T>(philox::gumbel(word));
    }
  }
}

/// Columns come in pairs 16 apart: 0 and 16, ..., 15 and 31, then 32 and 48, ... in every group of 64.
template <typename T>
void ReferenceKernels<T>::random_normal(std::int64_t rows, std::int64_t cols, const RandomStream& stream,
                                        const std::int32_t* row_ids, T mean, T deviation, T* y) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::uint32_t id = stream_row(row_ids, row);
    for (std::int64_t col = 0; col < cols; ++col) {
      const bool second = col % 32 >= 16;
      const auto partner = static_cast<std::uint32_t>(second ? col - 16 : col);
      const philox::Pair pair =
          philox::normal_pair(philox::word_at(stream, id, partner), philox::word_at(stream, id, partner + 16));
      y[row * cols + col] = mean + deviation * static_cast<T>(second ? pair.second : pair.first);
    }
  }
}

template <typename T>
void ReferenceKernels<T>::dropout(std::int64_t rows, std::int64_t cols, const T* x, T p, const RandomStream& stream,
                                  const std::int32_t* row_ids, T* y) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t col = 0; col < cols; ++col) {
      const std::uint32_t word = philox::word_at(stream, stream_row(row_ids, row), static_cast<std::uint32_t>(col));
      const bool kept = philox::keeps(word, static_cast<float>(p));
      y[row * cols + col] = kept ? static_cast<T>(x[row * cols + col] / (1.0 - p)) : T(0);
    }
  }
}

// --- update ------------------------------------------------------------------------------------------------------------------

template <typename T>
void ReferenceKernels<T>::adam_rows(std::int64_t n, std::int64_t cols, const std::int32_t* index, const std::int32_t* done,
                                    const T* factors, const std::int32_t* count, const T* gradient, T* value, T* first,
                                    T* second) {
  const std::vector<T> zeros(static_cast<std::size_t>(cols), T(0));
  for (std::int64_t i = 0; i < n; ++i) {
    if (index[i] < 0) continue;
    const std::int64_t begin = index[i] * cols;
    ParameterView<T> row = {value + begin, zeros.data(), first + begin, second + begin, cols};
    for (std::int64_t step = done[i]; step < *count; ++step) adam_prepared(&row, 1, factors + step * kAdamFactors);
    if (gradient == nullptr) continue;
    row.gradient = gradient + i * cols;
    adam_prepared(&row, 1, factors + *count * kAdamFactors);
  }
}

template <typename T>
void ReferenceKernels<T>::sgd(const ParameterView<T>* parameters, int count, double learning_rate, double momentum, double l2) {
  for (const ParameterView<T>& p : std::span(parameters, static_cast<std::size_t>(count))) {
    for (std::int64_t i = 0; i < p.count; ++i) {
      double velocity = p.gradient[i] + l2 * p.value[i];
      if (momentum != 0) velocity += momentum * p.first[i];
      if (momentum != 0) p.first[i] = static_cast<T>(velocity);
      p.value[i] = static_cast<T>(p.value[i] - learning_rate * velocity);
    }
  }
}

template struct ReferenceKernels<float>;
template struct ReferenceKernels<double>;

}  // namespace tapestry::tests
