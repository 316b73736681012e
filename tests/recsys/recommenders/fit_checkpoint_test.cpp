// MLP's and NeuMF's trainings, broken off and gone on with from a checkpoint.
#include "recsys/recommenders/mlp.h"
#include "recsys/recommenders/neumf.h"
#include "tests/support/broken_off.h"
#include "tests/support/device.h"
#include "tests/support/random_data.h"

namespace tapestry::recsys {
namespace {

using tapestry::tests::expect_to_go_on;
using tapestry::tests::Fitted;
using tapestry::tests::grouped_matrix;
using tapestry::tests::test_device;

constexpr std::int64_t kItems = 30;

/// Keeps what is told at the ends of epochs, and says so. Epochs of an earlier start are marked, and the first to come.
FitListener hearing(Fitted& fitted, const sdrm::FitCheckpoint* checkpoint, const std::function<void()>& after_epoch) {
  return [&fitted, checkpoint, after_epoch](const StageProgress& progress) {
    if (!progress.loss) return;
    const bool earlier = checkpoint != nullptr && *progress.epoch < checkpoint->earlier_epochs();
    EXPECT_EQ(progress.earlier.has_value(), earlier) << *progress.epoch;
    EXPECT_EQ(earlier && progress.earlier->last, checkpoint != nullptr && *progress.epoch + 1 == checkpoint->earlier_epochs());
    fitted.told.insert(fitted.told.end(), {static_cast<double>(*progress.epoch), *progress.loss, progress.metric.value_or(-1)});
    after_epoch();
  };
}

TEST(RecommenderCheckpoint, AnMlpGoesOnToTheSameBits) {
  const CsrMatrix all = grouped_matrix(48, kItems, 3, 5);
  for (const std::int64_t patience : {2, 6}) {  // it ends early, or with its last epoch
    MlpConfig config;
    config.width = 3;
    config.first = 12;
    config.hidden = 7;
    config.batch = 9;
    config.max_epochs = 6;
    config.patience = patience;
    config.min_delta = patience == 2 ? 0.5 : 1e-5;
    const std::int64_t epochs = patience == 2 ? 3 : 6;
    expect_to_go_on(epochs,
                    [&](std::uint64_t first_values, sdrm::FitCheckpoint* checkpoint, const std::function<void()>& after_epoch) {
                      nn::Initializer init(first_values, DType::kFloat32, test_device());
                      auto model = std::make_unique<MlpModel>(kItems, 40, config, init);
                      Fitted fitted;
                      const MlpFit fit = fit_mlp(*model, all.slice_rows(0, 40), all.slice_rows(40, 48), config, 11,
                                                 hearing(fitted, checkpoint, after_epoch), checkpoint);
                      EXPECT_EQ(static_cast<std::int64_t>(fit.history.size()), epochs);
                      fitted.told.insert(fitted.told.end(), {static_cast<double>(fit.best_epoch), fit.best_rmse});
                      fitted.model = std::move(model);
                      return fitted;
                    });
  }
}

TEST(RecommenderCheckpoint, ANeuMfGoesOnToTheSameBits) {
  for (const NeuMfSelection selection : {NeuMfSelection::kBestLoss, NeuMfSelection::kBestRecall}) {
    NeuMfConfig config;
    config.gmf_width = 5;
    config.mlp_width = 8;
    config.batch = 25;
    config.max_epochs = 3;
    config.selection = selection;
    const CsrMatrix likes = grouped_matrix(12, kItems, 3, 5);
    Triples triples;
    for (std::int64_t user = 0; user < likes.rows(); ++user) {
      for (const std::int32_t item : likes.row(user)) {
        triples.add(static_cast<std::int32_t>(user), item, item % 4 == 0 ? 0.0f : 1.0f);
      }
    }
    expect_to_go_on(
        3, [&](std::uint64_t first_values, sdrm::FitCheckpoint* checkpoint, const std::function<void()>& after_epoch) {
          nn::Initializer init(first_values, DType::kFloat32, test_device());
          auto model = std::make_unique<NeuMfModel>(likes.rows(), kItems, config, init);
          Fitted fitted;
          const auto first_score = [](const NeuMfModel& asked) {
            return static_cast<double>(asked.all_items(0, 1).to(Device::kCpu).data<float>()[0]);
          };
          const NeuMfFit fit =
              fit_neumf(*model, triples, config, 12, first_score, hearing(fitted, checkpoint, after_epoch), checkpoint);
          EXPECT_EQ(fit.history.size(), 3U);
          fitted.told.push_back(static_cast<double>(fit.kept_epoch));
          fitted.model = std::move(model);
          return fitted;
        });
  }
}

}  // namespace
}  // namespace tapestry::recsys
