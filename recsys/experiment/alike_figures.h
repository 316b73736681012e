#pragma once

#include <span>
#include <vector>

#include "recsys/data/protocol.h"
#include "recsys/experiment/experiment_options.h"
#include "recsys/experiment/unit_store.h"
#include "recsys/report/html_report.h"

/// What a report says of users who like exactly the same items (metrics/alike.h).
namespace tapestry::recsys {

/// The largest group of them. `folds`: the protocol's data of each.
AlikeUsers alike_users(const Dataset& data, std::span<const ProtocolData> folds);

/// Of each data set where they are more than a few of the reported users, what is found for them and for the others, of the
/// combinations whose units are all finished and did not fail. `figures` and `protocols`: of the same data sets, by fold.
std::vector<AlikeFigures> alike_figures(const UnitStore& store, const ExperimentOptions& options,
                                        std::span<const LoadedDataset> datasets,
                                        std::span<const std::vector<ProtocolData>> protocols);

}  // namespace tapestry::recsys
