#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "recsys/report/table.h"

/// The gain of SDRM over MultiVAE++, as tables 6 to 8 and Figure 2 of the SDRM paper state it.
namespace tapestry::recsys {

/// 100 (max(F-SDRM, M-SDRM) / MultiVAE++ - 1), each a mean over runs: "the percentage increase of max Recall and NDCG value
/// between M-SDRM and F-SDRM against MultiVAE++ from the same runs". Taking the better of two noisy figures and setting it
/// against one gives a gain above zero even where all three are alike.
struct Improvement {
  std::string dataset, recommender, setting, metric;
  double percent = 0;
  std::optional<double> published;
};

/// One for every combination whose three cells are there and whose MultiVAE++ is positive, of Recall and NDCG, in the
/// order of the cells.
std::vector<Improvement> improvements(std::span<const Cell> cells, const ReportOptions& options = {});

/// The mean of a setting's improvements over data sets and recommenders, by metric.
struct AverageImprovement {
  std::string setting, metric;
  double percent = 0;
  int combinations = 0;                  ///< that the mean is over
  std::optional<double> published;       ///< the paper's mean, over all of its 12
  std::optional<double> published_same;  ///< the mean of the paper's figures for these combinations, if it has all of them
};

/// `published` only where an improvement has it.
std::vector<AverageImprovement> average_improvements(std::span<const Improvement> improvements);

}  // namespace tapestry::recsys
