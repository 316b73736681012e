// The recommenders' training with its updates repeated as CUDA graphs, against the same with every update called.
#include "recsys/recommenders/mlp.h"
#include "recsys/recommenders/neumf.h"
#include "tensor/step_graph.h"
#include "tests/support/asked.h"
#include "tests/support/device.h"
#include "tests/support/gpu_test.h"
#include "tests/support/graphs_switch.h"
#include "tests/support/modules.h"
#include "tests/support/random_data.h"

namespace tapestry::recsys {
namespace {

using tapestry::tests::Asked;
using tapestry::tests::asked_now;
using tapestry::tests::expect_copies_per_epoch;
using tapestry::tests::GraphsSwitch;
using tapestry::tests::test_device;

class RecommendersOnDeviceGraphs : public tapestry::tests::GpuTest {
 protected:
  static constexpr std::int64_t kItems = 30, kEpochs = 6;

  struct Trained {
    std::unique_ptr<nn::Module> model;
    std::vector<double> losses;
    std::vector<Asked> asked;  ///< after the first update of each epoch
  };
  /// Looks at the first update of each epoch.
  static FitListener watched(Trained& trained) {
    return [&trained](const StageProgress& progress) {
      if (progress.epoch == static_cast<std::int64_t>(trained.asked.size())) trained.asked.push_back(asked_now());
    };
  }

  static Trained trained_mlp(std::int64_t rows) {
    MlpConfig config;
    config.width = 3;
    config.first = 12;
    config.hidden = 7;
    config.batch = 9;
    config.max_epochs = config.patience = kEpochs;
    nn::Initializer init(3, DType::kFloat32, test_device());
    auto model = std::make_unique<MlpModel>(kItems, rows, config, init);
    const CsrMatrix all = tapestry::tests::grouped_matrix(rows + 8, kItems, 3, 5);
    Trained trained;
    const MlpFit fit = fit_mlp(*model, all.slice_rows(0, rows), all.slice_rows(rows, rows + 8), config, 11, watched(trained));
    for (const MlpEpoch& epoch : fit.history) trained.losses.push_back(epoch.loss);
    trained.model = std::move(model);
    return trained;
  }
  static Trained trained_neumf(std::int64_t users) {
    NeuMfConfig config;
    config.gmf_width = 5;
    config.mlp_width = 8;
    config.batch = 25;
    config.max_epochs = kEpochs;
    config.selection = NeuMfSelection::kBestLoss;
    const CsrMatrix likes = tapestry::tests::grouped_matrix(users, kItems, 3, 5);
    Triples triples;
    for (std::int64_t user = 0; user < users; ++user) {
      for (const std::int32_t item : likes.row(user)) {
        triples.add(static_cast<std::int32_t>(user), item, item % 4 == 0 ? 0.0f : 1.0f);
      }
    }
    nn::Initializer init(4, DType::kFloat32, test_device());
    auto model = std::make_unique<NeuMfModel>(users, kItems, config, init);
    Trained trained;
    for (const NeuMfEpoch& epoch : fit_neumf(*model, triples, config, 12, {}, watched(trained)).history) {
      trained.losses.push_back(epoch.loss);
    }
    trained.model = std::move(model);
    return trained;
  }

  template <typename Train>
  static std::int64_t expect_same_bits(const Train& train) {
    const std::int64_t before = StepGraph::launches();
    const Trained repeated = train();
    const std::int64_t launches = StepGraph::launches() - before;
    const GraphsSwitch off("off");
    const Trained called = train();
    EXPECT_EQ(StepGraph::launches() - before, launches);
    EXPECT_EQ(repeated.losses, called.losses);
    EXPECT_TRUE(tapestry::tests::same_state(*repeated.model, *called.model));
    return launches;
  }
};

TEST_F(RecommendersOnDeviceGraphs, MlpTrainsToTheSameBits) {
  EXPECT_EQ(expect_same_bits([] { return trained_mlp(32); }), 4 * kEpochs - 2);  // two sizes of batch, each called once
}

TEST_F(RecommendersOnDeviceGraphs, NeuMfTrainsToTheSameBits) {
  // An epoch has as many triples as it has ones and zeros, so that the last batch is of another size each time.
  EXPECT_GE(expect_same_bits([] { return trained_neumf(12); }), 3 * kEpochs);
}

TEST_F(RecommendersOnDeviceGraphs, UpdatesNeedNothingOfTheHost) {
  const std::int64_t before = pool_stats(Device::kCuda).bytes_in_use;
  for (const std::int64_t rows : {32, 60}) {
    // There: order, constants and the cursor; back: the losses, and the errors of the validation rows.
    expect_copies_per_epoch(trained_mlp(rows).asked, 3, 2);
  }
  for (const std::int64_t users : {12, 25}) {
    // The epoch's triples and those of its validation are three arrays each.
    std::vector<Asked> asked = trained_neumf(users).asked;
    for (std::size_t epoch = 2; epoch < asked.size(); ++epoch) {  // a new size of the last batch may ask for memory
      EXPECT_EQ(asked[epoch].to_device - asked[epoch - 1].to_device, 3 + 2 + 3);
      EXPECT_EQ(asked[epoch].to_host - asked[epoch - 1].to_host, 2);
    }
  }
  EXPECT_EQ(pool_stats(Device::kCuda).bytes_in_use, before) << "memory of the graphs was not given back";
}

}  // namespace
}  // namespace tapestry::recsys
