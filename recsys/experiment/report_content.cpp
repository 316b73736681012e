#include "recsys/experiment/report_content.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <set>

#include "recsys/experiment/asked_stages.h"
#include "recsys/experiment/combinations.h"
#include "recsys/experiment/recommender_history.h"
#include "recsys/experiment/results_folder.h"
#include "recsys/experiment/selection.h"
#include "recsys/experiment/stage_names.h"
#include "recsys/experiment/unfinished.h"
#include "recsys/generators/model_folder.h"
#include "recsys/report/other_verdicts.h"
#include "recsys/report/text.h"
#include "recsys/report/verdict.h"
#include "tensor/error.h"
#include "tensor/random.h"

namespace tapestry::recsys {
namespace {

/// The stages of the generators asked for that have written a history, of those that belong to `stem`.
std::vector<std::string> generator_stages(const ExperimentOptions& options, const std::filesystem::path& stem) {
  const std::set<std::string> asked = stages_of_all(options.generators);
  const std::string prefix = stem.filename().string() + "-";
  std::vector<std::string> stages;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(stem.parent_path(), ignored)) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() != ".csv" || !name.starts_with(prefix)) continue;
    if (const std::string stage = name.substr(prefix.size()); asked.contains(stage)) stages.push_back(stage);
  }
  std::sort(stages.begin(), stages.end());
  return stages;
}

/// Takes a number and the comma or end behind it from the front of `text`. False when there is none.
bool take_number(std::string_view& text, double& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.empty()) text.remove_prefix(1);
  return true;
}

void read_history(const std::filesystem::path& file, TrainingCurve& curve) {
  std::ifstream in(file, std::ios::binary);
  std::string line;
  std::getline(in, line);  // "epoch,loss,metric", or what the metric is, then further columns
  const std::string_view names = line;
  const std::size_t second = names.find(',', names.find(',') + 1);
  if (second != std::string_view::npos) curve.metric_name = names.substr(second + 1, names.find(',', second + 1) - second - 1);
  while (std::getline(in, line)) {
    std::string_view rest = line;
    double epoch = 0, loss = 0, metric = 0;
    if (!take_number(rest, epoch) || !take_number(rest, loss)) return;
    curve.epoch.push_back(epoch);
    curve.loss.push_back(loss);
    curve.metric.push_back(take_number(rest, metric) ? metric : std::nan(""));
  }
  if (std::all_of(curve.metric.begin(), curve.metric.end(), [](double value) { return std::isnan(value); })) curve.metric.clear();
}

/// The recommenders asked for and, in their place, the owner of what all of them share.
std::vector<std::string> owners(const ExperimentOptions& options) {
  std::vector<std::string> names = options.recommenders;
  names.emplace_back(kBaselineOwner);
  return names;
}

/// How many of the finished units asked for no start says it computed.
std::size_t unrecorded_units(const UnitStore& store, const ExperimentOptions& options, std::span<const std::string> datasets,
                             std::span<const Start> starts) {
  std::set<std::string> recorded;
  for (const Start& start : starts) recorded.insert(start.units.begin(), start.units.end());
  std::size_t count = 0;
  for (const UnitKey& key : all_unit_keys(options, datasets)) count += !recorded.contains(key.text()) && store.has(key) ? 1 : 0;
  return count;
}

/// "2 runs from seed 1: 123, 456".
std::string runs_and_seeds(const ExperimentOptions& options) {
  std::string text = concat(options.runs, options.runs == 1 ? " run" : " runs", " from seed ", options.seed, ", by run");
  for (int run = 1; run <= options.runs; ++run)
    text += concat(run == 1 ? " " : ", ", derive_seed(options.seed, static_cast<std::uint64_t>(run)));
  for (const auto& [where, runs] : options.fewer_runs) text += concat("; the first ", runs, " with ", where);
  if (options.runs < options.folds || (options.folds > 0 && !options.fewer_runs.empty())) {
    text +=
        concat("; fewer runs than the ", options.folds, " folds report the users of the first folds alone, who stand for all");
  }
  return text;
}

/// Whether the rules by which NeuMF keeps an epoch are those that were found by the printed figures.
bool rules_by_printed(const ExperimentOptions& options) {
  return options.protocol == ProtocolName::kPublished && !options.neumf_selection;
}

/// NeuMF's share of the counts apart from the others': its rules had the printed figures to go by.
std::string neumf_counts(std::span<const Cell> cells, const ExperimentOptions& options, const ReportOptions& report) {
  if (!rules_by_printed(options)) return "";
  const auto of = [&](bool neumf) {
    std::vector<Cell> some;
    std::copy_if(cells.begin(), cells.end(), std::back_inserter(some),
                 [&](const Cell& cell) { return (cell.recommender == "neumf") == neumf; });
    return count_verdicts(some, report);
  };
  const VerdictCounts neumf = of(true), others = of(false);
  if (neumf.printed() == 0) return "";
  std::string text = "NeuMF apart: " + neumf.text("printed figures", true);
  if (others.printed() > 0) text += "; of the other recommenders: " + others.text("printed figures", true);
  return text +
         ". Which epoch NeuMF keeps follows no one rule in the published program: the rules used here, column by column, are "
         "those that the printed figures agree with (How every number was made names them).";
}

/// Table 1 and the real users. With folds, whose D differ, those of the first; the reported users are then all folds' together.
std::vector<DatasetFigures> dataset_figures(std::span<const LoadedDataset> datasets,
                                            std::span<const std::vector<ProtocolData>> protocols,
                                            std::span<const AlikeRows> alike, const ExperimentOptions& options) {
  std::vector<DatasetFigures> all;
  for (std::size_t d = 0; d < datasets.size(); ++d) {
    const std::string& name = datasets[d].data.name;
    const CsrMatrix& stored = datasets[d].data.stored;
    const ProtocolData& first = protocols[d].front();
    const CsrMatrix liked = likes(stored);
    DatasetFigures figures = {name, stored.rows(), stored.cols(), stored.nnz(), liked.nnz(), 0, matrix_shape(first.train)};
    figures.alike = alike[d].users;
    const SyntheticSummary strangers = summarise_synthetic(liked.gather_rows(first.evaluation_users), first.train);
    figures.strangers = mean_synthetic(name, "", kStrangers, std::vector{strangers}, 1);
    std::vector<std::int64_t> reported;  // of the first so many folds
    for (const ProtocolData& fold : protocols[d]) {
      reported.push_back(fold.evaluation.input.rows() + (reported.empty() ? 0 : reported.back()));
    }
    const auto by = [&](const std::string& recommender) {
      return reported[std::min(reported.size(), static_cast<std::size_t>(runs_of(options, name, recommender))) - 1];
    };
    for (const std::string& recommender : options.recommenders) figures.reported = std::max(figures.reported, by(recommender));
    for (const std::string& recommender : options.recommenders) {
      if (by(recommender) < figures.reported) figures.fewer.emplace_back(recommender, by(recommender));
    }
    all.push_back(std::move(figures));
  }
  return all;
}

/// The generators' training curves in history/, of what was asked for, by data set, recommender and stage, then by run. A line
/// that cannot be read ends its curve.
std::vector<TrainingCurve> read_curves(const UnitStore& store, const ExperimentOptions& options,
                                       std::span<const std::string> datasets) {
  std::vector<TrainingCurve> curves;
  for (const std::string& dataset : datasets) {
    for (const std::string& owner : owners(options)) {
      for (int run = 1; run <= options.runs; ++run) {
        const std::filesystem::path stem = paths_of_run(store.folder(), dataset, owner, run).history;
        for (const std::string& stage : generator_stages(options, stem)) {
          TrainingCurve curve = {dataset, owner, stage, run, {}, {}, {}};
          read_history(history_file(stem, stage), curve);
          if (!curve.epoch.empty()) curves.push_back(std::move(curve));
        }
      }
    }
  }
  return curves;
}

/// The same of the recommenders' trainings, by data set, recommender, generator, setting and run. Those that were computed before
/// histories of them were kept have none.
std::vector<TrainingCurve> read_recommender_curves(const UnitStore& store, const ExperimentOptions& options,
                                                   std::span<const std::string> datasets) {
  std::vector<TrainingCurve> curves;
  const auto read = [&](const UnitKey& key) {
    const std::filesystem::path stem = paths_of_run(store.folder(), key.dataset, key.recommender, key.run).history;
    TrainingCurve curve = {key.dataset, key.recommender, kRecommenderFit, key.run, {}, {}, {}};
    read_history(history_file(stem, recommender_history_stage(key.generator, key.setting)), curve);
    curve.generator = key.generator;
    if (key.generator != kOriginal) curve.setting = key.setting;
    if (!curve.epoch.empty()) curves.push_back(std::move(curve));
  };
  for (const CombinationKey& combination : asked_combinations(options, datasets, CombinationOrder::kOfWork)) {
    // Without synthetic users both settings are one fit.
    if (combination.generator == kOriginal && combination.setting != options.settings.front()) continue;
    for (const UnitKey& key : unit_keys(options, combination)) read(key);
  }
  return curves;
}

/// What stages.jsonl says of them, summed over the runs.
std::vector<StageTime> times_by_stage(const UnitStore& store, const ExperimentOptions& options,
                                      std::span<const std::string> datasets) {
  std::vector<StageTime> times;
  for (const StageRecord& record : asked_stages(store, options, datasets)) {
    auto found = std::find_if(times.begin(), times.end(), [&](const StageTime& time) {
      return time.dataset == record.dataset && time.recommender == record.recommender && time.stage == record.stage;
    });
    if (found == times.end()) found = times.insert(times.end(), {record.dataset, record.recommender, record.stage, 0, 0});
    ++found->times;
    found->seconds += record.seconds;
  }
  return times;
}

}  // namespace

ReportContent report_content(const UnitStore& store, const ExperimentOptions& options, std::span<const LoadedDataset> datasets,
                             std::span<const std::vector<ProtocolData>> protocols, std::span<const AlikeRows> alike,
                             std::span<const Start> starts, const ReportOptions& report, const Outputs& outputs) {
  const std::vector<std::string> names = dataset_names(datasets);
  ReportContent content;
  content.options = report;
  content.headline = headline(outputs.cells, outputs.comparisons, report);
  content.datasets = dataset_figures(datasets, protocols, alike, options);
  content.alike = outputs.alike;
  content.synthetic = outputs.synthetic;
  content.cells = outputs.cells;
  content.comparisons = outputs.comparisons;
  content.failures = outputs.failures;
  content.unfinished = outputs.unfinished;
  content.curves = read_curves(store, options, names);
  content.recommender_curves = read_recommender_curves(store, options, names);
  content.times = times_by_stage(store, options, names);
  std::vector<std::string> more = other_verdicts(content);
  if (const std::string of_neumf = neumf_counts(content.cells, options, report); !of_neumf.empty()) {
    more.insert(more.begin(), of_neumf);
  }
  // Behind the counts of tables 3 and 4.
  content.headline.answer.insert(content.headline.answer.begin() + 1, more.begin(), more.end());
  content.origin.emplace_back("command", repaired_utf8(options.command));
  for (auto& row : computed_by(starts, unrecorded_units(store, options, names, starts))) content.origin.push_back(std::move(row));
  content.origin.emplace_back("protocol", report.protocol);
  content.origin.emplace_back("variant of SDRM", to_string(options.variant));
  content.origin.emplace_back("runs and seed", runs_and_seeds(options));
  content.origin.emplace_back("device and threads",
                              concat(options.device, options.device == "cuda" ? ", matrix products in " + options.precision : "",
                                     ", ", options.threads, " threads, ", options.jobs, " jobs side by side"));
  double seconds = 0;
  for (const StageTime& time : content.times) seconds += time.seconds;
  content.origin.emplace_back("time", concat(std::llround(seconds), " seconds of work, over all runs and starts (see Times)"));
  content.origin.emplace_back("hyperparameters", "in config.json beside this file, by data set and recommender");
  for (const auto& [name, version] : options.versions)
    content.origin.emplace_back(name == "tapestry" ? "version" : name, version);
  for (const LoadedDataset& loaded : datasets) {
    const Dataset& data = loaded.data;
    const bool asked = std::find(options.recommenders.begin(), options.recommenders.end(), "neumf") != options.recommenders.end();
    if (const std::string rules = asked ? neumf_rules(hyperparameters_for(options, data.name, "neumf")) : ""; !rules.empty()) {
      content.origin.emplace_back(
          "epoch that NeuMF keeps, " + data.name,
          rules + (rules_by_printed(options) ? " (chosen by the printed figures, docs/reproduction.md)" : ""));
    }
    content.origin.emplace_back(data.name, concat(data.source, ": ", data.stored.rows(), " users, ", data.stored.cols(),
                                                  " items, ", data.stored.nnz(), " entries, SHA-256 ", data.sha256));
  }
  for (const std::string& line : unfinished_lines(content.unfinished)) content.origin.emplace_back("not finished", line);
  return content;
}

}  // namespace tapestry::recsys
