// The generators, fitted and sampled on a GPU, against the same on the CPU: same seeds, so that both see the same batches, masks
// and noise.
#include <algorithm>
#include <cmath>

#include "recsys/generators/codigem_training.h"
#include "recsys/generators/diffrec_training.h"
#include "tests/recsys/generators/generator_support.h"
#include "tests/recsys/generators/table_support.h"
#include "tests/support/compare.h"
#include "tests/support/device.h"
#include "tests/support/gpu_test.h"
#include "tests/support/random_data.h"
#include "tests/support/temp_folder.h"

namespace tapestry::recsys {
namespace {

using tapestry::tests::test_device;

/// Of losses on the way through fifty updates; sums run in another order on each device.
double tolerance(DType dtype) { return dtype == DType::kFloat32 ? 1e-4 : 1e-9; }

class GeneratorsOnDevice : public tapestry::tests::GpuTest {
 protected:
  static void expect_near(double ours, double expected, double within, const std::string& what) {
    EXPECT_TRUE(std::abs(ours - expected) <= within * std::abs(expected)) << what << ": " << ours << " and " << expected;
  }
  static void expect_close(const Tensor& ours, const Tensor& expected, double within) {
    ASSERT_EQ(ours.shape(), expected.shape());
    EXPECT_EQ(ours.device(), test_device());
    const double error = tapestry::tests::relative_error(ours.to(Device::kCpu), expected);
    EXPECT_TRUE(error <= within) << error;
  }

  const CsrMatrix rows_ = tapestry::tests::grouped_matrix(40, 24, 3, 5);
};

/// The share of the likes of `a` that `b` has too.
double agreement(const CsrMatrix& a, const CsrMatrix& b) {
  std::int64_t shared = 0;
  for (std::int64_t row = 0; row < a.rows(); ++row) {
    for (const std::int32_t item : a.row(row)) {
      shared += std::binary_search(b.row(row).begin(), b.row(row).end(), item) ? 1 : 0;
    }
  }
  return static_cast<double>(shared) / static_cast<double>(std::max<std::int64_t>(1, a.nnz()));
}

TEST_F(GeneratorsOnDevice, DrawTheSameUsersAndReadEachOthersFiles) {
  const ProtocolData protocol = tests::tiny_protocol(50, 30);
  // Sums in another order move a logit by a millionth: an entry at the threshold, or between two categories, may fall on its
  // other side.
  const auto expect_alike = [](const CsrMatrix& ours, const CsrMatrix& expected, const std::string& what) {
    const auto wanted = static_cast<double>(expected.nnz());
    EXPECT_TRUE(wanted > 0 && std::abs(static_cast<double>(ours.nnz()) - wanted) <= 0.01 * wanted) << what;
    EXPECT_GE(agreement(expected, ours), 0.98) << what;
  };
  for (const char* name : {"multivae", "m-sdrm", "codigem", "diffrec", "tvae", "ctgan"}) {
    const tapestry::tests::TempFolder folder;
    tests::RecordingListener listener;
    GeneratorSettings on_host = tests::tiny_settings(), on_device = on_host;
    on_device.device = test_device();
    const auto host = tests::make_one(name, on_host), there = tests::make_one(name, on_device);
    for (const auto* generator : {&host, &there}) (*generator)->fit(protocol, listener);
    const CsrMatrix expected = host->sample({40, 0.2}, listener).likes, ours = there->sample({40, 0.2}, listener).likes;
    expect_alike(ours, expected, name);

    there->save(folder.path() / "there");
    const auto read = tests::make_one(name, on_host), read_again = tests::make_one(name, on_device);
    read->load(folder.path() / "there", protocol.generator.cols());
    expect_alike(read->sample({40, 0.2}, listener).likes, ours, std::string(name) + ", read on the host");
    read->save(folder.path() / "host");
    read_again->load(folder.path() / "host", protocol.generator.cols());
    EXPECT_TRUE(tests::same_pattern(read_again->sample({40, 0.2}, listener).likes, ours)) << name;
  }
}

TEST_F(GeneratorsOnDevice, CodigemTrainsAlike) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const bool single = dtype == DType::kFloat32;
    CodigemConfig config = tests::tiny_settings().baselines.codigem;
    config.batch = 15;  // of 40 rows: the last batch is shorter
    config.max_epochs = single ? 17 : 5;
    config.variant = single ? CodigemVariant::kPublished : CodigemVariant::kCorrected;
    // Some log-variances lie beyond 0.01, with a gradient of 0, and Adamax makes all other gradients one size: in float32 the two
    // devices part when one of them crosses it.
    config.clamp = single ? 0 : 0.01;
    std::vector<std::unique_ptr<CodigemModel>> models;
    std::vector<std::vector<CodigemEpoch>> histories;
    for (const Device device : {Device::kCpu, test_device()}) {
      nn::Initializer init(3, dtype, device);
      models.push_back(std::make_unique<CodigemModel>(24, config, init));
      const auto validate = [](const CodigemModel&, std::int64_t epoch) { return static_cast<double>(epoch); };
      histories.push_back(fit_codigem(*models.back(), rows_, config, 11, validate));
    }
    ASSERT_EQ(histories[1].size(), single ? 17U : 5U);  // of three updates each
    for (std::size_t i = 0; i < histories[0].size(); ++i) {
      const CodigemEpoch &ours = histories[1][i], &expected = histories[0][i];
      expect_near(ours.loss, expected.loss, tolerance(dtype), "loss");
      expect_near(ours.lowest_log_variance, expected.lowest_log_variance, 100 * tolerance(dtype), "log-variance");
    }
    const RandomStream noise = {5, Purpose::kTest, 0};
    const auto scores = [&](const CodigemModel& model) { return codigem_scores(model, rows_, config.beta, noise); };
    const auto samples = [&](const CodigemModel& model) { return codigem_samples(model, config, 30, 7).tile(3, 30); };
    expect_close(scores(*models[1]), scores(*models[0]), 100 * tolerance(dtype));
    expect_close(samples(*models[1]), samples(*models[0]), 100 * tolerance(dtype));
  }
}

TEST_F(GeneratorsOnDevice, DiffRecTrainsAlike) {
  for (const bool importance : {true, false}) {
    DiffRecConfig config = tests::tiny_settings().baselines.diffrec;
    config.batch = 15;
    config.max_epochs = importance ? 17 : 5;
    config.target = importance ? DiffRecTarget::kX0 : DiffRecTarget::kEpsExact;
    config.importance = importance;
    config.noise_scale = 0.1;
    config.sampling_noise = true;
    config.inference_steps = 2;
    const DiffRecSchedule schedule(config);
    std::vector<std::unique_ptr<DiffRecModel>> models;
    std::vector<std::vector<DiffRecEpoch>> histories;
    for (const Device device : {Device::kCpu, test_device()}) {
      nn::Initializer init(4, DType::kFloat32, device);
      models.push_back(std::make_unique<DiffRecModel>(24, config, init));
      const auto validate = [](const DiffRecModel&, std::int64_t epoch) { return static_cast<double>(epoch); };
      histories.push_back(fit_diffrec(*models.back(), rows_, config, 12, validate));
    }
    ASSERT_EQ(histories[1].size(), importance ? 17U : 5U);
    for (std::size_t i = 0; i < histories[0].size(); ++i) {
      expect_near(histories[1][i].loss, histories[0][i].loss, 1e-4, "loss");
    }
    const RandomStream noise = {5, Purpose::kTest, 0};
    const auto scores = [&](const DiffRecModel& model) { return diffrec_scores(model, rows_, schedule, config, noise); };
    const auto samples = [&](const DiffRecModel& model) { return diffrec_samples(model, config, 30, 7).tile(3, 30); };
    expect_close(scores(*models[1]), scores(*models[0]), 1e-3);
    expect_close(samples(*models[1]), samples(*models[0]), 1e-3);
  }
}

TEST_F(GeneratorsOnDevice, TvaeTrainsAlike) {
  const TableEncoding table(tapestry::tests::random_users(40, 14, 0.3, 0.3, 5), TableKind::kTernary);
  const CsrMatrix marks = table.encode(tapestry::tests::random_users(40, 14, 0.3, 0.3, 5));
  TvaeConfig config = tests::tiny_settings().baselines.tvae;
  config.batch = 15;
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    config.epochs = dtype == DType::kFloat32 ? 17 : 4;
    std::vector<std::vector<TvaeEpoch>> histories(2);
    std::vector<Tensor> logits;
    for (const Device device : {Device::kCpu, test_device()}) {
      nn::Initializer init(5, dtype, device);
      Tvae model(table.planes(), config, init);
      std::vector<TvaeEpoch>& history = histories[device == Device::kCpu ? 0 : 1];
      fit_tvae(model, marks, config, 13, [&](const TvaeEpoch& epoch) { history.push_back(epoch); });
      logits.push_back(model.logits(random_normal({9, config.latent}, {1, Purpose::kTest, 0}, 0, 1, dtype, device)));
    }
    ASSERT_EQ(histories[1].size(), static_cast<std::size_t>(config.epochs));
    for (std::size_t i = 0; i < histories[0].size(); ++i) {
      expect_near(histories[1][i].loss, histories[0][i].loss, tolerance(dtype), "loss");
      expect_near(histories[1][i].reconstruction, histories[0][i].reconstruction, tolerance(dtype), "reconstruction");
      expect_near(histories[1][i].kl, histories[0][i].kl, 10 * tolerance(dtype), "KL");  // a small difference of large sums
    }
    expect_close(logits[1], logits[0], 10 * tolerance(dtype));
  }
}

TEST_F(GeneratorsOnDevice, TvaesOddsStayWhereTheyAre) {
  constexpr std::int64_t kUsers = 400, kItems = 24;
  const TableEncoding table(tapestry::tests::random_users(40, kItems, 0.3, 0.3, 5), TableKind::kTernary);
  std::vector<Interactions> users;
  std::int64_t bytes = 0;
  for (const Device device : {Device::kCpu, test_device()}) {
    nn::Initializer init(5, DType::kFloat32, device);
    const Tvae model(table.planes(), tests::tiny_settings().baselines.tvae, init);
    const std::int64_t before = copy_stats().bytes_to_host;
    users.push_back(threshold_tvae(model, table, {kUsers, 0.1, true}, 7));
    bytes = copy_stats().bytes_to_host - before;
  }
  EXPECT_LT(bytes, kUsers * kItems * 4) << "more than the lists of likes and dislikes came back";
  EXPECT_GE(agreement(users[0].likes, users[1].likes), 0.98);
  EXPECT_GE(agreement(users[0].dislikes, users[1].dislikes), 0.98);
}

TEST_F(GeneratorsOnDevice, CtganTrainsAlike) {
  const TableEncoding table(tapestry::tests::random_users(40, 8, 0.3, 0.3, 5), TableKind::kTernary);
  const CsrMatrix marks = table.encode(tapestry::tests::random_users(40, 8, 0.3, 0.3, 5));
  CtganConfig config = tests::tiny_settings().baselines.ctgan;
  config.hidden = 7;
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    config.epochs = dtype == DType::kFloat32 ? 13 : 3;  // of two updates of each network: fifty-two
    std::vector<std::vector<CtganEpoch>> histories(2);
    std::vector<std::vector<std::pair<std::string, Tensor>>> states;
    for (const Device device : {Device::kCpu, test_device()}) {
      nn::Initializer init(6, dtype, device);
      CtganGenerator generator(table.planes(), config, init);
      CtganCritic critic(table.planes(), config, init);
      std::vector<CtganEpoch>& history = histories[device == Device::kCpu ? 0 : 1];
      fit_ctgan(generator, critic, table, marks, config, 14, [&](const CtganEpoch& epoch) { history.push_back(epoch); });
      states.push_back(generator.state());
    }
    ASSERT_EQ(histories[1].size(), static_cast<std::size_t>(config.epochs));
    // The losses are differences of judgements, which pass through 0: measured by their size over the whole fit.
    for (const auto loss : {&CtganEpoch::critic, &CtganEpoch::generator, &CtganEpoch::penalty, &CtganEpoch::cross_entropy}) {
      double size = 0;
      for (const CtganEpoch& epoch : histories[0]) size = std::max(size, std::abs(epoch.*loss));
      for (std::size_t i = 0; i < histories[0].size(); ++i) {
        EXPECT_TRUE(std::abs(histories[1][i].*loss - histories[0][i].*loss) <= tolerance(dtype) * size)
            << "epoch " << i << ": " << histories[1][i].*loss << " and " << histories[0][i].*loss;
      }
    }
    for (std::size_t i = 0; i < states[0].size(); ++i)
      expect_close(states[1][i].second, states[0][i].second, 100 * tolerance(dtype));
  }
}

}  // namespace
}  // namespace tapestry::recsys
