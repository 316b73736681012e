#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "recsys/experiment/experiment_options.h"
#include "recsys/experiment/plan.h"

/// Everything that the SDRM paper reports, as two experiments: its tables as they were made (protocol `published`), and the
/// question behind them (protocol `strict`).
namespace tapestry::recsys {

/// Which options the user gave himself: they win over what the paper has.
struct GivenOptions {
  bool runs = false, protocol = false, generators = false;
};

/// The experiments of `--paper`, to be run one after the other. `asked`: the options as given, all recommenders, generators and
/// settings where none were. Published: five runs, into OUT/published. Strict: no synthetic users, MultiVAE++ and SDRM, ten runs,
/// each of which reports another tenth of the users (choose_runs may lower that), into OUT/strict. One run each, without folds,
/// under `quick`. A given protocol leaves only its own; folds are strict's; where runs or folds are given, those are taken.
std::vector<ExperimentOptions> paper_parts(const ExperimentOptions& asked, const GivenOptions& given);

/// Whether nothing was said that decides how often the strict part is run, so that its cost does (decided_runs).
bool chooses_strict_runs(const ExperimentOptions& asked, const GivenOptions& given);

/// How often to run a data set with a recommender.
struct RunChoice {
  std::string dataset, recommender;
  int runs = 0;
  double seconds = 0;  ///< predicted, of one run
};

/// `runs` where they take at most `cheap` seconds together, otherwise `fewer`, but never more than `runs`.
std::vector<RunChoice> choose_runs(std::vector<RunChoice> predicted, int runs, int fewer, double cheap);

/// "strict: ml-1m mlp: 5 runs, about 21 min each".
std::vector<std::string> choice_lines(std::span<const RunChoice> choices);

/// Decides for a strict part by what make_plan predicts: ten runs where they take at most an hour or are finished, otherwise the
/// paper's five, with folds the first five. The decision is read from `file` where it has been made before, so that a job that
/// goes on keeps it. Written there when `keep`: the caller has the folder of `file` then (FolderLock), and keeps it until the
/// work is done, so that no other start decides meanwhile, or is refused after it has decided.
std::vector<RunChoice> decided_runs(const std::vector<LoadedDataset>& datasets, const ExperimentOptions& strict,
                                    const std::filesystem::path& file, bool keep, const PlanOptions& plan = {});

/// Sets fewer_runs, and runs to the largest of the choices.
void set_runs(std::span<const RunChoice> choices, ExperimentOptions& options);

}  // namespace tapestry::recsys
