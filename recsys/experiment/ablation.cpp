#include "recsys/experiment/ablation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>

#include "recsys/data/joined.h"
#include "recsys/experiment/selection.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

constexpr const char* kPublishedName = "published";

const char* description(Deviation deviation) {
  switch (deviation) {
    case Deviation::kDislikesRelevant:
      return "Of the reported users only the likes are input, held out and selected on; the hold-out is the same draw without "
             "its dislikes.";
    case Deviation::kDislikesInDensity:
      return "Synthetic users get the density of the real users' likes, dislikes not counted.";
    case Deviation::kSelectionLeak:
      return "Epochs are chosen on users of the test group, on likes that leave the generators' fit, instead of on the reported "
             "users.";
    case Deviation::kTiedLayers:
      return "SDRM's hidden layers have weights of their own.";
    case Deviation::kSamplingDropout:
      return "SDRM's dropout is off while sampling.";
    case Deviation::kScoreModel:
      return "SDRM's sampler takes nothing away: the output of its network counts as 0.";
  }
  return "";
}

/// combine(a, b) run by run. A result without randomness has one run, which stands for all.
std::vector<double> combined(const Cell& a, const Cell& b, const std::function<double(double, double)>& combine) {
  const std::size_t runs = std::max(a.runs.size(), b.runs.size());
  std::vector<double> values;
  for (std::size_t r = 0; r < runs; ++r) {
    values.push_back(combine(a.runs[a.runs.size() == 1 ? 0 : r], b.runs[b.runs.size() == 1 ? 0 : r]));
  }
  return values;
}

double average(double a, double b) { return 0.5 * (a + b); }
double less(double a, double b) { return a - b; }

Estimate estimate(const std::vector<double>& values) { return {mean(values), mean_interval(values)}; }

}  // namespace

std::vector<Ablation> ablations(const std::string& recommender) {
  if (learns_from_dislikes(recommender)) {
    const std::string first = "neumf-first-epoch", recall = "neumf-best-recall";
    return {{first, "", "NeuMF keeps the first epoch's weights.", {}, {}, NeuMfSelection::kFirstEpoch},
            {"neumf-best-loss", first, "NeuMF keeps the epoch of the best validation loss.", {}, {}, NeuMfSelection::kBestLoss},
            {recall,
             first,
             "NeuMF keeps the epoch of the best Recall@10 on the reported users.",
             {},
             {},
             NeuMfSelection::kBestRecall},
            {recall + "-no-dislikes",
             recall,
             "The same, and the reported users' dislikes are neither fitted nor masked, as in the published search.",
             {},
             {},
             NeuMfSelection::kBestRecallNoDislikes},
            {recall + "-without-selection-leak",
             recall,
             "NeuMF keeps the epoch of the best Recall@10 on users of the test group.",
             {Deviation::kSelectionLeak},
             {},
             NeuMfSelection::kBestRecall}};
  }
  std::vector<Ablation> all = {{kPublishedName, "", "The authors' program as it is."}};
  for (const std::string& name : known_deviations()) {
    const Deviation deviation = *parse_deviations(std::array{name}).begin();
    all.push_back({"without-" + name, kPublishedName, description(deviation), {deviation}});
  }
  all.push_back({"variant-paper", kPublishedName, "All of SDRM's formulas as in the paper's text.", {}, sdrm::Variant::kPaper});
  return all;
}

std::vector<Ablation> select_ablations(const std::string& recommender, std::span<const std::string> names) {
  const std::vector<Ablation> all = ablations(recommender);
  std::vector<std::string> known;
  for (const Ablation& ablation : all) known.push_back(ablation.name);
  const std::vector<std::string> selected = select_names("ablation of " + recommender, names, known);
  std::set<std::string> needed(selected.begin(), selected.end());
  for (auto it = all.rbegin(); it != all.rend(); ++it) {  // what is compared comes behind its reference
    if (needed.contains(it->name) && !it->reference.empty()) needed.insert(it->reference);
  }
  std::vector<Ablation> chosen;
  std::copy_if(all.begin(), all.end(), std::back_inserter(chosen), [&](const Ablation& a) { return needed.contains(a.name); });
  return chosen;
}

std::vector<std::pair<std::string, std::vector<Ablation>>> ablations_by_recommender(std::span<const std::string> recommenders,
                                                                                    std::span<const std::string> names) {
  std::map<std::string, std::vector<std::string>> known;
  std::vector<std::string> of_all;
  for (const std::string& recommender : recommenders) {
    for (const Ablation& ablation : ablations(recommender)) {
      known[recommender].push_back(ablation.name);
      if (std::find(of_all.begin(), of_all.end(), ablation.name) == of_all.end()) of_all.push_back(ablation.name);
    }
  }
  select_names("ablation of " + joined(recommenders), names, of_all);
  std::vector<std::pair<std::string, std::vector<Ablation>>> chosen;
  for (const std::string& recommender : recommenders) {
    std::vector<std::string> own;
    std::copy_if(names.begin(), names.end(), std::back_inserter(own), [&](const std::string& name) {
      const std::vector<std::string>& has = known[recommender];
      return name == "all" || std::find(has.begin(), has.end(), name) != has.end();
    });
    chosen.emplace_back(recommender, own.empty() ? std::vector<Ablation>() : select_ablations(recommender, own));
  }
  return chosen;
}

ExperimentOptions options_for(const Ablation& ablation, ExperimentOptions options) {
  options.without = ablation.without;
  options.variant = ablation.variant;
  options.neumf_selection = ablation.neumf_selection;
  options.out = options.out / ablation.name;
  return options;
}

std::vector<Cell> with_conclusions(std::span<const Cell> cells) {
  std::vector<Cell> all(cells.begin(), cells.end());
  // Each step looks at what the ones before have added.
  const auto derive = [&](const auto& a_and_b, const std::function<double(double, double)>& combine) {
    const std::vector<Cell> before = all;
    for (const Cell& cell : before) {
      const std::optional<std::array<std::string, 4>> names = a_and_b(cell);
      if (!names) continue;
      const auto& [other_setting, other_generator, setting, generator] = *names;
      const Cell* other = find_cell(before, cell.dataset, cell.recommender, other_setting, other_generator, cell.metric);
      if (other == nullptr) continue;
      all.push_back({cell.dataset, cell.recommender, setting, generator, cell.metric, combined(cell, *other, combine), {}});
    }
  };
  using Names = std::optional<std::array<std::string, 4>>;  // the other cell's setting and generator, and the new one's
  derive(
      [](const Cell& c) {
        return c.setting == "augment" ? Names({"replace", c.generator, "both", c.generator}) : Names();
      },
      average);
  derive(
      [](const Cell& c) {
        return c.generator == "f-sdrm" ? Names({c.setting, "m-sdrm", c.setting, "f-, m-sdrm"}) : Names();
      },
      average);
  for (const std::string& base : {std::string("multivae++"), std::string(kOriginal)}) {
    derive(
        [&](const Cell& c) {
          const bool contest = c.generator != base && c.generator != kOriginal && c.generator.find(" over ") == std::string::npos;
          return contest ? Names({c.setting, base, c.setting, c.generator + " over " + base}) : Names();
        },
        less);
  }
  return all;
}

bool Effect::is_exact() const { return generator == kOriginal && is_deterministic(recommender); }

std::string Effect::in_words() const {
  if (reference.mean == changed.mean && difference.mean == 0 && !(difference.interval.low < 0)) return "nothing";
  if (difference.interval.low <= 0 && difference.interval.high >= 0) return "not seen";
  if (std::isnan(difference.interval.low) && !is_exact()) return "one run only";
  return difference.mean > 0 ? "raises" : "lowers";
}

std::vector<Effect> effects(const std::string& ablation, std::span<const Cell> reference, std::span<const Cell> changed) {
  std::vector<Effect> all;
  for (const Cell& cell : reference) {
    const Cell* other = find_cell(changed, cell.dataset, cell.recommender, cell.setting, cell.generator, cell.metric);
    if (other == nullptr || other->runs.size() != cell.runs.size()) continue;
    std::vector<double> ours, theirs, differences;
    for (std::size_t r = 0; r < cell.runs.size(); ++r) {
      if (std::isnan(cell.runs[r]) || std::isnan(other->runs[r])) continue;
      ours.push_back(cell.runs[r]);
      theirs.push_back(other->runs[r]);
      differences.push_back(cell.runs[r] - other->runs[r]);
    }
    if (ours.empty()) continue;
    all.push_back({ablation, cell.dataset, cell.recommender, cell.setting, cell.generator, cell.metric, ours.size(),
                   estimate(ours), estimate(theirs), estimate(differences)});
  }
  return all;
}

}  // namespace tapestry::recsys
