#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "recsys/experiment/paper.h"
#include "recsys/experiment/runner.h"

namespace tapestry::apps {

/// What the user asked for, names checked.
struct ReproduceOptions {
  std::filesystem::path data;         ///< one folder per data set
  std::vector<std::string> datasets;  ///< in the order of reports
  std::vector<std::string> remarks;   ///< lines about choices that were made for the user
  bool list = false;
  bool doctor = false;  ///< nothing else is read then
  bool plan = false;    ///< say what would be done
  bool paper = false;   ///< the experiments of recsys::paper_parts instead of `experiment` itself
  recsys::GivenOptions given;
  std::vector<std::string> ablations;  ///< as written: run these instead of the one experiment (ablate.h); none if empty
  recsys::ExperimentOptions experiment;
};

/// Reads the command line. Nothing when --help or --version was asked for and has been answered on standard output. Throws
/// Error(kUsage) with one line for what is not understood, and Error(kDevice) for a device that this machine or build lacks.
std::optional<ReproduceOptions> parse_reproduce_options(int argc, char** argv);

/// The text of --list: what can be asked for, and which data are there.
std::string list_text(const ReproduceOptions& options);

}  // namespace tapestry::apps
