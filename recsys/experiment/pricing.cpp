#include "recsys/experiment/pricing.h"

#include <algorithm>
#include <cmath>

#include "recsys/data/joined.h"
#include "recsys/experiment/expected_epochs.h"
#include "recsys/experiment/selection.h"
#include "recsys/experiment/stage_names.h"
#include "recsys/generators/make_generators.h"

namespace tapestry::recsys {
namespace {

/// Under which name a recommender's measurement is kept: by what it learns from, and what it does after each epoch.
std::string kind_of(const RunJob& job, const StageCall& call) {
  const Hyperparameters values = for_unit(job.values, call.setting, call.generator);
  const std::string data = call.generator == kOriginal ? kOriginal : call.setting;
  return values.neumf ? concat(data, ", ", to_string(values.neumf->selection)) : data;
}

template <typename Names>
void add_once(Names& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

}  // namespace

void Pricing::measure_group(const RunJob& job, const std::vector<std::string>& generators) {
  const bool shared = !belongs_to_recommender(generators.front());
  // With dislikes drawing takes longer.
  const std::string key = concat(job.dataset, " ", joined(generators), " ", learns_from_dislikes(job.recommender));
  std::map<std::string, StageRate> rates;
  if (const auto found = for_all_.find(key); shared && found != for_all_.end()) {
    rates = found->second;
  } else {
    if (options_.progress) options_.progress(job.dataset + (shared ? " " : " " + job.recommender + " ") + generators.front());
    rates = measure_generators(job, generators, {.clock = options_.clock, .poll = options_.poll});
    if (shared) for_all_[key] = rates;
  }
  rates_[{job.dataset, job.recommender}].generators.insert(rates.begin(), rates.end());
}

void Pricing::measure(const RunJob& job, const std::vector<StageCall>& calls) {
  PairRates& rates = rates_[{job.dataset, job.recommender}];
  std::vector<std::string> family;
  std::map<std::string, std::vector<std::string>> others;  // by model
  for (const StageCall& call : calls) {
    if (finished_.times().expected(job, call)) continue;
    if (call.stage == kSimilarity) {
      if (!rates.similarity) rates.similarity = measure_similarity(job, {.clock = options_.clock, .poll = options_.poll});
      continue;
    }
    if (!is_recommenders(call.stage)) {
      if (rates.generators.count(call.stage) == 0)
        add_once(belongs_to_recommender(call.generator) ? family : others[model_of(call.generator)], call.generator);
    } else if (rates.recommenders.count(kind_of(job, call)) == 0) {
      if (options_.progress) options_.progress(job.dataset + " " + job.recommender + " " + kind_of(job, call));
      if (!rates.evaluation) rates.evaluation = measure_evaluation(job, {.clock = options_.clock, .poll = options_.poll});
      rates.recommenders[kind_of(job, call)] = measure_recommender(job, call.generator, call.setting, *rates.evaluation,
                                                                   {.clock = options_.clock, .poll = options_.poll});
    }
  }
  for (const auto& [model, names] : others) measure_group(job, names);
  if (!family.empty()) measure_group(job, family);
}

PricedCall Pricing::price(const RunJob& job, const StageCall& call, const StageRate& rate) const {
  PricedCall priced = {call, 0, rate.peak_bytes, ""};
  if (const std::optional<KnownMean> mean = finished_.times().expected(job, call)) {
    priced.seconds = mean->mean;
    priced.basis = concat("mean of ", mean->count, " finished here");
    return priced;
  }
  RunJob unit = job;
  unit.values = for_unit(job.values, call.setting, call.generator);
  const ExpectedEpochs expected = expected_epochs(unit, call, finished_);
  priced.seconds = rate.total(expected.epochs);
  if (expected.epochs > 0 && rate.epoch_seconds > 0) {
    const long epochs = std::lround(expected.epochs);
    priced.basis = concat(epochs, epochs == 1 ? " epoch" : " epochs", expected.source.empty() ? "" : ", ", expected.source);
  }
  return priced;
}

std::vector<PricedCall> Pricing::price(const RunJob& job, const std::vector<StageCall>& calls) {
  measure(job, calls);
  const PairRates& rates = rates_.at({job.dataset, job.recommender});
  std::map<std::string, std::int64_t> kept;  // by generator, or for those that share models: what stays until the job ends
  std::vector<PricedCall> priced;
  for (const StageCall& call : calls) {
    StageRate rate;
    if (call.stage == kSimilarity) {
      rate = rates.similarity.value_or(StageRate());
    } else if (is_recommenders(call.stage)) {
      const auto found = rates.recommenders.find(kind_of(job, call));
      if (call.stage == kEvaluate) {
        rate = rates.evaluation.value_or(StageRate());
      } else if (found != rates.recommenders.end()) {
        rate = found->second;
      }
    } else if (const auto found = rates.generators.find(call.stage); found != rates.generators.end()) {
      rate = found->second;
    }
    const std::string owner = belongs_to_recommender(call.generator) ? "family" : model_of(call.generator);
    std::int64_t others = 0;
    for (const auto& [name, bytes] : kept) others += is_recommenders(call.stage) || name != owner ? bytes : 0;
    priced.push_back(price(job, call, rate));
    priced.back().bytes += others;
    if (!is_recommenders(call.stage)) kept[owner] = std::max(kept[owner], rate.kept_bytes);
  }
  return priced;
}

}  // namespace tapestry::recsys
