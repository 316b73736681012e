#include "recsys/experiment/alike_figures.h"

#include <algorithm>
#include <cmath>

#include "recsys/experiment/combinations.h"
#include "recsys/metrics/alike.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

constexpr const char* kMetric = "Recall@10";
constexpr double kFew = 0.02;  // of the reported users: fewer change no mean that is worth naming

std::int64_t count(const std::vector<bool>& rows) { return std::count(rows.begin(), rows.end(), true); }

/// Which of a fold's reported users have exactly these likes. [V]
std::vector<bool> reported_alike(const CsrMatrix& liked, const ProtocolData& fold, std::span<const std::int32_t> items) {
  return equals_row(liked.gather_rows(fold.evaluation_users), items);
}

/// Means over the users of whom `alike` says `wanted`; users without a figure, who hold nothing out, do not count.
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

AlikeUsers alike_users(const Dataset& data, std::span<const ProtocolData> folds) {
  const CsrMatrix liked = likes(data.stored);
  const std::vector<std::int32_t> items = most_shared_row(liked);
  if (items.empty()) return {};
  AlikeUsers users = {static_cast<std::int64_t>(items.size()), count(equals_row(liked, items)),
                      count(equals_row(folds.front().train, items)), 0};
  for (const ProtocolData& fold : folds) users.reported += count(reported_alike(liked, fold, items));
  return users;
}

std::vector<AlikeFigures> alike_figures(const UnitStore& store, const ExperimentOptions& options,
                                        std::span<const LoadedDataset> datasets,
                                        std::span<const std::vector<ProtocolData>> protocols) {
  std::vector<AlikeFigures> all;
  for (std::size_t d = 0; d < datasets.size(); ++d) {
    const CsrMatrix liked = likes(datasets[d].data.stored);
    const std::vector<std::int32_t> items = most_shared_row(liked);
    std::vector<std::vector<bool>> alike;  // by fold
    std::int64_t reported = 0, of_those = 0;
    bool in_every_fold = true;
    for (const ProtocolData& fold : protocols[d]) {
      alike.push_back(reported_alike(liked, fold, items));
      reported += static_cast<std::int64_t>(alike.back().size());
      of_those += count(alike.back());
      in_every_fold = in_every_fold && count(alike.back()) > 0;
    }
    if (items.empty() || !in_every_fold || static_cast<double>(of_those) < kFew * static_cast<double>(reported)) continue;
    for (const Combination& combination : read_combinations(store, options, std::vector{datasets[d].data.name})) {
      if (combination.complete() && !combination.failed()) all.push_back(figures_of(combination, alike));
    }
  }
  return all;
}

}  // namespace tapestry::recsys
