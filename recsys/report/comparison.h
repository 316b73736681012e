#pragma once

#include <span>
#include <string>

#include "recsys/metrics/statistics.h"

namespace tapestry::recsys {

/// Does one generator's synthetic data serve a recommender better than another's, or than none? Over the same users and held-out
/// items, each user's value averaged over the runs.
struct Comparison {
  std::string dataset, recommender, setting, generator, baseline, metric;
  Interval interval;  ///< 95 %, of the difference: bootstrap over users
  PairedTest test;    ///< of generator - baseline
};

/// How to read a table of comparisons: one sentence each on the difference, the interval and p.
std::string comparison_legend();
/// A Markdown table of differences with interval and p-value, and a sentence on how to read it. Empty when there is nothing.
std::string comparison_table(std::span<const Comparison> comparisons);
/// The same for the terminal, at k = 10 only.
std::string comparison_lines(std::span<const Comparison> comparisons);

}  // namespace tapestry::recsys
