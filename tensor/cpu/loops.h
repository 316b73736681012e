#pragma once

#include <algorithm>
#include <cstdint>

namespace tapestry {

/// Below this many elements a kernel runs on one thread: starting a team costs more than it saves.
inline constexpr std::int64_t kParallelElements = 1 << 14;
/// Elements per unit of work. Sums over elements are cut otherwise, into a fixed number of parts (rowwise.cpp's ordered_sum), and
/// by chunks within those in prelu_backward; always by the size alone, so that the number of threads never shows.
inline constexpr std::int64_t kChunk = 1 << 13;

/// body(begin, end) over [0, n) in chunks.
template <typename Body>
void for_chunks(std::int64_t n, const Body& body) {
  const std::int64_t chunks = (n + kChunk - 1) / kChunk;
#pragma omp parallel for schedule(static) if (n >= kParallelElements)
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) body(chunk * kChunk, std::min(n, (chunk + 1) * kChunk));
}

/// body(row) over the rows of a matrix with `cols` columns.
template <typename Body>
void for_rows(std::int64_t rows, std::int64_t cols, const Body& body) {
#pragma omp parallel for schedule(static) if (rows * cols >= kParallelElements)
  for (std::int64_t row = 0; row < rows; ++row) body(row);
}

/// Columns that a thread takes at a time where it owns columns.
inline constexpr std::int64_t kColumnRange = 64;

/// body(begin, end) over column ranges of a matrix of `work` elements: each thread owns columns, so that sums over rows need
/// no atomics and keep their order.
template <typename Body>
void for_column_ranges(std::int64_t cols, std::int64_t work, const Body& body) {
  const std::int64_t ranges = (cols + kColumnRange - 1) / kColumnRange;
#pragma omp parallel for schedule(static) if (work >= kParallelElements)
  for (std::int64_t range = 0; range < ranges; ++range) body(range * kColumnRange, std::min(cols, (range + 1) * kColumnRange));
}

}  // namespace tapestry
