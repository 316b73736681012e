#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "recsys/recommenders/recommender.h"
#include "sdrm/epoch_cursor.h"

namespace tapestry::recsys {

/// (user, item, label) side by side: label 1 for a like, 0 for an explicit dislike. Users are rows of the stack of a fit's
/// blocks.
struct Triples {
  std::vector<std::int32_t> users, items;
  std::vector<float> labels;

  std::size_t size() const { return users.size(); }
  void reserve(std::size_t count);
  void add(std::int32_t user, std::int32_t item, float label);
};

/// Some of them where a model computes, brought there in one go; n triples.
struct TripleTensors {
  Tensor users, items;  ///< int32 [n]
  Tensor labels;        ///< [n, 1]

  /// The triples at these positions, in that order.
  TripleTensors(const Triples& triples, std::span<const std::int32_t> positions, DType dtype, Device device);
  /// All of them.
  TripleTensors(const Triples& triples, DType dtype, Device device);
  /// Room for n triples, zeros until bring() writes them: row() reads behind the last.
  TripleTensors(std::int64_t n, DType dtype, Device device);
  /// Writes the triples at these positions over the first ones.
  void bring(const Triples& triples, std::span<const std::int32_t> positions) const;
  std::int64_t size() const { return users.numel(); }
  /// Triples [begin, end), sharing memory.
  TripleTensors slice(std::int64_t begin, std::int64_t end) const;
  /// The first `size` of the `batch` triples where the cursor stands; there is a multiple of `batch` in all.
  TripleTensors row(const sdrm::EpochCursor& cursor, std::int64_t batch, std::int64_t size) const;

 private:
  TripleTensors() = default;
};

/// Every like and dislike of the blocks in data.order, user by user, the misplaced dislikes behind the synthetic users. Throws
/// Error(kFit) when there are fewer than two.
Triples fit_triples(const FitData& data);

/// What one epoch learns from and what its loss is measured on: positions of triples, a third of what the triples would take.
struct EpochTriples {
  std::vector<std::int32_t> train;  ///< floor((1 - share) n) random ones and as many zeros as they have ones, in random order
  std::vector<std::int32_t> valid;  ///< the others
};

/// A fresh split for `epoch`. The added zeros are drawn with replacement from the zeros of the training part; when it has none,
/// none are added.
EpochTriples split_epoch(const Triples& all, double share, std::uint64_t seed, std::int64_t epoch);

}  // namespace tapestry::recsys
