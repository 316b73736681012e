#pragma once

#include <span>
#include <string>
#include <vector>

#include "recsys/experiment/experiment_options.h"
#include "recsys/experiment/unit_store.h"
#include "recsys/report/html_report.h"

/// What a report says of the users themselves, real and synthetic.
namespace tapestry::recsys {

/// The synthetic users of every generator that was asked for, means over the finished units of its runs. They do not depend on
/// the setting: the first one with such units is read. Generators without any, and `original`, are left out.
std::vector<SyntheticFigures> collect_synthetic(const UnitStore& store, const ExperimentOptions& options,
                                                std::span<const std::string> datasets);

/// Table 1 and the real users. With folds, whose D differ, those of the first; the reported users are then all folds' together.
std::vector<DatasetFigures> dataset_figures(std::span<const LoadedDataset> datasets, const ExperimentOptions& options);

}  // namespace tapestry::recsys
