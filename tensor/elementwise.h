#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#ifdef __CUDACC__
#define TAPESTRY_HD __host__ __device__
#else
#define TAPESTRY_HD
#endif

/// The scalar formulas of every elementwise operation and its derivative, written once for host and device.
///
/// A compiler may join x * y + z into one rounding (fma), each in its own way. Where host and device have to give the same bits,
/// in the normal numbers and the logarithm behind them, the joins are therefore written out as std::fma; elsewhere they agree to
/// the accuracy stated.
///
/// float32 has its own exp, log and tanh: straight-line arithmetic without branches or calls, which the compiler turns into
/// vector code and which gives the same bits wherever an element stands in a row. float64, used to check gradients, takes the
/// C library's.
namespace tapestry::scalar {

TAPESTRY_HD inline double exp(double x) { return std::exp(x); }
TAPESTRY_HD inline double log(double x) { return std::log(x); }
TAPESTRY_HD inline double tanh(double x) { return std::tanh(x); }
TAPESTRY_HD inline double log1p(double x) { return std::log1p(x); }

/// e^x to 2 ulp. x = n ln 2 + r with |r| <= ln 2 / 2; e^r by its series to degree 7; 2^n written into the exponent bits in two
/// factors, so that results down to the denormals and overflow to infinity come out right. NaN stays NaN.
TAPESTRY_HD inline float exp(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  float clamped = x < -104.0f ? -104.0f : x;
  clamped = clamped > 89.0f ? 89.0f : clamped;
  const float n = (clamped * 1.44269504f + kRound) - kRound;
  const float r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts
  float series = 1.98412698e-4f;                                      // 1/7!
  series = series * r + 1.38888889e-3f;
  series = series * r + 8.33333333e-3f;
  series = series * r + 4.16666667e-2f;
  series = series * r + 1.66666667e-1f;
  series = series * r + 0.5f;
  series = series * r + 1.0f;
  series = series * r + 1.0f;
  // NaN would be undefined as an integer: it takes the exponent 0 and stays in `series`.
  const auto exponent = static_cast<std::int32_t>(n == n ? n : 0.0f);
  const std::int32_t half = exponent >> 1;
  const float scale1 = std::bit_cast<float>((half + 127) << 23);
  const float scale2 = std::bit_cast<float>((exponent - half + 127) << 23);
  return series * scale1 * scale2;
}

/// ln x to 2 ulp for positive x; -infinity at 0, NaN below. x = 2^e m with m = 1 + f in [sqrt(1/2), sqrt(2)); ln m =
/// 2 artanh(s), s = f / (2 + f), by its series 2 s + s R(s^2). Since 2 s = f - s f, the exact f can stand apart, so that the
/// rounding of s only touches the small rest.
TAPESTRY_HD inline float log(float x) {
  const float scaled = x < 1.17549435e-38f ? x * 8388608.0f : x;                                       // denormals: times 2^23
  const auto shifted = static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(scaled) - 0x3f3504f3u);  // the bits of sqrt(1/2)
  const std::int32_t exponent = shifted >> 23;
  const float m = std::bit_cast<float>((shifted & 0x007fffff) + 0x3f3504f3);
  const float e = static_cast<float>(exponent) - (x < 1.17549435e-38f ? 23.0f : 0.0f);
  const float f = m - 1.0f;
  const float s = f / (2.0f + f);
  const float z = s * s;
  float series = 2.0f / 9.0f;
  series = std::fma(series, z, 2.0f / 7.0f);
  series = std::fma(series, z, 2.0f / 5.0f);
  series = std::fma(series, z, 2.0f / 3.0f);
  const float half = 0.5f * f;                                                         // s f = f^2 / 2 - s f^2 / 2
  const float rest = std::fma(-e, 2.12194440e-4f, s * std::fma(half, f, series * z));  // s (f^2 / 2 + R) - e (ln 2, low part)
  const float value = std::fma(e, 0.693359375f, f - std::fma(half, f, -rest));
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float finite = x == kInfinity ? kInfinity : value;
  const float nonzero = x == 0.0f ? -kInfinity : finite;
  return x >= 0.0f ? nonzero : std::numeric_limits<float>::quiet_NaN();
}

/// ln(1 + x) for finite x >= 0, to 3 ulp for small x too (the rounding of 1 + x is divided out).
TAPESTRY_HD inline float log1p(float x) {
  const float u = 1.0f + x;
  const float gap = u - 1.0f;
  return gap == 0.0f ? x : log(u) * (x / gap);
}

/// tanh x to 2 ulp: x + x^3 P(x^2) near zero, where 1 - 2 / (e^2|x| + 1) would cancel. P has the least error for |x| < 0.625; it
/// is not the Taylor series (its coefficients are those of tanhf in Moshier's Cephes library).
TAPESTRY_HD inline float tanh(float x) {
  const float a = x < 0.0f ? -x : x;
  const float z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float near = x + x * z * p;
  const float far = 1.0f - 2.0f / (exp(2.0f * a) + 1.0f);
  return a < 0.625f ? near : (x < 0.0f ? -far : far);
}

/// To 3 ulp in float32; below -88, where e^-x overflows, 0 instead of a denormal.
template <typename T>
TAPESTRY_HD inline T sigmoid(T x) {
  return T(1) / (T(1) + exp(-x));
}

/// ln(1 + e^x) without overflow, to 4 ulp in float32.
template <typename T>
TAPESTRY_HD inline T softplus(T x) {
  const T positive = x > T(0) ? x : T(0);
  const T magnitude = x > T(0) ? x : -x;
  return positive + log1p(exp(-magnitude));  // NaN comes through the magnitude
}

}  // namespace tapestry::scalar

namespace tapestry {

/// y = f(x). The derivative is taken from whichever of x and y makes it cheapest, as derivative_from_output says.
enum class UnaryOp : std::uint8_t { kExp, kLog, kTanh, kSigmoid, kSoftplus, kRelu, kLeakyRelu, kSquare, kSqrt, kNegate };
inline constexpr int kUnaryOps = static_cast<int>(UnaryOp::kNegate) + 1;
/// The smaller and the larger of both pass a NaN of the first one on.
enum class BinaryOp : std::uint8_t { kAdd, kSubtract, kMultiply, kDivide, kMinimum, kMaximum };

/// Whether f'(x) is computed from y = f(x); otherwise from x.
TAPESTRY_HD constexpr bool derivative_from_output(UnaryOp op) {
  return op == UnaryOp::kExp || op == UnaryOp::kTanh || op == UnaryOp::kSigmoid || op == UnaryOp::kRelu || op == UnaryOp::kSqrt;
}

/// f(x); `parameter` is the negative slope of kLeakyRelu.
template <UnaryOp op, typename T>
TAPESTRY_HD inline T unary_value(T x, [[maybe_unused]] T parameter) {
  if constexpr (op == UnaryOp::kExp) return scalar::exp(x);
  if constexpr (op == UnaryOp::kLog) return scalar::log(x);
  if constexpr (op == UnaryOp::kTanh) return scalar::tanh(x);
  if constexpr (op == UnaryOp::kSigmoid) return scalar::sigmoid(x);
  if constexpr (op == UnaryOp::kSoftplus) return scalar::softplus(x);
  if constexpr (op == UnaryOp::kRelu) return x < T(0) ? T(0) : x;
  if constexpr (op == UnaryOp::kLeakyRelu) return x < T(0) ? parameter * x : x;
  if constexpr (op == UnaryOp::kSquare) return x * x;
  if constexpr (op == UnaryOp::kSqrt) return std::sqrt(x);
  if constexpr (op == UnaryOp::kNegate) return -x;
}

/// f'(x), where `saved` is y if derivative_from_output(op), else x. At the kink of the ReLU family the derivative of the
/// negative side is taken, as the field does.
template <UnaryOp op, typename T>
TAPESTRY_HD inline T unary_derivative(T saved, [[maybe_unused]] T parameter) {
  if constexpr (op == UnaryOp::kExp) return saved;
  if constexpr (op == UnaryOp::kLog) return T(1) / saved;
  if constexpr (op == UnaryOp::kTanh) return T(1) - saved * saved;
  if constexpr (op == UnaryOp::kSigmoid) return saved * (T(1) - saved);
  if constexpr (op == UnaryOp::kSoftplus) return scalar::sigmoid(saved);
  if constexpr (op == UnaryOp::kRelu) return saved > T(0) ? T(1) : T(0);
  if constexpr (op == UnaryOp::kLeakyRelu) return saved > T(0) ? T(1) : parameter;
  if constexpr (op == UnaryOp::kSquare) return T(2) * saved;
  if constexpr (op == UnaryOp::kSqrt) return T(0.5) / saved;
  if constexpr (op == UnaryOp::kNegate) return T(-1);
}

template <BinaryOp op, typename T>
TAPESTRY_HD inline T binary_value(T a, T b) {
  if constexpr (op == BinaryOp::kAdd) return a + b;
  if constexpr (op == BinaryOp::kSubtract) return a - b;
  if constexpr (op == BinaryOp::kMultiply) return a * b;
  if constexpr (op == BinaryOp::kDivide) return a / b;
  if constexpr (op == BinaryOp::kMinimum) return b < a ? b : a;
  if constexpr (op == BinaryOp::kMaximum) return a < b ? b : a;
}

/// PReLU(x) = x for x > 0, a x otherwise (He et al. 2015), with one learned slope a.
template <typename T>
TAPESTRY_HD inline T prelu(T x, T slope) {
  return x > T(0) ? x : slope * x;
}

/// dy PReLU'(x), PReLU'(0) being that of the negative side.
template <typename T>
TAPESTRY_HD inline T prelu_gradient(T x, T slope, T dy) {
  return x > T(0) ? dy : slope * dy;
}

/// dy d PReLU(x) / d a.
template <typename T>
TAPESTRY_HD inline T prelu_slope_gradient(T x, T dy) {
  return x > T(0) ? T(0) : dy * x;
}

/// max(x, 0) - x t + ln(1 + e^-|x|): binary cross-entropy of the logit x against the target t, stable for any x.
template <typename T>
TAPESTRY_HD inline T bce_with_logits(T x, T target) {
  return scalar::softplus(x) - x * target;
}

/// Its derivative by x.
template <typename T>
TAPESTRY_HD inline T bce_with_logits_derivative(T x, T target) {
  return scalar::sigmoid(x) - target;
}

}  // namespace tapestry
