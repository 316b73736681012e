#include "tensor/cpu/product.h"

#include <algorithm>
#include <array>
#include <new>

namespace tapestry::cpu {
namespace {

/// What multiply packs at a time: it has to stay in the second cache while the rows of A go by.
constexpr std::int64_t kPackedBytes = 1024 << 10;

/// Memory that a thread keeps while it lives. (An array that is thread_local itself would be a part of every thread's stack.)
template <typename T>
class Scratch {
 public:
  explicit Scratch(std::int64_t count)
      : data_(static_cast<T*>(::operator new(static_cast<std::size_t>(count) * sizeof(T), kCacheLine))) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { ::operator delete(data_, kCacheLine); }

  T* data() const { return data_; }

 private:
  static constexpr std::align_val_t kCacheLine{64};
  T* data_;
};

/// Panels of B' of which rows are read at a stride: packed, the stride is kPanel; where B lies in memory, its own.
template <typename T>
struct Panels {
  const T* data;
  std::int64_t row_stride;
  std::int64_t panel_stride;

  const T* panel(std::int64_t index) const { return data + index * panel_stride; }
  /// From panel `index` on, and from row `row` on.
  Panels from(std::int64_t index, std::int64_t row) const {
    return {data + index * panel_stride + row * row_stride, row_stride, panel_stride};
  }
};

/// Rows of A': number (i, p) lies at data[i * stride], or transposed at data[p * stride + i].
template <typename T>
struct Rows {
  const T* data;
  std::int64_t stride;
};

/// A tile of C in registers.
template <typename T, int M, int L>
struct Tile {
  Lanes<T> sum[M][L];

  /// Loops over these are unrolled, or the compiler would keep the registers in memory.
  void clear(const T* rows) {
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i) {
      const Lanes<T> start = Lanes<T>{} + (rows != nullptr ? rows[i] : T(0));
#pragma GCC unroll 3
      for (int l = 0; l < L; ++l) sum[i][l] = start;
    }
  }
  void load_from(const T* c, std::int64_t ldc) {
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i) {
#pragma GCC unroll 3
      for (int l = 0; l < L; ++l) sum[i][l] = load(c + i * ldc + l * kLanes<T>);
    }
  }
  void store_to(T* c, std::int64_t ldc) const {
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i) {
#pragma GCC unroll 3
      for (int l = 0; l < L; ++l) store<T>(sum[i][l], c + i * ldc + l * kLanes<T>);
    }
  }
  /// sum += a column of A' times a row of the panel, k times.
  template <bool transposed>
  void add(std::int64_t k, const Rows<T>& a, const T* panel, std::int64_t row_stride) {
    for (std::int64_t p = 0; p < k; ++p) {
      Lanes<T> b[L];
#pragma GCC unroll 3
      for (int l = 0; l < L; ++l) b[l] = load(panel + p * row_stride + l * kLanes<T>);
#pragma GCC unroll 8
      for (int i = 0; i < M; ++i) {
        const T x = transposed ? a.data[p * a.stride + i] : a.data[i * a.stride + p];
#pragma GCC unroll 3
        for (int l = 0; l < L; ++l) sum[i][l] += x * b[l];
      }
    }
  }
};

/// One tile: C [M, cols] = A' [M, k] panel [k, cols] + what it is added to; cols no more than L registers hold.
template <typename T, int M, int L, bool transposed>
void tile(std::int64_t k, const Rows<T>& a, const T* panel, std::int64_t row_stride, std::int64_t cols, const Onto<T>& onto, T* c,
          std::int64_t ldc) {
  const std::int64_t width = L * kLanes<T>;
  Tile<T, M, L> tile;
  if (cols == width) {
    if (onto.own) {
      tile.load_from(c, ldc);
    } else {
      tile.clear(onto.rows);
    }
    tile.template add<transposed>(k, a, panel, row_stride);
    tile.store_to(c, ldc);
    return;
  }
  // A tile at the edge of C goes through a copy that is as wide as the registers.
  std::array<T, static_cast<std::size_t>(M * width)> edge;
  if (onto.own) {
    for (int i = 0; i < M; ++i) {
      T* row = edge.data() + i * width;
      std::fill(std::copy_n(c + i * ldc, cols, row), row + width, T(0));
    }
    tile.load_from(edge.data(), width);
  } else {
    tile.clear(onto.rows);
  }
  tile.template add<transposed>(k, a, panel, row_stride);
  tile.store_to(edge.data(), width);
  for (int i = 0; i < M; ++i) std::copy_n(edge.data() + i * width, cols, c + i * ldc);
}

/// M rows of C, n columns: a tile per panel.
template <typename T, int M, bool transposed>
void row_of_tiles(std::int64_t n, std::int64_t k, const Rows<T>& a, const Panels<T>& b, const Onto<T>& onto, T* c,
                  std::int64_t ldc) {
  const std::int64_t lanes = kLanes<T>;
  static_assert(kPanelLanes == 3);
  for (std::int64_t col = 0; col < n; col += kPanel<T>) {
    const std::int64_t cols = std::min(kPanel<T>, n - col);
    const T* panel = b.panel(col / kPanel<T>);
    if (cols > 2 * lanes) {
      tile<T, M, 3, transposed>(k, a, panel, b.row_stride, cols, onto, c + col, ldc);
    } else if (cols > lanes) {
      tile<T, M, 2, transposed>(k, a, panel, b.row_stride, cols, onto, c + col, ldc);
    } else {
      tile<T, M, 1, transposed>(k, a, panel, b.row_stride, cols, onto, c + col, ldc);
    }
  }
}

/// The rows that are left over, fewer than kTileRows.
template <typename T, bool transposed, int M = kTileRows - 1>
void last_rows(std::int64_t m, std::int64_t n, std::int64_t k, const Rows<T>& a, const Panels<T>& b, const Onto<T>& onto, T* c,
               std::int64_t ldc) {
  if constexpr (M > 0) {
    if (m == M) return row_of_tiles<T, M, transposed>(n, k, a, b, onto, c, ldc);
    last_rows<T, transposed, M - 1>(m, n, k, a, b, onto, c, ldc);
  }
}

/// The same from row `row` of C on.
template <typename T>
Onto<T> below(const Onto<T>& onto, std::int64_t row) {
  return {onto.own, onto.rows == nullptr ? nullptr : onto.rows + row};
}

/// All rows of C; k is at most kDepth.
template <typename T>
void all_rows(bool transpose_a, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda, const Panels<T>& b,
              const Onto<T>& onto, T* c, std::int64_t ldc) {
  const std::int64_t whole = m / kTileRows * kTileRows;
  T* last = c + whole * ldc;
  if (!transpose_a) {
    for (std::int64_t row = 0; row < whole; row += kTileRows) {
      row_of_tiles<T, kTileRows, false>(n, k, {a + row * lda, lda}, b, below(onto, row), c + row * ldc, ldc);
    }
    return last_rows<T, false>(m - whole, n, k, {a + whole * lda, lda}, b, below(onto, whole), last, ldc);
  }
  // Rows of a transposed A lie far apart: what several rows of tiles need of them is gathered at once, for all panels.
  const std::int64_t group = 4 * kTileRows;
  static thread_local const Scratch<T> columns(kDepth * group);
  for (std::int64_t first = 0; first < whole; first += group) {
    const std::int64_t count = std::min(group, whole - first);
    for (std::int64_t p = 0; p < k; ++p) {
      for (std::int64_t row = 0; row < count; row += kTileRows) {
        std::copy_n(a + p * lda + first + row, kTileRows, columns.data() + row * k + p * kTileRows);
      }
    }
    for (std::int64_t row = 0; row < count; row += kTileRows) {
      row_of_tiles<T, kTileRows, true>(n, k, {columns.data() + row * k, kTileRows}, b, below(onto, first + row),
                                       c + (first + row) * ldc, ldc);
    }
  }
  last_rows<T, true>(m - whole, n, k, {a + whole, lda}, b, below(onto, whole), last, ldc);
}

/// Pieces of equal length, no longer than kDepth: body(begin, count). An empty sum is one empty piece.
template <typename Body>
void for_depths(std::int64_t k, const Body& body) {
  if (k == 0) return body(0, 0);
  const std::int64_t pieces = (k + kDepth - 1) / kDepth;
  const std::int64_t piece = (k + pieces - 1) / pieces;
  for (std::int64_t begin = 0; begin < k; begin += piece) body(begin, std::min(piece, k - begin));
}

/// Panels that may go by for each row of tiles, so many that they stay in the second cache.
template <typename T>
std::int64_t panels_at_a_time(std::int64_t k) {
  return std::max<std::int64_t>(1,
                                kPackedBytes / static_cast<std::int64_t>(sizeof(T)) / (std::max<std::int64_t>(1, k) * kPanel<T>));
}

/// So many rows of C are few.
constexpr std::int64_t kFewRows = 32;

/// C^T = B A'^T where C has few rows: b holds rows of B [n, k], packed is A'^T [k, m]. The products of an element are the same,
/// in the same order.
template <typename T>
void transposed_product(std::int64_t m, std::int64_t n, std::int64_t k, const T* b, std::int64_t ldb, const T* packed,
                        bool accumulate, T* c, std::int64_t ldc) {
  const std::int64_t block = 8 * kTileRows;
  alignas(64) std::array<T, static_cast<std::size_t>(block * kFewRows)> turned;  // [columns of C, its rows]
  for (std::int64_t first = 0; first < n; first += block) {
    const std::int64_t cols = std::min(block, n - first);
    for (std::int64_t i = 0; i < m && accumulate; ++i) {
      for (std::int64_t j = 0; j < cols; ++j) turned[static_cast<std::size_t>(j * kFewRows + i)] = c[i * ldc + first + j];
    }
    all_rows<T>(false, cols, m, k, b + first * ldb, ldb, {packed, kPanel<T>, k * kPanel<T>}, {accumulate}, turned.data(),
                kFewRows);
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < cols; ++j) c[i * ldc + first + j] = turned[static_cast<std::size_t>(j * kFewRows + i)];
    }
  }
}

/// A panel of B' = B: rows of B, a piece of each.
template <typename T>
void pack_rows(std::int64_t k, std::int64_t cols, const T* b, std::int64_t ldb, T* packed) {
  for (std::int64_t p = 0; p < k; ++p) {
    const T* from = b + p * ldb;
    T* to = packed + p * kPanel<T>;
    if (cols == kPanel<T>) {
      for (int l = 0; l < kPanelLanes; ++l) store<T>(load(from + l * kLanes<T>), to + l * kLanes<T>);
    } else {
      std::fill(std::copy_n(from, cols, to), to + kPanel<T>, T(0));
    }
  }
}

/// A panel of B' = B^T: columns of B, in squares of a register's size.
template <typename T>
void pack_columns(std::int64_t k, std::int64_t cols, const T* b, std::int64_t ldb, T* packed) {
  const std::int64_t lanes = kLanes<T>;
  for (std::int64_t p = 0; p < k; p += lanes) {
    for (std::int64_t col = 0; col < kPanel<T>; col += lanes) {
      T* to = packed + p * kPanel<T> + col;
      if (p + lanes <= k && col + lanes <= cols) {
        Lanes<T> square[lanes];
        for (std::int64_t i = 0; i < lanes; ++i) square[i] = load(b + (col + i) * ldb + p);
        transpose<T>(square);
        for (std::int64_t i = 0; i < lanes; ++i) store<T>(square[i], to + i * kPanel<T>);
        continue;
      }
      for (std::int64_t i = 0; i < std::min(lanes, k - p); ++i) {
        for (std::int64_t j = 0; j < lanes; ++j) to[i * kPanel<T> + j] = col + j < cols ? b[(col + j) * ldb + p + i] : T(0);
      }
    }
  }
}

}  // namespace

template <typename T>
void pack_panels(bool transpose_b, std::int64_t k, std::int64_t n, const T* b, std::int64_t ldb, T* packed) {
  for (std::int64_t col = 0; col < n; col += kPanel<T>, packed += k * kPanel<T>) {
    const std::int64_t cols = std::min(kPanel<T>, n - col);
    if (transpose_b) {
      pack_columns(k, cols, b + col * ldb, ldb, packed);
    } else {
      pack_rows(k, cols, b + col, ldb, packed);
    }
  }
}

template <typename T>
void multiply_panels(bool transpose_a, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda,
                     const T* packed, Onto<T> onto, T* c, std::int64_t ldc) {
  const Panels<T> panels = {packed, kPanel<T>, k * kPanel<T>};
  const std::int64_t width = panels_at_a_time<T>(std::min(k, kDepth)) * kPanel<T>;
  for (std::int64_t col = 0; col < n; col += width) {
    for_depths(k, [&](std::int64_t begin, std::int64_t depth) {
      all_rows(transpose_a, m, std::min(width, n - col), depth, a + begin * (transpose_a ? lda : 1), lda,
               panels.from(col / kPanel<T>, begin), begin > 0 ? Onto<T>{true} : onto, c + col, ldc);
    });
  }
}

template <typename T>
void multiply(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a, std::int64_t lda,
              const T* b, std::int64_t ldb, bool accumulate, T* c, std::int64_t ldc) {
  const std::int64_t room = std::max<std::int64_t>(kPackedBytes / static_cast<std::int64_t>(sizeof(T)), kDepth * kPanel<T>);
  static thread_local const Scratch<T> packed(room);
  // For a few rows packing B' would be most of the work. B as it lies is then read in place, and B transposed takes A's part.
  const bool few_rows = m <= kFewRows;
  const std::int64_t step = panels_at_a_time<T>(std::min(k, kDepth)) * kPanel<T>;
  const std::int64_t unpacked = few_rows && !transpose_b ? n / kPanel<T> * kPanel<T> : 0;  // columns
  for_depths(k, [&](std::int64_t begin, std::int64_t depth) {
    const T* rows = a + begin * (transpose_a ? lda : 1);
    const T* columns = b + begin * (transpose_b ? 1 : ldb);
    const Onto<T> add = {accumulate || begin > 0};
    if (few_rows && transpose_b) {
      pack_panels(!transpose_a, depth, m, rows, lda, packed.data());
      return transposed_product(m, n, depth, columns, ldb, packed.data(), add.own, c, ldc);
    }
    if (unpacked > 0) all_rows(transpose_a, m, unpacked, depth, rows, lda, {columns, ldb, kPanel<T>}, add, c, ldc);
    for (std::int64_t col = unpacked; col < n; col += step) {
      const std::int64_t cols = std::min(step, n - col);
      pack_panels(transpose_b, depth, cols, columns + col * (transpose_b ? ldb : 1), ldb, packed.data());
      all_rows(transpose_a, m, cols, depth, rows, lda, {packed.data(), kPanel<T>, depth * kPanel<T>}, add, c + col, ldc);
    }
  });
}

template void pack_panels(bool, std::int64_t, std::int64_t, const float*, std::int64_t, float*);
template void pack_panels(bool, std::int64_t, std::int64_t, const double*, std::int64_t, double*);
template void multiply_panels(bool, std::int64_t, std::int64_t, std::int64_t, const float*, std::int64_t, const float*,
                              Onto<float>, float*, std::int64_t);
template void multiply_panels(bool, std::int64_t, std::int64_t, std::int64_t, const double*, std::int64_t, const double*,
                              Onto<double>, double*, std::int64_t);
template void multiply(bool, bool, std::int64_t, std::int64_t, std::int64_t, const float*, std::int64_t, const float*,
                       std::int64_t, bool, float*, std::int64_t);
template void multiply(bool, bool, std::int64_t, std::int64_t, std::int64_t, const double*, std::int64_t, const double*,
                       std::int64_t, bool, double*, std::int64_t);

}  // namespace tapestry::cpu
