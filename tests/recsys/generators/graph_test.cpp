// The generators' training with its updates repeated as CUDA graphs, against the same with every update called.
#include "recsys/generators/codigem_training.h"
#include "recsys/generators/diffrec_training.h"
#include "tensor/step_graph.h"
#include "tests/recsys/generators/generator_support.h"
#include "tests/recsys/generators/table_support.h"
#include "tests/support/asked.h"
#include "tests/support/compare.h"
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

constexpr std::int64_t kBatch = 15, kEpochs = 7;

class GeneratorsOnDeviceGraphs : public tapestry::tests::GpuTest {
 protected:
  struct Trained {
    std::unique_ptr<nn::Module> model;
    std::vector<double> losses;
    std::vector<Asked> asked;  ///< at the end of each epoch
  };

  static Trained trained_diffrec(std::int64_t rows, bool importance = true) {
    DiffRecConfig config = tests::tiny_settings().baselines.diffrec;
    config.batch = kBatch;
    config.max_epochs = kEpochs;
    config.importance = importance;
    config.noise_scale = 0.1;
    nn::Initializer init(4, DType::kFloat32, test_device());
    auto model = std::make_unique<DiffRecModel>(24, config, init);
    Trained trained;
    const auto validate = [](const DiffRecModel&, std::int64_t epoch) { return static_cast<double>(epoch); };
    fit_diffrec(*model, tapestry::tests::grouped_matrix(rows, 24, 3, 5), config, 12, validate, [&](const DiffRecEpoch& epoch) {
      trained.losses.push_back(epoch.loss);
      trained.asked.push_back(asked_now());
    });
    trained.model = std::move(model);
    return trained;
  }
  static Trained trained_codigem(std::int64_t rows) {
    CodigemConfig config = tests::tiny_settings().baselines.codigem;
    config.batch = kBatch;
    config.max_epochs = kEpochs;
    nn::Initializer init(3, DType::kFloat32, test_device());
    auto model = std::make_unique<CodigemModel>(24, config, init);
    Trained trained;
    const auto validate = [](const CodigemModel&, std::int64_t epoch) { return static_cast<double>(epoch); };
    fit_codigem(*model, tapestry::tests::grouped_matrix(rows, 24, 3, 5), config, 11, validate, [&](const CodigemEpoch& epoch) {
      trained.losses.push_back(epoch.loss);
      trained.losses.push_back(epoch.lowest_log_variance);
      trained.asked.push_back(asked_now());
    });
    trained.model = std::move(model);
    return trained;
  }
  static Trained trained_tvae(std::int64_t rows) {
    const Interactions users = tapestry::tests::random_users(rows, 14, 0.3, 0.3, 5);
    const TableEncoding table(users, TableKind::kTernary);
    TvaeConfig config = tests::tiny_settings().baselines.tvae;
    config.batch = kBatch;
    config.epochs = kEpochs;
    nn::Initializer init(5, DType::kFloat32, test_device());
    auto model = std::make_unique<Tvae>(table.planes(), config, init);
    Trained trained;
    fit_tvae(*model, table.encode(users), config, 13, [&](const TvaeEpoch& epoch) {
      for (const double loss : {epoch.loss, epoch.reconstruction, epoch.kl}) trained.losses.push_back(loss);
      trained.asked.push_back(asked_now());
    });
    trained.model = std::move(model);
    return trained;
  }

  static Trained trained_ctgan(std::int64_t rows) {
    const Interactions users = tapestry::tests::random_users(rows, 14, 0.3, 0.3, 5);
    const TableEncoding table(users, TableKind::kTernary);
    CtganConfig config = tests::tiny_settings().baselines.ctgan;
    config.batch = 10;
    config.pac = 5;
    config.epochs = kEpochs;
    nn::Initializer init(6, DType::kFloat32, test_device());
    auto model = std::make_unique<CtganGenerator>(table.planes(), config, init);
    CtganCritic critic(table.planes(), config, init);
    Trained trained;
    fit_ctgan(*model, critic, table, table.encode(users), config, 14, [&](const CtganEpoch& epoch) {
      for (const double loss : {epoch.critic, epoch.generator, epoch.penalty, epoch.cross_entropy})
        trained.losses.push_back(loss);
      trained.asked.push_back(asked_now());
    });
    trained.model = std::move(model);
    return trained;
  }

  /// 40 rows are two whole batches and a shorter one. `called`: how many of the updates were no launches.
  template <typename Train>
  static void expect_same_bits(const Train& train, std::int64_t called) {
    const std::int64_t before = StepGraph::launches();
    const Trained repeated = train();
    EXPECT_EQ(StepGraph::launches() - before, 3 * kEpochs - called);
    const GraphsSwitch off("off");
    const Trained plain = train();
    EXPECT_EQ(StepGraph::launches() - before, 3 * kEpochs - called);
    EXPECT_EQ(repeated.losses, plain.losses);
    EXPECT_TRUE(tapestry::tests::same_state(*repeated.model, *plain.model));
  }
};

TEST_F(GeneratorsOnDeviceGraphs, DiffRecTrainsToTheSameBits) {
  for (const bool importance : {true, false}) expect_same_bits([&] { return trained_diffrec(40, importance); }, 2);
}

TEST_F(GeneratorsOnDeviceGraphs, CodigemTrainsToTheSameBits) {
  expect_same_bits([] { return trained_codigem(40); }, 2);
  const std::int64_t before = StepGraph::launches();
  trained_codigem(kBatch);
  EXPECT_EQ(StepGraph::launches() - before, kEpochs - 1) << "epochs of one update";
}

TEST_F(GeneratorsOnDeviceGraphs, TvaeTrainsToTheSameBits) {
  expect_same_bits([] { return trained_tvae(40); }, 2);
}

TEST_F(GeneratorsOnDeviceGraphs, CtganTrainsToTheSameBits) {
  const std::int64_t before = StepGraph::launches();
  const Trained repeated = trained_ctgan(30);
  EXPECT_GE(StepGraph::launches() - before, 3 * (kEpochs - 2));  // room for real rows may have to grow
  const GraphsSwitch off("off");
  const Trained called = trained_ctgan(30);
  EXPECT_EQ(repeated.losses, called.losses);
  EXPECT_TRUE(tapestry::tests::same_state(*repeated.model, *called.model));
}

TEST_F(GeneratorsOnDeviceGraphs, SamplesAreTheSameBits) {
  constexpr std::int64_t kUsers = 800;  // three tiles of 256 and a smaller one: two launches
  DiffRecConfig diffrec = tests::tiny_settings().baselines.diffrec;
  diffrec.sampling_noise = true;
  const CodigemConfig codigem = tests::tiny_settings().baselines.codigem;
  nn::Initializer init(4, DType::kFloat32, test_device());
  const DiffRecModel diffrec_model(24, diffrec, init);
  const CodigemModel codigem_model(24, codigem, init);
  const auto all = [&] {
    const sdrm::LogitMatrix first = diffrec_samples(diffrec_model, diffrec, kUsers, 7);
    const sdrm::LogitMatrix second = codigem_samples(codigem_model, codigem, kUsers, 7);
    return concat_rows(std::vector<Tensor>{first.tile(0, kUsers), second.tile(0, kUsers)}).to(Device::kCpu);
  };
  const std::int64_t before = StepGraph::launches(), sent = copy_stats().to_device;
  const Tensor repeated = all();
  EXPECT_EQ(StepGraph::launches() - before, 2 + 2);
  EXPECT_EQ(copy_stats().to_device - sent, 2 + 1) << "user numbers, and DiffRec's steps";
  const GraphsSwitch off("off");
  EXPECT_TRUE(tapestry::tests::same_bits(repeated, all()));
}

TEST_F(GeneratorsOnDeviceGraphs, UsersOfATableAreTheSameBitsInAsManyCopies) {
  const TableEncoding table(tapestry::tests::random_users(40, 14, 0.3, 0.3, 5), TableKind::kTernary);
  CtganConfig ctgan = tests::tiny_settings().baselines.ctgan;
  ctgan.batch = 10;
  ctgan.pac = 5;
  nn::Initializer init(4, DType::kFloat32, test_device());
  const Tvae tvae_model(table.planes(), tests::tiny_settings().baselines.tvae, init);
  const CtganGenerator ctgan_model(table.planes(), ctgan, init);
  const auto expect_same = [](const auto& sample, std::int64_t few, std::int64_t many, std::int64_t launches) {
    const auto drawn = [&](std::int64_t users, CopyStats& copies) {
      const CopyStats before = copy_stats();
      const std::vector<std::vector<int>> values = tapestry::tests::cells(sample(users));
      copies = {copy_stats().to_device - before.to_device, copy_stats().to_host - before.to_host};
      return values;
    };
    CopyStats of_few, of_many;
    drawn(few, of_few);
    const std::int64_t before = StepGraph::launches();
    const auto repeated = drawn(many, of_many);
    EXPECT_EQ(StepGraph::launches() - before, launches);
    EXPECT_EQ(of_many.to_device, of_few.to_device);
    EXPECT_EQ(of_many.to_host, of_few.to_host) << "a GPU is waited for in every batch";
    const GraphsSwitch off("off");
    EXPECT_EQ(repeated, drawn(many, of_many));
  };
  // Batches of 500 and a shorter one; the first of each size is called.
  const auto tvae = [&](std::int64_t users) { return sample_tvae(tvae_model, table, users, TvaeDraw::kSample, true, 7); };
  expect_same(tvae, 30, 1700, 2);
  // Whole batches of 10, the last one cut.
  expect_same(
      [&](std::int64_t users) { return sample_ctgan(ctgan_model, table, ctgan, ConditionLaw::kFrequency, users, true, 7); }, 10,
      45, 4);
}

TEST_F(GeneratorsOnDeviceGraphs, UpdatesNeedNothingOfTheHost) {
  const std::int64_t before = pool_stats(Device::kCuda).bytes_in_use;
  for (const std::int64_t rows : {40, 75}) {
    // There: order, constants and the cursor, for DiffRec what its steps are drawn by; back: the losses, with CODIGEM's the
    // lowest log-variances.
    expect_copies_per_epoch(trained_diffrec(rows).asked, 4, 1);
    expect_copies_per_epoch(trained_codigem(rows).asked, 3, 1);
    expect_copies_per_epoch(trained_tvae(rows).asked, 3, 1);
    // There: what was drawn as integers and as numbers, the real rows in three arrays, the cursor.
    expect_copies_per_epoch(trained_ctgan(rows).asked, 6, 1);
  }
  EXPECT_EQ(pool_stats(Device::kCuda).bytes_in_use, before) << "memory of the graphs was not given back";
}

}  // namespace
}  // namespace tapestry::recsys
