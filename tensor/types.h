#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>

#include "tensor/error.h"

namespace tapestry {

enum class Device : std::uint8_t { kCpu, kCuda };
enum class DType : std::uint8_t { kFloat32, kFloat64, kInt32, kInt64 };

inline const char* name(Device device) { return device == Device::kCpu ? "cpu" : "cuda"; }

inline const char* name(DType dtype) {
  constexpr std::array<const char*, 4> kNames = {"float32", "float64", "int32", "int64"};
  return kNames[static_cast<std::size_t>(dtype)];
}

inline std::int64_t size_of(DType dtype) { return dtype == DType::kFloat32 || dtype == DType::kInt32 ? 4 : 8; }

/// The C++ element types. Another type is not taken for one of them, by its size or otherwise: `long long` is none where
/// std::int64_t is `long`.
template <typename T>
concept Element =
    std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, std::int32_t> || std::same_as<T, std::int64_t>;

/// The DType of a C++ element type: float32 unless it is one of those below.
template <Element T>
inline constexpr DType kDTypeOf = DType::kFloat32;
template <>
inline constexpr DType kDTypeOf<double> = DType::kFloat64;
template <>
inline constexpr DType kDTypeOf<std::int32_t> = DType::kInt32;
template <>
inline constexpr DType kDTypeOf<std::int64_t> = DType::kInt64;

/// Sizes of up to four dimensions, outermost first. Rank 0 is a scalar with one element.
class Shape {
 public:
  static constexpr int kMaxRank = 4;
  /// So many elements of eight bytes can be counted in bytes.
  static constexpr std::int64_t kMaxElements = std::numeric_limits<std::int64_t>::max() / 8;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> sizes) {
    check(sizes.size() <= kMaxRank, "Shape: rank ", sizes.size(), " is above the limit of ", kMaxRank);
    for (const std::int64_t size : sizes) {
      check(size >= 0, "Shape: negative size ", size);
      sizes_[static_cast<std::size_t>(rank_++)] = size;
    }
    check_count();
  }

  int rank() const { return rank_; }
  std::int64_t operator[](int dim) const { return sizes_[static_cast<std::size_t>(dim)]; }

  std::int64_t numel() const {
    std::int64_t count = 1;
    for (int dim = 0; dim < rank_; ++dim) count *= (*this)[dim];
    return count;
  }

  /// The last dimension: 1 for a scalar.
  std::int64_t cols() const { return rank_ == 0 ? 1 : (*this)[rank_ - 1]; }
  /// The product of all dimensions but the last: a [N] vector has one row.
  std::int64_t rows() const {
    std::int64_t count = 1;
    for (int dim = 0; dim + 1 < rank_; ++dim) count *= (*this)[dim];
    return count;
  }

  /// This shape with its first dimension replaced.
  Shape with_rows(std::int64_t rows) const {
    check(rows >= 0, "Shape: negative size ", rows);
    Shape changed = *this;
    changed.sizes_[0] = rows;
    changed.check_count();
    return changed;
  }

  bool operator==(const Shape&) const = default;

  std::string to_string() const {
    std::string text = "[";
    for (int dim = 0; dim < rank_; ++dim) text += (dim > 0 ? ", " : "") + std::to_string((*this)[dim]);
    return text + "]";
  }

 private:
  /// Products of sizes are taken everywhere, of some of them too: none may overflow, even where another size is 0.
  void check_count() const {
    std::int64_t left = kMaxElements;
    for (const std::int64_t size : sizes_) {
      if (size > 1) left /= size;
    }
    if (left == 0) fail(ErrorKind::kMisuse, "Shape: ", to_string(), " has more elements than can be counted");
  }

  std::array<std::int64_t, kMaxRank> sizes_ = {};
  int rank_ = 0;
};

inline std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.to_string(); }
inline std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name(dtype); }
inline std::ostream& operator<<(std::ostream& out, Device device) { return out << name(device); }

}  // namespace tapestry
