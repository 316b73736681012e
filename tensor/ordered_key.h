#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "tensor/elementwise.h"

/// Floating-point numbers as unsigned integers of the same order, for selection by their digits: tensor/cpu/threshold.cpp and the
/// kernels of a GPU that select.
namespace tapestry {

template <typename T>
using OrderedKey = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

/// The key of a number: larger numbers have larger keys, -0 and 0 the same one, and NaN has 1, less than any number. No key is 0.
template <typename T>
TAPESTRY_HD constexpr OrderedKey<T> ordered_key(T x) {
  using Key = OrderedKey<T>;
  constexpr Key kSign = Key(1) << (8 * sizeof(T) - 1);
  if (x != x) return 1;
  const Key bits = std::bit_cast<Key>(x == T(0) ? T(0) : x);
  return (bits & kSign) != 0 ? ~bits : bits | kSign;  // negative numbers fall where their bits rise
}

/// The number with this key.
template <typename T>
TAPESTRY_HD constexpr T from_ordered_key(OrderedKey<T> key) {
  using Key = OrderedKey<T>;
  constexpr Key kSign = Key(1) << (8 * sizeof(T) - 1);
  return std::bit_cast<T>((key & kSign) != 0 ? key ^ kSign : ~key);
}

/// Selection finds the key of a given rank digit by digit, the highest first: of the keys that agree with it so far, how many
/// have each next digit? Digits of two bits, so that a thread's counts stay in registers and are quickly added up over a block.
inline constexpr int kDigitBits = 2;
inline constexpr int kDigits = 1 << kDigitBits;

struct DigitCounts {
  std::uint32_t of[kDigits - 1];  ///< of digits 1, 2, 3: what is left has digit 0
};

struct AddDigitCounts {
  TAPESTRY_HD constexpr DigitCounts operator()(const DigitCounts& a, const DigitCounts& b) const {
    DigitCounts sum = a;
    for (int i = 0; i < kDigits - 1; ++i) sum.of[i] += b.of[i];
    return sum;
  }
};

/// What is known of the key: its digits above `shift`, and its rank (1 the largest) among the keys that share them. When all
/// digits are known, `rank` says how many of the keys equal to it are among the largest.
template <typename Key>
struct RankedKey {
  Key prefix;
  std::int64_t rank;
};

/// Counts a key that shares the digits above the one at `shift`.
template <typename Key>
TAPESTRY_HD constexpr void count_digit(Key key, Key prefix, int shift, DigitCounts& counts) {
  const Key differing = (key ^ prefix) >> shift >> kDigitBits;
  const auto digit = static_cast<int>((key >> shift) % kDigits);
  for (int i = 0; i < kDigits - 1; ++i) counts.of[i] += differing == 0 && digit == i + 1 ? 1 : 0;  // no index: a register each
}

/// Finds the digit at `shift`.
template <typename Key>
TAPESTRY_HD constexpr RankedKey<Key> with_next_digit(RankedKey<Key> known, int shift, const DigitCounts& counts) {
  int digit = kDigits - 1;
  while (digit > 0 && known.rank > counts.of[digit - 1]) known.rank -= counts.of[--digit];
  known.prefix |= static_cast<Key>(digit) << shift;
  return known;
}

}  // namespace tapestry
