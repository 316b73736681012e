#include "recsys/data/split.h"

#include <algorithm>
#include <bit>
#include <random>

#include "sdrm/shuffle.h"

namespace tapestry::recsys {

GroupSizes group_sizes(std::int64_t users) {
  GroupSizes sizes;
  sizes.train = users * 7 / 10;
  sizes.test = users * 2 / 10;
  sizes.valid = users - sizes.train - sizes.test;
  return sizes;
}

std::vector<Part> contiguous_parts(std::int64_t users) {
  const GroupSizes sizes = group_sizes(users);
  std::vector<Part> parts(static_cast<std::size_t>(users), Part::kValid);
  std::fill_n(parts.begin(), sizes.train + sizes.test, Part::kTest);
  std::fill_n(parts.begin(), sizes.train, Part::kTrain);
  return parts;
}

std::vector<std::int32_t> shuffled(std::int64_t n, const std::function<std::uint32_t(std::uint32_t)>& below) {
  std::vector<std::int32_t> order;
  sdrm::shuffle_by(n, order, below);
  return order;
}

CsrMatrix draw_from_rows(const CsrMatrix& rows, const std::function<std::int64_t(std::int64_t)>& count_of,
                         const std::function<std::uint32_t(std::uint32_t)>& below) {
  std::vector<std::vector<std::int32_t>> drawn(static_cast<std::size_t>(rows.rows()));
  for (std::int64_t row = 0; row < rows.rows(); ++row) {
    const std::int64_t count = count_of(row);
    if (count == 0) continue;
    check(0 < count && count <= rows.row_nnz(row), "draw_from_rows: ", count, " entries of row ", row, ", which has ",
          rows.row_nnz(row));
    const std::span<const std::int32_t> all = rows.row(row);
    const std::vector<std::int32_t> order = shuffled(rows.row_nnz(row), below);
    for (std::int64_t n = 0; n < count; ++n) {
      drawn[static_cast<std::size_t>(row)].push_back(all[static_cast<std::size_t>(order[static_cast<std::size_t>(n)])]);
    }
  }
  return CsrMatrix::from_rows(rows.cols(), drawn);
}

CsrMatrix published_holdout(const CsrMatrix& matrix, const std::vector<Part>& parts) {
  check(static_cast<std::int64_t>(parts.size()) == matrix.rows(), "published_holdout: ", parts.size(), " parts for ",
        matrix.rows(), " users");
  std::mt19937 generator(123);
  // NumPy's legacy bounded draw: words masked to the bits of the highest value wanted, the ones above it thrown away.
  const auto below = [&](std::uint32_t bound) {
    const auto mask = static_cast<std::uint32_t>((std::uint64_t{1} << std::bit_width(bound - 1)) - 1);
    std::uint32_t word;
    do {
      word = static_cast<std::uint32_t>(generator()) & mask;
    } while (word >= bound);
    return word;
  };
  const auto count_of = [&](std::int64_t user) {
    return parts[static_cast<std::size_t>(user)] == Part::kValid ? heldout_count(matrix.row_nnz(user)) : 0;
  };
  return draw_from_rows(matrix, count_of, below);
}

void complete_dataset(Dataset& dataset) {
  dataset.parts = contiguous_parts(dataset.stored.rows());
  dataset.holdout = published_holdout(dataset.stored, dataset.parts);
  dataset.holdout_likes = published_holdout(likes(dataset.stored), dataset.parts);
  dataset.sha256 = dataset_digest(dataset);
}

}  // namespace tapestry::recsys
