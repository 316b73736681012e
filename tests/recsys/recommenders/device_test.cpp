// The recommenders that are networks, fitted and asked on a GPU, against the same on the CPU: same seeds, so that both see the
// same batches and masks.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "nn/safetensors.h"
#include "recsys/metrics/ranking.h"
#include "recsys/recommenders/mlp.h"
#include "recsys/recommenders/neumf.h"
#include "tests/support/compare.h"
#include "tests/support/device.h"
#include "tests/support/gpu_test.h"
#include "tests/support/random_data.h"
#include "tests/support/temp_folder.h"

namespace tapestry::recsys {
namespace {

using tapestry::tests::test_device;

/// Of numbers that went through fifty updates; sums run in another order on each device.
double tolerance(DType dtype) { return dtype == DType::kFloat32 ? 1e-4 : 1e-10; }

class RecommendersOnDevice : public tapestry::tests::GpuTest {
 protected:
  static constexpr std::int64_t kUsers = 40, kItems = 30, kRated = 12;

  static MlpConfig mlp_config(DType dtype = DType::kFloat32) {
    MlpConfig config;
    config.width = 3;
    config.first = 12;
    config.hidden = 7;
    config.batch = 9;  // of 32 rows: the last batch is shorter
    config.max_epochs = dtype == DType::kFloat32 ? 13 : 4;
    config.patience = 13;
    return config;
  }
  static NeuMfConfig neumf_config(DType dtype = DType::kFloat32) {
    NeuMfConfig config;
    config.gmf_width = 5;
    config.mlp_width = 8;
    config.batch = 25;
    config.max_epochs = dtype == DType::kFloat32 ? 6 : 2;
    config.selection = NeuMfSelection::kBestLoss;
    return config;
  }
  /// The first kRated users, with dislikes among what they do not like.
  FitData fit_data() const {
    const CsrMatrix likes = rows_.slice_rows(0, kRated);
    std::vector<std::vector<std::int32_t>> dislikes(kRated);
    for (std::int64_t user = 0; user < kRated; ++user) {
      const auto row = likes.row(user);
      for (auto item = static_cast<std::int32_t>(user % 6); item < kItems; item += 6) {
        if (!std::binary_search(row.begin(), row.end(), item)) dislikes[static_cast<std::size_t>(user)].push_back(item);
      }
    }
    FitData data;
    data.block(Block::kEvaluation) = {likes, CsrMatrix::from_rows(kItems, dislikes)};
    data.order = {Block::kEvaluation};
    data.selection_heldout = tapestry::tests::grouped_matrix(kRated, kItems, 3, 6);
    return data;
  }

  static void expect_close(const Tensor& ours, const Tensor& expected, double within) {
    ASSERT_EQ(ours.shape(), expected.shape());
    EXPECT_EQ(ours.device(), test_device());
    const double error = tapestry::tests::relative_error(ours.to(Device::kCpu), expected);
    EXPECT_TRUE(error <= within) << error;
  }
  static void expect_number_close(double ours, double expected, double within) {
    EXPECT_TRUE(std::abs(ours - expected) <= within * std::abs(expected)) << ours << " and " << expected;
  }

  const CsrMatrix rows_ = tapestry::tests::grouped_matrix(kUsers, kItems, 3, 5);
};

TEST_F(RecommendersOnDevice, MlpTrainsAlike) {
  const CsrMatrix train = rows_.slice_rows(0, 32), valid = rows_.slice_rows(32, kUsers);
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    std::vector<std::unique_ptr<MlpModel>> models;
    std::vector<MlpFit> fits;
    for (const Device device : {Device::kCpu, test_device()}) {
      nn::Initializer init(3, dtype, device);
      models.push_back(std::make_unique<MlpModel>(kItems, 32, mlp_config(dtype), init));
      fits.push_back(fit_mlp(*models.back(), train, valid, mlp_config(dtype), 11));
    }
    ASSERT_EQ(fits[1].history.size(), static_cast<std::size_t>(mlp_config(dtype).max_epochs));  // of four updates each
    for (std::size_t i = 0; i < fits[1].history.size(); ++i) {
      expect_number_close(fits[1].history[i].loss, fits[0].history[i].loss, tolerance(dtype));
      expect_number_close(fits[1].history[i].rmse, fits[0].history[i].rmse, tolerance(DType::kFloat32));  // sums are float32
    }
    EXPECT_EQ(fits[1].best_epoch, fits[0].best_epoch);
    expect_close(models[1]->logits(rows_.to(test_device())).value(), models[0]->logits(rows_).value(), 10 * tolerance(dtype));
  }
}

TEST_F(RecommendersOnDevice, NeuMfTrainsAlike) {
  const Triples triples = fit_triples(fit_data());
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    std::vector<std::unique_ptr<NeuMfModel>> models;
    std::vector<NeuMfFit> fits;
    for (const Device device : {Device::kCpu, test_device()}) {
      nn::Initializer init(4, dtype, device);
      models.push_back(std::make_unique<NeuMfModel>(kRated, kItems, neumf_config(dtype), init));
      fits.push_back(fit_neumf(*models.back(), triples, neumf_config(dtype), 12, {}));
    }
    ASSERT_EQ(fits[1].history.size(), static_cast<std::size_t>(neumf_config(dtype).max_epochs));
    for (std::size_t i = 0; i < fits[0].history.size(); ++i) {
      expect_number_close(fits[1].history[i].loss, fits[0].history[i].loss, tolerance(dtype));
      expect_number_close(fits[1].history[i].validation_loss, fits[0].history[i].validation_loss, tolerance(dtype));
    }
    EXPECT_EQ(fits[1].kept_epoch, fits[0].kept_epoch);
    const Tensor expected = models[0]->all_items(3, kRated);
    expect_close(models[1]->all_items(3, kRated), expected, 10 * tolerance(DType::kFloat32));  // scores are float32
    expect_close(models[1]->all_items(9, 10), models[0]->all_items(9, 10), 10 * tolerance(DType::kFloat32));
  }
}

TEST_F(RecommendersOnDevice, RecommendTheSameItems) {
  const FitData data = fit_data();
  const auto compare = [&](Recommender& host, Recommender& there) {
    for (Recommender* one : {&host, &there}) one->fit(data, {});
    expect_close(there.score(2, 9), host.score(2, 9), 1e-3);
    const auto lists = [&](const Recommender& one) {
      return rank_items([&](std::int64_t begin, std::int64_t end) { return one.score(begin, end); }, one.masked(), 5, 7);
    };
    const Tensor ours = lists(there), expected = lists(host);
    std::int64_t same = 0;
    for (std::int64_t i = 0; i < ours.numel(); ++i) same += ours.data<std::int32_t>()[i] == expected.data<std::int32_t>()[i];
    // Two scores a millionth apart may change places.
    EXPECT_GE(static_cast<double>(same), 0.95 * static_cast<double>(ours.numel()));
  };
  MlpRecommender mlp(mlp_config(), 5), mlp_there(mlp_config(), 5, test_device());
  compare(mlp, mlp_there);
  NeuMfConfig config = neumf_config();
  config.selection = NeuMfSelection::kBestRecall;
  config.max_epochs = 3;
  NeuMfRecommender neumf(config, 5), neumf_there(config, 5, test_device());
  compare(neumf, neumf_there);
}

TEST_F(RecommendersOnDevice, ACheckpointGoesFromOneDeviceToTheOther) {
  const tapestry::tests::TempFolder folder;
  nn::Initializer there_init(3, DType::kFloat32, test_device()), host_init(9);
  const MlpModel there(kItems, 32, mlp_config(), there_init);
  MlpModel host(kItems, 32, mlp_config(), host_init);
  nn::save_module(there, folder.path() / "mlp.safetensors");
  nn::load_module(host, folder.path() / "mlp.safetensors");
  expect_close(there.logits(rows_.to(test_device())).value(), host.logits(rows_).value(), 1e-5);
}

}  // namespace
}  // namespace tapestry::recsys
