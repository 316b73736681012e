#pragma once

#include <cstdint>
#include <utility>

/// The numbers of one vector register, in the compiler's own vector arithmetic (GCC's and Clang's vector_size), which becomes
/// AVX-512, AVX2, NEON or what the target has. The size is the widest that the build's target knows.
namespace tapestry::cpu {

#if defined(__AVX512F__)
inline constexpr int kRegisterBytes = 64;
inline constexpr int kRegisters = 32;
#elif defined(__AVX__)
inline constexpr int kRegisterBytes = 32;
inline constexpr int kRegisters = 16;
#elif defined(__x86_64__)
inline constexpr int kRegisterBytes = 16;
inline constexpr int kRegisters = 16;
#else
inline constexpr int kRegisterBytes = 16;
inline constexpr int kRegisters = 32;
#endif

/// The type of a register full of T, and of one that lies anywhere in an array of T. (The compiler takes no size that depends on
/// a template's T together with an alignment: hence one specialisation per type.)
template <typename T>
struct LanesOf;
template <>
struct LanesOf<float> {
  using Register [[gnu::vector_size(kRegisterBytes)]] = float;
  using Index [[gnu::vector_size(kRegisterBytes)]] = std::int32_t;
  using Stored [[gnu::vector_size(kRegisterBytes), gnu::aligned(alignof(float)), gnu::may_alias]] = float;
};
template <>
struct LanesOf<double> {
  using Register [[gnu::vector_size(kRegisterBytes)]] = double;
  using Index [[gnu::vector_size(kRegisterBytes)]] = std::int64_t;
  using Stored [[gnu::vector_size(kRegisterBytes), gnu::aligned(alignof(double)), gnu::may_alias]] = double;
};

template <typename T>
using Lanes = typename LanesOf<T>::Register;

template <typename T>
inline constexpr int kLanes = kRegisterBytes / static_cast<int>(sizeof(T));

template <typename T>
inline Lanes<T> load(const T* from) {
  return *reinterpret_cast<const typename LanesOf<T>::Stored*>(from);
}

template <typename T>
inline void store(const Lanes<T>& lanes, T* to) {
  *reinterpret_cast<typename LanesOf<T>::Stored*>(to) = lanes;
}

/// Lane i of the result is lane I[i] of a and b set end to end.
template <typename T, int... I>
inline Lanes<T> pick(const Lanes<T>& a, const Lanes<T>& b, std::integer_sequence<int, I...> /*lanes*/) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, I...);
#else
  return __builtin_shuffle(a, b, typename LanesOf<T>::Index{I...});
#endif
}

/// For each lane of a register, what transposing 2 x 2 blocks of `size` lanes puts there: from registers r (the upper ones) and
/// r + size (the lower).
template <int size, int lanes, bool upper, int... I>
constexpr auto exchange(std::integer_sequence<int, I...> /*lane*/) {
  return std::integer_sequence<int, ((I & size) != 0 ? (upper ? lanes + I - size : lanes + I) : (upper ? I : I + size))...>();
}

/// Transposes the square that `rows` holds, in place: blocks of one lane first, then of two, of four, ...
template <typename T, int size = 1>
inline void transpose(Lanes<T>* rows) {
  constexpr int kSide = kLanes<T>;
  if constexpr (size < kSide) {
    constexpr auto kEvery = std::make_integer_sequence<int, kSide>();
    for (int r = 0; r < kSide; ++r) {
      if ((r & size) != 0) continue;
      const Lanes<T> a = rows[r];
      const Lanes<T> b = rows[r + size];
      rows[r] = pick<T>(a, b, exchange<size, kSide, true>(kEvery));
      rows[r + size] = pick<T>(a, b, exchange<size, kSide, false>(kEvery));
    }
    transpose<T, 2 * size>(rows);
  }
}

}  // namespace tapestry::cpu
