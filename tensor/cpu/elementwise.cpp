#include <array>

#include "tensor/cpu/loops.h"
#include "tensor/kernels.h"

namespace tapestry {
namespace {

/// Calls body.template operator()<op>() for the run-time `op`, so that each operation gets a vector loop of its own.
template <typename Body>
void with_unary_op(UnaryOp op, const Body& body) {
  switch (op) {
    case UnaryOp::kExp:
      return body.template operator()<UnaryOp::kExp>();
    case UnaryOp::kLog:
      return body.template operator()<UnaryOp::kLog>();
    case UnaryOp::kTanh:
      return body.template operator()<UnaryOp::kTanh>();
    case UnaryOp::kSigmoid:
      return body.template operator()<UnaryOp::kSigmoid>();
    case UnaryOp::kSoftplus:
      return body.template operator()<UnaryOp::kSoftplus>();
    case UnaryOp::kRelu:
      return body.template operator()<UnaryOp::kRelu>();
    case UnaryOp::kLeakyRelu:
      return body.template operator()<UnaryOp::kLeakyRelu>();
    case UnaryOp::kSquare:
      return body.template operator()<UnaryOp::kSquare>();
    case UnaryOp::kSqrt:
      return body.template operator()<UnaryOp::kSqrt>();
    case UnaryOp::kNegate:
      return body.template operator()<UnaryOp::kNegate>();
  }
}

template <typename Body>
void with_binary_op(BinaryOp op, const Body& body) {
  switch (op) {
    case BinaryOp::kAdd:
      return body.template operator()<BinaryOp::kAdd>();
    case BinaryOp::kSubtract:
      return body.template operator()<BinaryOp::kSubtract>();
    case BinaryOp::kMultiply:
      return body.template operator()<BinaryOp::kMultiply>();
    case BinaryOp::kDivide:
      return body.template operator()<BinaryOp::kDivide>();
    case BinaryOp::kMinimum:
      return body.template operator()<BinaryOp::kMinimum>();
    case BinaryOp::kMaximum:
      return body.template operator()<BinaryOp::kMaximum>();
  }
}

/// y = sum of the terms, the count known to the compiler so that the inner sum is unrolled.
template <int count, typename T>
void combine(std::int64_t n, const T* coefficients, const T* const* terms, T* y) {
  std::array<T, count> c;
  std::array<const T*, count> x;
  for (int term = 0; term < count; ++term) {
    c[term] = coefficients[term];
    x[term] = terms[term];
  }
  for_chunks(n, [&](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) {
      T total = c[0] * x[0][i];
      for (int term = 1; term < count; ++term) total += c[term] * x[term][i];
      y[i] = total;
    }
  });
}

}  // namespace

template <typename T>
void CpuKernels<T>::fill(std::int64_t n, T value, T* y) {
  for_chunks(n, [=](std::int64_t begin, std::int64_t end) { std::fill(y + begin, y + end, value); });
}

template <typename T>
void CpuKernels<T>::convert(std::int64_t n, const T* x, float* y) {
  for_chunks(n, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) y[i] = static_cast<float>(x[i]);
  });
}

template <typename T>
void CpuKernels<T>::convert(std::int64_t n, const T* x, double* y) {
  for_chunks(n, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) y[i] = static_cast<double>(x[i]);
  });
}

template <typename T>
void CpuKernels<T>::unary(UnaryOp op, std::int64_t n, const T* x, T parameter, T* y) {
  with_unary_op(op, [&]<UnaryOp kOp>() {
    for_chunks(n, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) y[i] = unary_value<kOp>(x[i], parameter);
    });
  });
}

template <typename T>
void CpuKernels<T>::unary_backward(UnaryOp op, std::int64_t n, const T* saved, T parameter, const T* dy, T* dx) {
  with_unary_op(op, [&]<UnaryOp kOp>() {
    for_chunks(n, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) dx[i] = dy[i] * unary_derivative<kOp>(saved[i], parameter);
    });
  });
}

template <typename T>
void CpuKernels<T>::binary(BinaryOp op, std::int64_t rows, std::int64_t cols, const T* a, std::int64_t a_row_stride,
                           std::int64_t a_col_stride, const T* b, std::int64_t b_row_stride, std::int64_t b_col_stride, T* y) {
  with_binary_op(op, [&]<BinaryOp kOp>() {
    for_rows(rows, cols, [=](std::int64_t row) {
      const T* left = a + row * a_row_stride;
      const T* right = b + row * b_row_stride;
      T* out = y + row * cols;
      if (a_col_stride == 1 && b_col_stride == 1) {  // the common case, without strides for the vectoriser to fear
#pragma omp simd
        for (std::int64_t col = 0; col < cols; ++col) out[col] = binary_value<kOp>(left[col], right[col]);
      } else {
        for (std::int64_t col = 0; col < cols; ++col) {
          out[col] = binary_value<kOp>(left[col * a_col_stride], right[col * b_col_stride]);
        }
      }
    });
  });
}

template <typename T>
void CpuKernels<T>::linear_combination(std::int64_t n, int count, const T* coefficients, const T* const* terms, T* y) {
  switch (count) {
    case 1:
      return combine<1>(n, coefficients, terms, y);
    case 2:
      return combine<2>(n, coefficients, terms, y);
    case 3:
      return combine<3>(n, coefficients, terms, y);
    default:
      return combine<4>(n, coefficients, terms, y);
  }
}

template <typename T>
void CpuKernels<T>::prelu(std::int64_t n, const T* x, const T* slope, T* y) {
  const T a = *slope;
  for_chunks(n, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) y[i] = tapestry::prelu(x[i], a);
  });
}

template <typename T>
void CpuKernels<T>::prelu_backward(std::int64_t n, const T* x, const T* slope, const T* dy, T* dx, T* dslope) {
  const T a = *slope;
  // One partial sum per block of chunks; few enough to live on the stack, fixed in number so that the order never changes.
  constexpr std::int64_t kPartials = 256;
  std::array<double, kPartials> partial = {};
  const std::int64_t chunks = (n + kChunk - 1) / kChunk;
  const std::int64_t per_partial = (chunks + kPartials - 1) / kPartials;
#pragma omp parallel for schedule(static) if (n >= kParallelElements)
  for (std::int64_t p = 0; p < kPartials; ++p) {
    for (std::int64_t chunk = p * per_partial; chunk < std::min(chunks, (p + 1) * per_partial); ++chunk) {
      T total = 0;
#pragma omp simd reduction(+ : total)
      for (std::int64_t i = chunk * kChunk; i < std::min(n, (chunk + 1) * kChunk); ++i) {
        const T gradient = dy[i];
        const T value = x[i];
        total += prelu_slope_gradient(value, gradient);
        dx[i] = prelu_gradient(value, a, gradient);
      }
      partial[static_cast<std::size_t>(p)] += static_cast<double>(total);
    }
  }
  double total = 0;
  for (const double value : partial) total += value;
  *dslope = static_cast<T>(total);
}

template <typename T>
void CpuKernels<T>::bce_with_logits(std::int64_t n, const T* x, const T* target, T* y) {
  for_chunks(n, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) y[i] = tapestry::bce_with_logits(x[i], target[i]);
  });
}

template <typename T>
void CpuKernels<T>::bce_with_logits_backward(std::int64_t n, const T* x, const T* target, const T* dy, T* dx) {
  for_chunks(n, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) dx[i] = dy[i] * bce_with_logits_derivative(x[i], target[i]);
  });
}

template <typename T>
void CpuKernels<T>::bias_activation(Activation activation, std::int64_t rows, std::int64_t cols, const T* bias, const T* slope,
                                    T* h, T* y) {
  const auto run = [&](auto function) {
    for_rows(rows, cols, [=](std::int64_t row) {
      T* in = h + row * cols;
      T* out = y + row * cols;
#pragma omp simd
      for (std::int64_t col = 0; col < cols; ++col) {
        const T value = bias == nullptr ? in[col] : in[col] + bias[col];
        in[col] = value;
        out[col] = function(value);
      }
    });
  };
  switch (activation) {
    case Activation::kNone:
      return run([](T x) { return x; });
    case Activation::kTanh:
      return run([](T x) { return scalar::tanh(x); });
    case Activation::kRelu:
      return run([](T x) { return unary_value<UnaryOp::kRelu>(x, T(0)); });
    case Activation::kSigmoid:
      return run([](T x) { return scalar::sigmoid(x); });
    case Activation::kPrelu:
      return run([a = *slope](T x) { return tapestry::prelu(x, a); });
  }
}

template <typename T>
void CpuKernels<T>::copy_block(std::int64_t rows, std::int64_t cols, const T* x, std::int64_t x_stride, bool accumulate, T* y,
                               std::int64_t y_stride) {
  for_rows(rows, cols, [=](std::int64_t row) {
    const T* in = x + row * x_stride;
    T* out = y + row * y_stride;
    if (!accumulate) {
      std::copy_n(in, cols, out);
      return;
    }
#pragma omp simd
    for (std::int64_t col = 0; col < cols; ++col) out[col] += in[col];
  });
}

template struct CpuKernels<float>;
template struct CpuKernels<double>;

}  // namespace tapestry
