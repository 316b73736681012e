#include <utility>

#include "tensor/cuda/reduce.cuh"
#include "tensor/kernels.h"

namespace tapestry {
namespace {

using cuda::for_each;
using cuda::place_of;

/// f(x) for an operation known at run time only. All threads take the same branch, so one kernel for all costs nothing.
template <typename T, int... ops>
__device__ T unary_at(UnaryOp op, T x, T parameter, std::integer_sequence<int, ops...>) {
  T y = x;
  ((op == static_cast<UnaryOp>(ops) ? static_cast<void>(y = unary_value<static_cast<UnaryOp>(ops)>(x, parameter)) : void()), ...);
  return y;
}

template <typename T, int... ops>
__device__ T derivative_at(UnaryOp op, T saved, T parameter, std::integer_sequence<int, ops...>) {
  T slope = 0;
  ((op == static_cast<UnaryOp>(ops) ? static_cast<void>(slope = unary_derivative<static_cast<UnaryOp>(ops)>(saved, parameter))
                                    : void()),
   ...);
  return slope;
}

using AllUnaryOps = std::make_integer_sequence<int, kUnaryOps>;

template <typename T>
__device__ T binary_at(BinaryOp op, T a, T b) {
  switch (op) {
    case BinaryOp::kAdd:
      return binary_value<BinaryOp::kAdd>(a, b);
    case BinaryOp::kSubtract:
      return binary_value<BinaryOp::kSubtract>(a, b);
    case BinaryOp::kMultiply:
      return binary_value<BinaryOp::kMultiply>(a, b);
    case BinaryOp::kDivide:
      return binary_value<BinaryOp::kDivide>(a, b);
    case BinaryOp::kMinimum:
      return binary_value<BinaryOp::kMinimum>(a, b);
    case BinaryOp::kMaximum:
      return binary_value<BinaryOp::kMaximum>(a, b);
  }
  return a;
}

/// The terms of linear_combination by value: the arrays are the host's.
template <typename T>
struct Terms {
  T coefficient[4];
  const T* term[4];
};

template <typename T>
__device__ T activation_at(Activation activation, T x, const T* slope) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kTanh:
      return scalar::tanh(x);
    case Activation::kRelu:
      return unary_value<UnaryOp::kRelu>(x, T(0));
    case Activation::kSigmoid:
      return scalar::sigmoid(x);
    case Activation::kPrelu:
      return tapestry::prelu(x, *slope);
  }
  return x;
}

}  // namespace

template <typename T>
void CudaKernels<T>::fill(std::int64_t n, T value, T* y) {
  for_each(n, [=] __device__(std::int64_t i) { y[i] = value; });
}

template <typename T>
void CudaKernels<T>::convert(std::int64_t n, const T* x, float* y) {
  for_each(n, [=] __device__(std::int64_t i) { y[i] = static_cast<float>(x[i]); });
}

template <typename T>
void CudaKernels<T>::convert(std::int64_t n, const T* x, double* y) {
  for_each(n, [=] __device__(std::int64_t i) { y[i] = static_cast<double>(x[i]); });
}

template <typename T>
void CudaKernels<T>::unary(UnaryOp op, std::int64_t n, const T* x, T parameter, T* y) {
  for_each(n, [=] __device__(std::int64_t i) { y[i] = unary_at(op, x[i], parameter, AllUnaryOps()); });
}

template <typename T>
void CudaKernels<T>::unary_backward(UnaryOp op, std::int64_t n, const T* saved, T parameter, const T* dy, T* dx) {
  for_each(n, [=] __device__(std::int64_t i) { dx[i] = dy[i] * derivative_at(op, saved[i], parameter, AllUnaryOps()); });
}

template <typename T>
void CudaKernels<T>::binary(BinaryOp op, std::int64_t rows, std::int64_t cols, const T* a, std::int64_t a_row_stride,
                            std::int64_t a_col_stride, const T* b, std::int64_t b_row_stride, std::int64_t b_col_stride, T* y) {
  for_each(rows * cols, [=] __device__(std::int64_t i) {
    const auto [row, col] = place_of(i, cols);
    y[i] = binary_at(op, a[row * a_row_stride + col * a_col_stride], b[row * b_row_stride + col * b_col_stride]);
  });
}

template <typename T>
void CudaKernels<T>::linear_combination(std::int64_t n, int count, const T* coefficients, const T* const* terms, T* y) {
  Terms<T> sum = {};
  for (int t = 0; t < count; ++t) {
    sum.coefficient[t] = coefficients[t];
    sum.term[t] = terms[t];
  }
  for_each(n, [=] __device__(std::int64_t i) {
    T total = sum.coefficient[0] * sum.term[0][i];
#pragma unroll
    for (int t = 1; t < 4; ++t) {  // with indices that the compiler knows the terms stay in registers
      if (t < count) total += sum.coefficient[t] * sum.term[t][i];
    }
    y[i] = total;
  });
}

template <typename T>
void CudaKernels<T>::prelu(std::int64_t n, const T* x, const T* slope, T* y) {
  for_each(n, [=] __device__(std::int64_t i) { y[i] = tapestry::prelu(x[i], *slope); });
}

template <typename T>
void CudaKernels<T>::prelu_backward(std::int64_t n, const T* x, const T* slope, const T* dy, T* dx, T* dslope) {
  const auto take = [=] __device__(std::int64_t i) {
    const T gradient = dy[i];
    const T value = x[i];
    dx[i] = prelu_gradient(value, *slope, gradient);
    return static_cast<double>(prelu_slope_gradient(value, gradient));
  };
  cuda::reduce(n, 0.0, take, cuda::Add(), [=] __device__(double total) { *dslope = static_cast<T>(total); });
}

template <typename T>
void CudaKernels<T>::bce_with_logits(std::int64_t n, const T* x, const T* target, T* y) {
  for_each(n, [=] __device__(std::int64_t i) { y[i] = tapestry::bce_with_logits(x[i], target[i]); });
}

template <typename T>
void CudaKernels<T>::bce_with_logits_backward(std::int64_t n, const T* x, const T* target, const T* dy, T* dx) {
  for_each(n, [=] __device__(std::int64_t i) { dx[i] = dy[i] * bce_with_logits_derivative(x[i], target[i]); });
}

template <typename T>
void CudaKernels<T>::bias_activation(Activation activation, std::int64_t rows, std::int64_t cols, const T* bias, const T* slope,
                                     T* h, T* y) {
  for_each(rows * cols, [=] __device__(std::int64_t i) {
    const T value = bias == nullptr ? h[i] : h[i] + bias[place_of(i, cols).col];
    h[i] = value;
    y[i] = activation_at(activation, value, slope);
  });
}

template <typename T>
void CudaKernels<T>::copy_block(std::int64_t rows, std::int64_t cols, const T* x, std::int64_t x_stride, bool accumulate, T* y,
                                std::int64_t y_stride) {
  for_each(rows * cols, [=] __device__(std::int64_t i) {
    const auto [row, col] = place_of(i, cols);
    const T value = x[row * x_stride + col];
    T& to = y[row * y_stride + col];
    to = accumulate ? to + value : value;
  });
}

template struct CudaKernels<float>;
template struct CudaKernels<double>;

}  // namespace tapestry
