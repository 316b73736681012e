#pragma once

#include <cstdint>

#include "tensor/cpu/lanes.h"

/// Matrix products on one thread. C = A B' is computed in tiles of C that fit in the processor's registers:
///
///          B' packed:  | panel 0 | panel 1 | ..   [k, kPanel] each, k rows of kPanel numbers one after the other
///     A  --------------+---------+---------+--
///        kTileRows     |  tile   |  tile   | ..   += a column of A times a row of the panel, k times
///        kTileRows     |  tile   |  tile   | ..
///
/// A is read where it is, one number at a time for all lanes; B is packed once, so that a panel is read from end to end for each
/// tile (Goto & van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication", with one operand packed instead of two).
///
/// Every element of C is the sum of its k products in order, cut into pieces of equal length, no longer than kDepth: a matter of
/// k alone. So an element has the same bits whether C is computed whole, in strips, or in blocks.
namespace tapestry::cpu {

/// A tile of C is kTileRows by kPanelLanes registers. With one for a number of A and kPanelLanes for a row of the panel that is
/// 4 * 3 + 1 + 3 = 16 of 16 registers, or 8 * 3 + 1 + 3 = 28 of 32.
inline constexpr int kTileRows = kRegisters == 32 ? 8 : 4;
inline constexpr int kPanelLanes = 3;

/// Columns of a panel.
template <typename T>
inline constexpr std::int64_t kPanel = std::int64_t{kPanelLanes} * kLanes<T>;

/// Products of a sum before it goes back to C: so long a column of a tile of A stays in the first cache.
inline constexpr std::int64_t kDepth = 1024;

/// How many numbers B' [k, n] takes when packed.
template <typename T>
constexpr std::int64_t packed_size(std::int64_t k, std::int64_t n) {
  return k * ((n + kPanel<T> - 1) / kPanel<T>)*kPanel<T>;
}

/// Packs B' [k, n], which is B [k, n] or the transpose of B [n, k], with row stride ldb. The last panel is filled up with zeros.
template <typename T>
void pack_panels(bool transpose_b, std::int64_t k, std::int64_t n, const T* b, std::int64_t ldb, T* packed);

/// What a product is added to: C's own numbers, or a number for each row of C, or nothing.
template <typename T>
struct Onto {
  bool own = false;
  const T* rows = nullptr;
};

/// C [m, n] = A' B' + what it is added to, with B' packed, A' [m, k] = A or its transpose; lda and ldc are row strides. Where n
/// is no multiple of the lanes, C is written to n only; a C with room up to the next multiple had better be given a larger n.
template <typename T>
void multiply_panels(bool transpose_a, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda,
                     const T* packed, Onto<T> onto, T* c, std::int64_t ldc);

/// C = A' B' + accumulate * C, packing B' piece by piece into memory of the thread's own.
template <typename T>
void multiply(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda,
              const T* b, std::int64_t ldb, bool accumulate, T* c, std::int64_t ldc);

}  // namespace tapestry::cpu
