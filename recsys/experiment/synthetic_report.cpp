#include "recsys/experiment/synthetic_report.h"

#include <algorithm>
#include <map>

#include "recsys/experiment/combinations.h"

namespace tapestry::recsys {
namespace {

/// The summaries of one generator's runs, which are the same in every setting. None unless a setting's units are all finished, as
/// everywhere in a report; a run whose recommender failed in one setting may have its summary from another.
std::vector<SyntheticSummary> finished(const UnitStore& store, const ExperimentOptions& options, const std::string& dataset,
                                       const std::string& recommender, const std::string& generator) {
  std::map<int, SyntheticSummary> by_run;
  for (const std::string& setting : options.settings) {
    const Combination combination = read_combination(store, options, {dataset, recommender, setting, generator});
    if (!combination.complete()) continue;
    for (const Unit& unit : combination.units) {
      if (unit.synthetic) by_run.emplace(unit.key.run, *unit.synthetic);
    }
  }
  std::vector<SyntheticSummary> runs;
  for (const auto& [run, summary] : by_run) runs.push_back(summary);
  return runs;
}

}  // namespace

std::vector<SyntheticFigures> collect_synthetic(const UnitStore& store, const ExperimentOptions& options,
                                                std::span<const std::string> datasets) {
  std::vector<SyntheticFigures> all;
  for (const std::string& dataset : datasets) {
    for (const std::string& recommender : options.recommenders) {
      for (const std::string& generator : options.generators) {
        const std::vector<SyntheticSummary> runs = finished(store, options, dataset, recommender, generator);
        if (!runs.empty()) all.push_back(mean_synthetic(dataset, recommender, generator, runs));
      }
    }
  }
  return all;
}

std::vector<DatasetFigures> dataset_figures(std::span<const LoadedDataset> datasets, const ExperimentOptions& options) {
  std::vector<DatasetFigures> all;
  for (const LoadedDataset& loaded : datasets) {
    const CsrMatrix& stored = loaded.data.stored;
    DatasetFigures figures = {
        loaded.data.name, stored.rows(), stored.cols(), stored.nnz(), likes(loaded.data.stored).nnz(), 0, {}};
    std::vector<std::int64_t> reported;  // of the first so many folds
    for (int fold = 0; fold < std::max(1, options.folds); ++fold) {
      const ProtocolData protocol = make_protocol(loaded.data, options.protocol, options.seed, {fold, options.folds});
      reported.push_back(protocol.evaluation.input.rows() + (fold > 0 ? reported.back() : 0));
      if (fold == 0) figures.shape = matrix_shape(protocol.train);
    }
    const auto by = [&](const std::string& recommender) {
      return reported[std::min(reported.size(), static_cast<std::size_t>(runs_of(options, loaded.data.name, recommender))) - 1];
    };
    for (const std::string& recommender : options.recommenders) figures.reported = std::max(figures.reported, by(recommender));
    for (const std::string& recommender : options.recommenders) {
      if (by(recommender) < figures.reported) figures.fewer.emplace_back(recommender, by(recommender));
    }
    all.push_back(std::move(figures));
  }
  return all;
}

}  // namespace tapestry::recsys
