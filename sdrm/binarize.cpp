#include "sdrm/binarize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tensor/ops.h"

namespace tapestry::sdrm {
namespace {

struct Entry {
  float value;
  std::int64_t position;  ///< row * cols + column
};

/// Falling by value, then rising by position: a total order, so that the result does not depend on how entries arrive.
bool larger(const Entry& a, const Entry& b) { return a.value != b.value ? a.value > b.value : a.position < b.position; }

std::int64_t tile_rows(const LogitMatrix& logits) {
  constexpr std::int64_t kTileEntries = 1 << 21;  // 8 MiB of logits
  return std::clamp<std::int64_t>(kTileEntries / std::max<std::int64_t>(1, logits.cols), 1, 512);
}

/// A diverged model's logits have no order: better said than thresholded.
void check_finite(const Tensor& tile, std::int64_t first_row) {
  const std::span<const float> logits = tile.span<float>();
  bool finite = true;
  for (const float value : logits) finite &= std::abs(value) <= std::numeric_limits<float>::max();
  if (finite) return;
  const auto at = std::find_if(logits.begin(), logits.end(), [](float value) { return !std::isfinite(value); }) - logits.begin();
  fail(ErrorKind::kFit, "binarize: the logit at row ", first_row + at / tile.cols(), ", column ", at % tile.cols(), " is ",
       logits[static_cast<std::size_t>(at)], ": the model that gave it has diverged");
}

template <typename Body>
void for_tiles(const LogitMatrix& logits, const Body& body) {
  const std::int64_t step = tile_rows(logits);
  for (std::int64_t begin = 0; begin < logits.rows; begin += step) {
    const std::int64_t end = std::min(logits.rows, begin + step);
    const Tensor tile = logits.tile(begin, end);
    check(tile.rows() == end - begin && tile.cols() == logits.cols && tile.dtype() == DType::kFloat32,
          "binarize: a tile of shape ", tile.shape(), " for rows ", begin, " to ", end, " of ", logits.cols, " columns");
    check_finite(tile, begin);
    body(begin, end, tile);
  }
}

CsrMatrix from_positions(std::int64_t rows, std::int64_t cols, std::vector<std::int64_t> positions) {
  std::sort(positions.begin(), positions.end());
  std::vector<std::int64_t> offsets(static_cast<std::size_t>(rows) + 1, 0);
  std::vector<std::int32_t> columns;
  columns.reserve(positions.size());
  for (const std::int64_t position : positions) {
    ++offsets[static_cast<std::size_t>(position / cols) + 1];
    columns.push_back(static_cast<std::int32_t>(position % cols));
  }
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) offsets[row + 1] += offsets[row];
  return CsrMatrix::from(rows, cols, offsets, columns);
}

/// The `keep` largest entries of sign * logits, in one pass over the tiles. At most 2 keep + one tile's finds are held.
class LargestEntries {
 public:
  explicit LargestEntries(std::size_t keep) : keep_(keep) {}

  void add_tile(const Tensor& tile, std::int64_t first_position, float sign) {
    const float* data = tile.data<float>();
    for (std::int64_t i = 0; i < tile.numel(); ++i) {
      const float value = sign * data[i];
      if (!(value >= floor_)) continue;
      entries_.push_back({value, first_position + i});
      if (entries_.size() >= 2 * keep_ + 65536) shrink();
    }
  }

  /// Sorted, at most `keep` of them.
  const std::vector<Entry>& sorted() {
    shrink();
    std::sort(entries_.begin(), entries_.end(), larger);
    return entries_;
  }

 private:
  void shrink() {
    if (entries_.size() <= keep_) return;
    std::nth_element(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(keep_) - 1, entries_.end(), larger);
    entries_.resize(keep_);
    floor_ = entries_.back().value;
  }

  std::size_t keep_;
  float floor_ = -std::numeric_limits<float>::infinity();
  std::vector<Entry> entries_;
};

/// Positions with sign * logit >= lambda, and lambda: the (1 - density) quantile of sign * logits.
Binarized at_density(const LogitMatrix& logits, double density, float sign, const Progress& progress) {
  check(density >= 0 && density <= 1, "binarize: density ", density, " is not in [0, 1]");
  const std::int64_t total = logits.rows * logits.cols;
  if (total == 0)
    return {
        CsrMatrix::from(logits.rows, logits.cols, std::vector<std::int64_t>(static_cast<std::size_t>(logits.rows) + 1, 0), {}),
        0};
  // Ascending order statistics x_0 .. x_{n-1}; the quantile at q = 1 - density lies at q (n - 1), between x_low and x_{low+1}.
  const double place = (1 - density) * static_cast<double>(total - 1);
  const std::int64_t low = std::min(static_cast<std::int64_t>(std::floor(place)), total - 1);
  LargestEntries largest(static_cast<std::size_t>(total - low));  // x_low and all above
  for_tiles(logits, [&](std::int64_t begin, std::int64_t end, const Tensor& tile) {
    largest.add_tile(tile, begin * logits.cols, sign);
    if (progress) progress(end, logits.rows);
  });
  const std::vector<Entry>& entries = largest.sorted();
  const double below = entries.back().value;
  const double above = entries.size() > 1 ? entries[entries.size() - 2].value : below;
  const double weight = place - static_cast<double>(low);
  const double threshold = below + weight * (above - below);
  std::vector<std::int64_t> positions;
  if (threshold > below) {
    for (const Entry& entry : entries) {
      if (entry.value >= threshold) positions.push_back(entry.position);
    }
  } else {
    // lambda is x_low itself: entries equal to it may have been left out, and the formula takes them all.
    for_tiles(logits, [&](std::int64_t begin, std::int64_t, const Tensor& tile) {
      const float* data = tile.data<float>();
      for (std::int64_t i = 0; i < tile.numel(); ++i) {
        if (static_cast<double>(sign * data[i]) >= threshold) positions.push_back(begin * logits.cols + i);
      }
    });
  }
  return {from_positions(logits.rows, logits.cols, std::move(positions)), sign * threshold};
}

}  // namespace

Binarized binarize_at_density(const LogitMatrix& logits, double density, const Progress& progress) {
  return at_density(logits, density, 1.0f, progress);
}

Binarized lowest_at_density(const LogitMatrix& logits, double density, const Progress& progress) {
  return at_density(logits, density, -1.0f, progress);
}

CsrMatrix binarize_positive(const LogitMatrix& logits) {
  std::vector<std::int64_t> positions;
  for_tiles(logits, [&](std::int64_t begin, std::int64_t, const Tensor& tile) {
    const float* data = tile.data<float>();
    for (std::int64_t i = 0; i < tile.numel(); ++i) {
      if (data[i] > 0) positions.push_back(begin * logits.cols + i);
    }
  });
  return from_positions(logits.rows, logits.cols, std::move(positions));
}

CsrMatrix binarize_row_lengths(const LogitMatrix& logits, std::span<const std::int64_t> lengths) {
  check(static_cast<std::int64_t>(lengths.size()) == logits.rows, "binarize_row_lengths: ", lengths.size(), " lengths for ",
        logits.rows, " rows");
  std::vector<std::vector<std::int32_t>> rows(lengths.size());
  for_tiles(logits, [&](std::int64_t begin, std::int64_t end, const Tensor& tile) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t length = lengths[static_cast<std::size_t>(row)];
      check(length >= 0 && length <= logits.cols, "binarize_row_lengths: length ", length, " of ", logits.cols, " columns");
      if (length == 0) continue;
      const Tensor best = top_k_rows(tile.slice_rows(row - begin, row - begin + 1), length);
      const std::span<const std::int32_t> columns = best.span<std::int32_t>();
      rows[static_cast<std::size_t>(row)].assign(columns.begin(), columns.end());
    }
  });
  return CsrMatrix::from_rows(logits.cols, rows);
}

std::vector<std::int64_t> draw_row_lengths(const CsrMatrix& real, std::int64_t rows, std::uint64_t seed) {
  check(real.rows() > 0, "draw_row_lengths: no real rows to draw from");
  RandomSequence random({seed, Purpose::kProfileLength, 0});
  std::vector<std::int64_t> lengths;
  for (std::int64_t row = 0; row < rows; ++row)
    lengths.push_back(real.row_nnz(random.below(static_cast<std::uint32_t>(real.rows()))));
  return lengths;
}

}  // namespace tapestry::sdrm
