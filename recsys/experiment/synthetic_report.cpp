#include "recsys/experiment/synthetic_report.h"

#include <algorithm>

#include "recsys/experiment/selection.h"

namespace tapestry::recsys {
namespace {

/// The summaries of one generator's runs, from the first setting that has them.
std::vector<SyntheticSummary> finished(const UnitStore& store, const ExperimentOptions& options, const std::string& dataset,
                                       const std::string& recommender, const std::string& generator) {
  for (const std::string& setting : options.settings) {
    std::vector<SyntheticSummary> runs;
    for (const UnitKey& key : unit_keys(options, dataset, recommender, setting, generator)) {
      const std::optional<Unit> unit = store.read(key);
      if (unit && unit->synthetic) runs.push_back(*unit->synthetic);
    }
    if (!runs.empty()) return runs;
  }
  return {};
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
    for (int fold = 0; fold < std::max(1, options.folds); ++fold) {
      const ProtocolData protocol = make_protocol(loaded.data, options.protocol, options.seed, {fold, options.folds});
      figures.reported += protocol.evaluation.input.rows();
      if (fold == 0) figures.shape = matrix_shape(protocol.train);
    }
    all.push_back(std::move(figures));
  }
  return all;
}

}  // namespace tapestry::recsys
