// recsys/experiment/plan.h against the memory that the stages take.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <string>

#include "recsys/experiment/plan.h"
#include "tensor/memory.h"
#include "tests/recsys/experiment/runner_support.h"

namespace tapestry::recsys {
namespace {

/// What the tensors of the process take: what is in use and what the pool keeps for the next request.
std::int64_t tensor_bytes() {
  const PoolStats stats = pool_stats(Device::kCpu);
  return stats.bytes_in_use + stats.bytes_cached;
}

/// What the process has resident now, all of it; 0 where the system does not say.
std::int64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

using Peaks = std::map<std::string, std::int64_t>;  // by "recommender stage"

/// Looks at the memory whenever a stage says how far it is.
class MemoryWatch : public ProgressDisplay {
 public:
  MemoryWatch(Peaks& peaks, std::int64_t before) : peaks_(peaks), before_(before) {}
  void show(const ProgressEvent& event) override {
    if (event.label.run == 0 || event.label.stage.empty()) return;  // loading, or a unit's end
    std::int64_t& peak = peaks_[event.label.recommender + " " + event.label.stage];
    peak = std::max(peak, tensor_bytes() - before_);
  }

 private:
  Peaks& peaks_;
  std::int64_t before_;
};

/// One run of everything, a job at a time, for so many epochs that every stage is seen at work.
ExperimentOptions one_run(const fs::path& out) {
  ExperimentOptions options = tiny_options(out);
  options.recommenders = known_recommenders();
  options.generators = known_generators();
  options.neumf_selection = NeuMfSelection::kBestLoss;
  options.runs = 1;
  options.quick = true;  // few epochs of the other generators
  options.hyperparameters = [](const std::string&, const std::string& recommender) {
    Hyperparameters values = hyperparameters("simulated", recommender);
    values.vae.max_epochs = 4;
    values.score.epochs = 4;
    if (values.mlp) values.mlp->max_epochs = 3;
    if (values.neumf) values.neumf->max_epochs = 3;
    return values;
  };
  return options;
}

TEST(PlanMemory, EveryStageWithinAQuarter) {
  const TempFolder folder;
  const ExperimentOptions options = one_run(folder.path() / "out");
  std::vector<LoadedDataset> datasets;
  datasets.push_back({simulate_dataset({}), 0});
  const std::int64_t resident = resident_bytes();
  const WorkPlan plan = make_plan(datasets, options);
  pool_trim(Device::kCpu);
  Peaks measured;
  Progress progress(std::make_unique<MemoryWatch>(measured, tensor_bytes()));
  Experiment(datasets, options, progress).run();
  EXPECT_EQ(plan.rows.size(), measured.size());
  double largest = 0;
  for (const PlannedRow& row : plan.rows) {
    const auto taken = static_cast<double>(measured[row.recommender + " " + row.stage]);
    EXPECT_GT(taken, 0) << row.recommender << " " << row.stage;
    EXPECT_NEAR(static_cast<double>(row.bytes), taken, 0.25 * taken) << row.recommender << " " << row.stage;
    largest = std::max(largest, taken);
  }
  const auto peak = static_cast<double>(plan.peak_bytes);
  EXPECT_GE(peak, 0.75 * largest) << "of the process, which is more than its tensors";
  EXPECT_LE(peak, 1.25 * largest + static_cast<double>(resident)) << "by the program and its data, and no more";
}

}  // namespace
}  // namespace tapestry::recsys
