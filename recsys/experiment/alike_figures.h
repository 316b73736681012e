#pragma once

#include <span>
#include <vector>

#include "recsys/data/protocol.h"
#include "recsys/experiment/combinations.h"
#include "recsys/experiment/experiment_options.h"
#include "recsys/report/html_report.h"

/// What a report says of users who like exactly the same items (metrics/alike.h).
namespace tapestry::recsys {

/// The largest group of them in a data set.
struct AlikeRows {
  AlikeUsers users;
  std::vector<std::vector<bool>> reported;  ///< by fold that a run reports, by reported user: whether they belong to it
};

/// Of each data set. `protocols`: by data set and fold.
std::vector<AlikeRows> alike_rows(std::span<const LoadedDataset> datasets, std::span<const std::vector<ProtocolData>> protocols,
                                  const ExperimentOptions& options);

/// What is found for them and for the others, where they are at least kManyAlike of the reported users, and some in every fold;
/// of the combinations whose units are all finished and did not fail. `alike`: of the data sets of these names.
std::vector<AlikeFigures> alike_figures(std::span<const Combination> combinations, std::span<const std::string> names,
                                        std::span<const AlikeRows> alike);

/// A share of the reported users, chosen so that the report says nothing of the few twins that most data have.
inline constexpr double kManyAlike = 0.02;

}  // namespace tapestry::recsys
