#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "tensor/kernels.h"
#include "tests/support/guarded.h"
#include "tests/support/random_data.h"

namespace tapestry::tests {

/// How far an output may be from the reference: units * machine epsilon * max(scale, |reference|). The scale is the size of the
/// numbers that were added up, where they may cancel.
struct Allowed {
  double units = 4;
  double scale = 0;
};

/// The operands of one kernel call of a given size, each known by a letter. Two calls of one size get the same inputs, on
/// whatever device they live, so that their outputs can be compared.
template <typename T>
class KernelCall {
 public:
  using Buffer = std::variant<Guarded<float>, Guarded<double>, Guarded<std::int32_t>, Guarded<std::int64_t>>;
  using Values = std::vector<double>;

  KernelCall(std::int64_t row_count, std::int64_t col_count, Device device)
      : rows(row_count), cols(col_count), n(row_count * col_count), device_(device) {}

  const std::int64_t rows, cols, n;

  /// Random numbers in [low, high).
  const T* input(char name, std::int64_t count, double low = -2, double high = 2) {
    return keep<T>(inputs_, name, random_values<T>(count, static_cast<std::uint64_t>(name), low, high));
  }
  const std::int32_t* index(char name, std::int64_t count, std::int64_t bound) {
    return keep<std::int32_t>(inputs_, name, random_indices(count, bound, static_cast<std::uint64_t>(name)));
  }
  /// These numbers.
  template <typename U>
  const U* given(char name, const std::vector<U>& values) {
    return keep<U>(inputs_, name, values);
  }
  /// A sparse matrix of the call's size with about `density` of its entries stored; row 1 is empty, row 0 full.
  CsrView<T> csr(bool with_values, double density = 0.2) {
    std::vector<std::int64_t> offsets = {0};
    std::vector<std::int32_t> columns;
    for (const std::vector<std::int32_t>& row : random_pattern(rows, cols, density, 7)) {
      columns.insert(columns.end(), row.begin(), row.end());
      offsets.push_back(static_cast<std::int64_t>(columns.size()));
    }
    nnz_ = offsets.back();
    return {rows, cols, keep<std::int64_t>(inputs_, 'O', offsets), keep<std::int32_t>(inputs_, 'C', columns),
            with_values ? input('V', nnz_, 0.5, 1.5) : nullptr};
  }
  std::int64_t nnz() const { return nnz_; }

  /// A buffer to be written, uninitialised as far as the kernel may know.
  template <typename U = T>
  U* output(char name, std::int64_t count, Allowed allowed = {}) {
    return add<U>(outputs_, name, Guarded<U>(static_cast<std::size_t>(count), device_), allowed);
  }
  /// A buffer to be read and written, with random numbers in it.
  T* in_out(char name, std::int64_t count, Allowed allowed = {}, double low = -2, double high = 2) {
    const std::vector<T> values = random_values<T>(count, static_cast<std::uint64_t>(name), low, high);
    return add<T>(outputs_, name, Guarded<T>(std::span<const T>(values), device_), allowed);
  }
  /// Working memory: its guard bytes are checked, its content is the kernel's own affair.
  template <typename U = T>
  U* scratch(char name, std::int64_t count) {
    return add<U>(scratch_, name, Guarded<U>(static_cast<std::size_t>(count), device_), {});
  }

  /// What the kernel wrote, by letter, as float64 (exact for every type here but large int64, which no kernel returns).
  std::map<char, Values> outputs() const {
    std::map<char, Values> all;
    for (const auto& [name, buffer] : outputs_) all[name] = read(buffer);
    return all;
  }
  Allowed allowed(char name) const { return allowed_.contains(name) ? allowed_.at(name) : Allowed{0, 0}; }

  /// Letters of the buffers whose guard bytes were overwritten, and of the inputs that were changed.
  std::string damaged() const {
    std::string names;
    for (const auto& [name, buffer] : outputs_) {
      if (!std::visit([](const auto& guarded) { return guarded.intact(); }, buffer)) names += name;
    }
    for (const auto& [name, buffer] : scratch_) {
      if (!std::visit([](const auto& guarded) { return guarded.intact(); }, buffer)) names += name;
    }
    for (const auto& [name, buffer] : inputs_) {
      const bool intact = std::visit([](const auto& guarded) { return guarded.intact(); }, buffer);
      if (!intact || !same_numbers(read(buffer), originals_.at(name))) names += name;
    }
    return names;
  }

 private:
  /// A NaN stays a NaN.
  static bool same_numbers(const Values& a, const Values& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](double one, double other) { return one == other || (std::isnan(one) && std::isnan(other)); });
  }
  template <typename U>
  const U* keep(std::map<char, Buffer>& buffers, char name, const std::vector<U>& values) {
    originals_[name] = Values(values.begin(), values.end());
    return add<U>(buffers, name, Guarded<U>(std::span<const U>(values), device_), {});
  }
  template <typename U>
  U* add(std::map<char, Buffer>& buffers, char name, Guarded<U> buffer, Allowed allowed) {
    U* data = buffer.data();
    buffers.insert_or_assign(name, Buffer(std::move(buffer)));
    allowed_[name] = allowed;
    return data;
  }
  static Values read(const Buffer& buffer) {
    return std::visit(
        [](const auto& guarded) {
          const auto values = guarded.values();
          return Values(values.begin(), values.end());
        },
        buffer);
  }

  Device device_;
  std::int64_t nnz_ = 0;
  std::map<char, Buffer> inputs_;
  std::map<char, Buffer> scratch_;
  std::map<char, Buffer> outputs_;
  std::map<char, Values> originals_;
  std::map<char, Allowed> allowed_;
};

}  // namespace tapestry::tests
