// recsys/experiment/plan.h against the clock: what is predicted and what it takes.
#include <gtest/gtest.h>
#include <time.h>

#include <iostream>

#include "recsys/experiment/plan.h"
#include "tests/recsys/experiment/runner_support.h"

namespace tapestry::recsys {
namespace {

/// Of the calling thread: other programs on the machine do not count. Stages begin and end in one thread.
double processor_time() {
  timespec time = {};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// Every model, each for so many epochs that no early stopping cuts in.
Hyperparameters fixed_epochs(const std::string&, const std::string& recommender) {
  Hyperparameters values = hyperparameters("simulated", recommender);
  values.vae.max_epochs = 12;
  values.score.epochs = 20;
  if (values.mlp) values.mlp->max_epochs = 2;
  if (values.neumf) values.neumf->max_epochs = 2;
  return values;
}

struct Outcome {
  double predicted = 0, measured = 0;
  double least = 1, most = 1;  ///< predicted / measured of the stages that took a twentieth of the time or more
  std::string details;
  bool good() const {
    const double whole = predicted / measured;
    return std::min(whole, least) >= 0.75 && std::max(whole, most) <= 1.25;
  }
};

Outcome predict_and_measure(const std::vector<std::string>& recommenders, const std::vector<std::string>& generators) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.recommenders = recommenders;
  options.generators = generators;
  options.neumf_selection = NeuMfSelection::kBestLoss;
  options.hyperparameters = fixed_epochs;
  options.quick = generators.size() > 4;  // the other generators' epochs are fixed by it alone
  std::vector<LoadedDataset> datasets;
  datasets.push_back({simulate_dataset({}), 0});
  const WorkPlan plan = make_plan(datasets, options, {.clock = processor_time});
  Progress progress(std::make_unique<Saboteur>(), false, processor_time);
  Experiment experiment(datasets, options, progress);
  experiment.run();
  std::map<std::string, double> taken;
  Outcome outcome;
  for (const StageRecord& record : experiment.store().stages()) {
    if (record.stage == "load") continue;
    taken[record.recommender + " " + record.stage] += record.seconds;
    outcome.measured += record.seconds;
  }
  for (const PlannedRow& row : plan.rows) {
    outcome.predicted += row.seconds;
    const double seconds = taken[row.recommender + " " + row.stage];
    if (seconds >= outcome.measured / 20) {
      outcome.least = std::min(outcome.least, row.seconds / seconds);
      outcome.most = std::max(outcome.most, row.seconds / seconds);
    }
    outcome.details += concat(row.recommender, " ", row.stage, ": ", row.seconds, " predicted, ", seconds, "\n");
  }
  return outcome;
}

/// The best of three tries: a neighbour may slow down the short measurement or the long one.
void expect_within_a_quarter(const std::vector<std::string>& recommenders, const std::vector<std::string>& generators) {
  Outcome outcome;
  for (int attempt = 0; attempt < 3; ++attempt) {
    outcome = predict_and_measure(recommenders, generators);
    if (outcome.good()) break;
  }
  EXPECT_TRUE(outcome.good()) << outcome.predicted << " s predicted, " << outcome.measured << " s measured:\n" << outcome.details;
  std::cout << outcome.predicted << " s predicted, " << outcome.measured << " s measured\n" << outcome.details;
}

TEST(LongPlan, SdrmForEveryRecommenderWithinAQuarter) {
  expect_within_a_quarter(known_recommenders(), {kOriginal, "multivae++", "f-sdrm", "m-sdrm"});
}

TEST(LongPlan, EveryGeneratorWithinAQuarter) { expect_within_a_quarter({"svd"}, known_generators()); }

}  // namespace
}  // namespace tapestry::recsys
