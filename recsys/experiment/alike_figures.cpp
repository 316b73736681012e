#include "recsys/experiment/alike_figures.h"

#include <algorithm>
#include <cmath>

#include "recsys/metrics/alike.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

constexpr const char* kMetric = "Recall@10";

std::int64_t count(const std::vector<bool>& rows) { return std::count(rows.begin(), rows.end(), true); }

/// How many folds have a run that reports their users.
std::size_t folds_with_runs(const ExperimentOptions& options, const std::string& dataset, std::size_t folds) {
  int runs = 0;
  for (const std::string& recommender : options.recommenders) runs = std::max(runs, runs_of(options, dataset, recommender));
  return std::min(folds, static_cast<std::size_t>(runs));
}

bool many(const AlikeRows& rows) {
  std::size_t reported = 0;
  for (const std::vector<bool>& fold : rows.reported) {
    if (count(fold) == 0) return false;
    reported += fold.size();
  }
  return static_cast<double>(rows.users.reported) >= kManyAlike * static_cast<double>(reported);
}

/// Mean over the users of whom `alike` says `wanted`; users without a figure, who hold nothing out, do not count.
double mean_where(const std::vector<double>& values, const std::vector<bool>& alike, bool wanted) {
  check(values.size() == alike.size(), "alike_figures: figures of ", values.size(), " users, of whom ", alike.size(),
        " are reported");
  double sum = 0, users = 0;
  for (std::size_t user = 0; user < values.size(); ++user) {
    if (alike[user] != wanted || std::isnan(values[user])) continue;
    sum += values[user];
    users += 1;
  }
  return sum / users;
}

AlikeFigures figures_of(const Combination& combination, const std::vector<std::vector<bool>>& alike) {
  const auto& [dataset, recommender, setting, generator] = combination.key;
  AlikeFigures figures = {dataset, recommender, setting, generator, {}, {}, {}};
  for (const Unit& unit : combination.units) {
    const Measures& measures = unit.measures;
    const auto metric =
        static_cast<std::size_t>(std::find(measures.names.begin(), measures.names.end(), kMetric) - measures.names.begin());
    const std::vector<bool>& of_fold = alike[static_cast<std::size_t>(unit.key.run - 1) % alike.size()];
    figures.all.push_back(measures.means[metric]);
    figures.alike.push_back(mean_where(measures.users[metric], of_fold, true));
    figures.others.push_back(mean_where(measures.users[metric], of_fold, false));
  }
  return figures;
}

}  // namespace

std::vector<AlikeRows> alike_rows(std::span<const LoadedDataset> datasets, std::span<const std::vector<ProtocolData>> protocols,
                                  const ExperimentOptions& options) {
  std::vector<AlikeRows> all(datasets.size());
  for (std::size_t d = 0; d < datasets.size(); ++d) {
    const Dataset& data = datasets[d].data;
    const CsrMatrix liked = likes(data.stored);
    const std::vector<std::int32_t> items = most_shared_row(liked);
    if (items.empty()) continue;
    AlikeRows& rows = all[d];
    const std::span folds = std::span(protocols[d]).first(folds_with_runs(options, data.name, protocols[d].size()));
    for (const ProtocolData& fold : folds) {
      rows.reported.push_back(equals_row(liked.gather_rows(fold.evaluation_users), items));
      rows.users.reported += count(rows.reported.back());
    }
    rows.users.items = static_cast<std::int64_t>(items.size());
    rows.users.users = count(equals_row(liked, items));
    rows.users.of_train = count(equals_row(folds.front().train, items));
  }
  return all;
}

std::vector<AlikeFigures> alike_figures(std::span<const Combination> combinations, std::span<const std::string> names,
                                        std::span<const AlikeRows> alike) {
  std::vector<AlikeFigures> all;
  for (std::size_t d = 0; d < alike.size(); ++d) {
    if (alike[d].users.items == 0 || !many(alike[d])) continue;
    for (const Combination& combination : combinations) {
      if (combination.key.dataset != names[d] || !combination.complete() || combination.failed()) continue;
      all.push_back(figures_of(combination, alike[d].reported));
    }
  }
  return all;
}

}  // namespace tapestry::recsys
