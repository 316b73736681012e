#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "recsys/metrics/statistics.h"
#include "recsys/metrics/synthetic_summary.h"

/// What users look like, real and synthetic: figures over runs for table 5 and Figure 3 of the SDRM paper.
namespace tapestry::recsys {

/// Stands in a generator's place for real users whom D does not have.
inline constexpr const char* kStrangers = "reported-users";

/// The synthetic users of one generator, means over runs of the counts in SyntheticSummary: over those that did not fail.
struct SyntheticFigures {
  std::string dataset, recommender, generator;
  int runs = 0;
  std::array<double, kSimilarityBins> pairs = {}, nearest = {};
  double copies = 0;
  std::vector<double> users_by_length, items_by_users;
  /// 95 %, for the mean over runs; NaN ends when there is one, or when one failed, which it did not by chance.
  std::array<Interval, kSimilarityBins> pairs_interval = {};
  int asked = 0;  ///< runs

  bool failed() const { return runs < asked; }  ///< whether one of the runs did
};
/// Zero runs when there are none. `asked`: how many there would be if none had failed.
SyntheticFigures mean_synthetic(const std::string& dataset, const std::string& recommender, const std::string& generator,
                                std::span<const SyntheticSummary> runs, int asked);

/// counts[n]: how many have n, whole or means.
struct ShapeStatistics {
  double total = 0;  ///< how many there are
  double none = 0;   ///< how many have nothing
  double few = 0;    ///< fewer than five, none included: what the data sets' filter leaves nobody with
  double mean = 0;
  int low = 0, median = 0, high = 0;  ///< least n that a tenth, half, nine tenths of them do not exceed
  int most = 0;
};
/// Of nothing at all everything is zero.
ShapeStatistics shape_statistics(std::span<const double> counts);

/// Bins for a logarithmic axis: whole numbers from 1, six bins to a power of ten where there are as many numbers.
struct SizeBin {
  int low = 1, high = 1;  ///< both included
  double middle() const;  ///< geometric
};
std::vector<SizeBin> size_bins(int largest);

/// For each bin, percent of all (those with nothing too) per number in the bin: a density, so that wide bins do not stand out.
std::vector<double> bin_densities(std::span<const double> counts, std::span<const SizeBin> bins);

/// Whole counts as numbers.
std::vector<double> as_numbers(std::span<const std::int64_t> counts);

}  // namespace tapestry::recsys
