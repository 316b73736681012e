#pragma once

#include <span>
#include <vector>

#include "recsys/experiment/experiment_options.h"
#include "recsys/experiment/journal.h"
#include "recsys/experiment/outputs.h"
#include "recsys/experiment/unit_store.h"
#include "recsys/report/html_report.h"

namespace tapestry::recsys {

/// Everything report.html shows. `protocols`: by data set and fold. `alike`: by data set. `starts`: all on the folder.
ReportContent report_content(const UnitStore& store, const ExperimentOptions& options, std::span<const LoadedDataset> datasets,
                             std::span<const std::vector<ProtocolData>> protocols, std::span<const AlikeRows> alike,
                             std::span<const Start> starts, const ReportOptions& report, const Outputs& outputs);

}  // namespace tapestry::recsys
