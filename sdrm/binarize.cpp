#include "sdrm/binarize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "sdrm/multivae.h"
#include "tensor/memory.h"
#include "tensor/ops.h"

namespace tapestry::sdrm {
namespace {

std::int64_t tile_rows(const LogitMatrix& logits) {
  constexpr std::int64_t kTileEntries = 1 << 21;  // 8 MiB of logits
  return std::clamp<std::int64_t>(kTileEntries / std::max<std::int64_t>(1, logits.cols), 1, 512);
}

/// A diverged model's logits have no order: better said than thresholded.
void check_finite(const Tensor& tile, std::int64_t first_row) {
  const std::int64_t at = first_not_finite(tile);
  if (at == tile.numel()) return;
  const double bad = tile.reshape({tile.numel()}).slice_rows(at, at + 1).item();
  fail(ErrorKind::kFit, "binarize: the logit at row ", first_row + at / tile.cols(), ", column ", at % tile.cols(), " is ", bad,
       ": the model that gave it has diverged");
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

/// The smallest float32 that is not below `bound`. A float32 reaches `bound` exactly if it reaches this number, so that logits
/// can be compared in float32.
float smallest_at_least(double bound) {
  const auto nearest = static_cast<float>(bound);
  return nearest < bound ? std::nextafter(nearest, std::numeric_limits<float>::infinity()) : nearest;
}

/// The smallest float32 above `value`.
float next_above(float value) { return std::nextafter(value, std::numeric_limits<float>::infinity()); }

/// The rows of a result that is found tile by tile: all that comes to the host.
class FoundRows {
 public:
  explicit FoundRows(std::int64_t cols) : parts_{CsrMatrix::from(0, cols, {0}, {})} {}
  void add(const CsrMatrix& rows) { parts_.push_back(rows.to(Device::kCpu)); }
  CsrMatrix all() const { return concat_rows(parts_); }

 private:
  std::vector<CsrMatrix> parts_;
};

/// Ones where sign * logit >= bound.
CsrMatrix ones_at_least(const LogitMatrix& logits, double sign, float bound) {
  FoundRows rows(logits.cols);
  for_tiles(logits,
            [&](std::int64_t, std::int64_t, const Tensor& tile) { rows.add(tapestry::ones_at_least(tile, sign, bound)); });
  return rows.all();
}

/// The `keep` largest entries of sign * logits, in one pass over the tiles, on the device of the tiles. What is collected are the
/// entries above a bound; when there is no room for more, the bound rises to the keep-th largest so far, and what does not exceed
/// it goes. Entries equal to the bound need not be held: there are as many as it takes to make up `keep`. Memory: 2 keep entries
/// and those of one tile, of 12 bytes each.
class LargestEntries {
 public:
  LargestEntries(std::int64_t keep, std::int64_t total, double sign) : keep_(keep), total_(total), sign_(sign) {}

  void add_tile(const Tensor& tile, std::int64_t first_place) {
    if (!values_.defined()) reserve(std::min(total_, 2 * keep_ + tile.numel()), tile.device());
    AtLeast found = count_at_least(tile, sign_, bound_);
    if (used_ + found.count > values_.numel()) {
      raise_bound();
      found = count_at_least(tile, sign_, bound_);
    }
    const std::int64_t end = used_ + found.count;
    take_at_least(tile, found, {}, first_place, values_.slice_rows(used_, end), places_.slice_rows(used_, end));
    used_ = end;
  }

  /// The rank-th largest entry (1 the largest), rank <= keep.
  double ranked(std::int64_t rank) const {
    return rank <= used_ ? kth_largest(values_.slice_rows(0, used_), rank) : static_cast<double>(risen_to_);
  }

  /// The places of all entries >= bound in rising order, for a bound above the keep-th largest entry.
  Tensor places_at_least(float bound) const {
    const Tensor values = values_.slice_rows(0, used_);
    const AtLeast found = count_at_least(values, 1, bound);
    const Tensor places = Tensor::empty({found.count}, DType::kInt64, values.device());
    take_at_least(values, found, places_.slice_rows(0, used_), 0, {}, places);
    return places;
  }

 private:
  void reserve(std::int64_t count, Device device) {
    values_ = Tensor::empty({count}, DType::kFloat32, device);
    places_ = Tensor::empty({count}, DType::kInt64, device);
  }

  void raise_bound() {
    risen_to_ = static_cast<float>(ranked(keep_));
    bound_ = next_above(risen_to_);
    const Tensor values = values_.slice_rows(0, used_), places = places_.slice_rows(0, used_);
    const AtLeast found = count_at_least(values, 1, bound_);
    const Tensor kept_values = Tensor::empty({found.count}, DType::kFloat32, values.device());
    const Tensor kept_places = Tensor::empty({found.count}, DType::kInt64, values.device());
    take_at_least(values, found, places, 0, kept_values, kept_places);
    copy_into(values_.slice_rows(0, found.count), kept_values);
    copy_into(places_.slice_rows(0, found.count), kept_places);
    used_ = found.count;
  }

  const std::int64_t keep_, total_;
  const double sign_;
  float bound_ = std::numeric_limits<float>::lowest();  // everything, as long as it is finite
  float risen_to_ = 0;                                  // the keep-th largest entry when the bound last rose
  std::int64_t used_ = 0;
  Tensor values_;  // [used] and room behind
  Tensor places_;  // int64, the same: row * cols + column
};

/// Positions with sign * logit >= lambda, and lambda: the (1 - density) quantile of sign * logits.
Binarized at_density(const LogitMatrix& logits, double density, double sign, const Progress& progress) {
  check(density >= 0 && density <= 1, "binarize: density ", density, " is not in [0, 1]");
  const std::int64_t total = logits.rows * logits.cols;
  if (total == 0)
    return {
        CsrMatrix::from(logits.rows, logits.cols, std::vector<std::int64_t>(static_cast<std::size_t>(logits.rows) + 1, 0), {}),
        0};
  // Ascending order statistics x_0 .. x_{n-1}; the quantile at q = 1 - density lies at q (n - 1), between x_low and x_{low+1}.
  const double place = (1 - density) * static_cast<double>(total - 1);
  const std::int64_t low = std::min(static_cast<std::int64_t>(std::floor(place)), total - 1);
  const std::int64_t keep = total - low;  // x_low and all above
  LargestEntries largest(keep, total, sign);
  for_tiles(logits, [&](std::int64_t begin, std::int64_t end, const Tensor& tile) {
    largest.add_tile(tile, begin * logits.cols);
    if (progress) progress(end, logits.rows);
  });
  const double below = largest.ranked(keep);
  const double above = keep > 1 ? largest.ranked(keep - 1) : below;
  const double weight = place - static_cast<double>(low);
  const double threshold = below + weight * (above - below);
  const float bound = smallest_at_least(threshold);
  if (threshold > below) {
    const CsrMatrix ones = places_to_csr(logits.rows, logits.cols, largest.places_at_least(bound));
    return {ones.to(Device::kCpu), sign * threshold};
  }
  // lambda is x_low itself: entries equal to it may have been left out, and the formula takes them all.
  return {ones_at_least(logits, sign, bound), sign * threshold};
}

}  // namespace

std::function<Tensor(std::int64_t begin, std::int64_t end)> decoded_rows(const MultiVae& model, Tensor latents) {
  return [&model, latents = std::move(latents)](std::int64_t begin, std::int64_t end) {
    return model.decode(latents.slice_rows(begin, end)).value();
  };
}

Binarized binarize_at_density(const LogitMatrix& logits, double density, const Progress& progress) {
  return at_density(logits, density, 1, progress);
}

Binarized lowest_at_density(const LogitMatrix& logits, double density, const Progress& progress) {
  return at_density(logits, density, -1, progress);
}

CsrMatrix binarize_positive(const LogitMatrix& logits) { return ones_at_least(logits, 1, next_above(0)); }

CsrMatrix binarize_row_lengths(const LogitMatrix& logits, std::span<const std::int64_t> lengths) {
  check(static_cast<std::int64_t>(lengths.size()) == logits.rows, "binarize_row_lengths: ", lengths.size(), " lengths for ",
        logits.rows, " rows");
  FoundRows rows(logits.cols);
  for_tiles(logits, [&](std::int64_t begin, std::int64_t end, const Tensor& tile) {
    rows.add(top_lengths_rows(tile, lengths.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin))));
  });
  return rows.all();
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
