// The generators' trainings, broken off and gone on with from a checkpoint, and the file that keeps one.
#include <fstream>

#include "recsys/generators/codigem_training.h"
#include "recsys/generators/ctgan.h"
#include "recsys/generators/diffrec_training.h"
#include "recsys/generators/kept_checkpoint.h"
#include "recsys/generators/make_generators.h"
#include "recsys/generators/tvae.h"
#include "tests/recsys/data/data_support.h"
#include "tests/recsys/generators/generator_support.h"
#include "tests/recsys/generators/table_support.h"
#include "tests/support/broken_off.h"
#include "tests/support/device.h"
#include "tests/support/random_data.h"

namespace tapestry::recsys {
namespace {

using tapestry::tests::BrokenOff;
using tapestry::tests::expect_to_go_on;
using tapestry::tests::Fitted;
using tapestry::tests::grouped_matrix;
using tapestry::tests::random_users;
using tapestry::tests::test_device;
using tests::TempFolder;
namespace fs = std::filesystem;

constexpr std::int64_t kItems = 24;

TEST(GeneratorCheckpoint, CodigemGoesOnToTheSameBits) {
  CodigemConfig config = tests::tiny_settings().baselines.codigem;
  config.batch = 15;
  config.max_epochs = 6;
  config.patience = 2;
  const auto validate = [](const CodigemModel&, std::int64_t epoch) { return epoch == 1 ? 1.0 : 0.0; };  // ends with the fifth
  expect_to_go_on(5, [&](std::uint64_t first_values, sdrm::FitCheckpoint* checkpoint, const std::function<void()>& after_epoch) {
    nn::Initializer init(first_values, DType::kFloat32, test_device());
    auto model = std::make_unique<CodigemModel>(kItems, config, init);
    Fitted fitted;
    const auto on_epoch = [&](const CodigemEpoch& epoch) {
      fitted.told.insert(fitted.told.end(), {epoch.loss, epoch.metric, epoch.lowest_log_variance});
      after_epoch();
    };
    EXPECT_EQ(fit_codigem(*model, grouped_matrix(40, kItems, 3, 5), config, 11, validate, on_epoch, checkpoint).size(), 5U);
    fitted.model = std::move(model);
    return fitted;
  });
}

TEST(GeneratorCheckpoint, DiffRecGoesOnToTheSameBits) {
  DiffRecConfig config = tests::tiny_settings().baselines.diffrec;
  config.batch = 15;
  config.max_epochs = 7;
  config.evaluate_every = 2;
  config.patience = 4;
  config.importance = true;
  config.noise_scale = 0.1;
  const auto validate = [](const DiffRecModel&, std::int64_t epoch) { return epoch == 1 ? 1.0 : 0.0; };
  expect_to_go_on(5, [&](std::uint64_t first_values, sdrm::FitCheckpoint* checkpoint, const std::function<void()>& after_epoch) {
    nn::Initializer init(first_values, DType::kFloat32, test_device());
    auto model = std::make_unique<DiffRecModel>(kItems, config, init);
    Fitted fitted;
    const auto on_epoch = [&](const DiffRecEpoch& epoch) {
      fitted.told.insert(fitted.told.end(), {epoch.loss, std::isnan(epoch.metric) ? -1 : epoch.metric});
      after_epoch();
    };
    EXPECT_EQ(fit_diffrec(*model, grouped_matrix(40, kItems, 3, 5), config, 12, validate, on_epoch, checkpoint).size(), 5U);
    fitted.model = std::move(model);
    return fitted;
  });
}

TEST(GeneratorCheckpoint, ATvaeGoesOnToTheSameBits) {
  const Interactions users = random_users(40, 14, 0.3, 0.3, 5);
  const TableEncoding table(users, TableKind::kTernary);
  TvaeConfig config = tests::tiny_settings().baselines.tvae;
  config.batch = 15;
  config.epochs = 5;
  expect_to_go_on(5, [&](std::uint64_t first_values, sdrm::FitCheckpoint* checkpoint, const std::function<void()>& after_epoch) {
    nn::Initializer init(first_values, DType::kFloat32, test_device());
    auto model = std::make_unique<Tvae>(table.planes(), config, init);
    Fitted fitted;
    const auto on_epoch = [&](const TvaeEpoch& epoch) {
      fitted.told.insert(fitted.told.end(), {epoch.loss, epoch.reconstruction, epoch.kl});
      after_epoch();
    };
    fit_tvae(*model, table.encode(users), config, 13, on_epoch, checkpoint);
    fitted.model = std::move(model);
    return fitted;
  });
}

TEST(GeneratorCheckpoint, ACtganGoesOnToTheSameBits) {
  const Interactions users = random_users(30, 14, 0.3, 0.3, 5);
  const TableEncoding table(users, TableKind::kTernary);
  CtganConfig config = tests::tiny_settings().baselines.ctgan;
  config.batch = 10;
  config.pac = 5;
  config.epochs = 6;
  expect_to_go_on(6, [&](std::uint64_t first_values, sdrm::FitCheckpoint* checkpoint, const std::function<void()>& after_epoch) {
    nn::Initializer init(first_values, DType::kFloat32, test_device());
    auto model = std::make_unique<CtganGenerator>(table.planes(), config, init);
    CtganCritic critic(table.planes(), config, init);
    Fitted fitted;
    const auto on_epoch = [&](const CtganEpoch& epoch) {
      fitted.told.insert(fitted.told.end(), {epoch.critic, epoch.generator, epoch.penalty, epoch.cross_entropy});
      after_epoch();
    };
    fit_ctgan(*model, critic, table, table.encode(users), config, 14, on_epoch, checkpoint);
    fitted.model = std::move(model);
    return fitted;
  });
}

/// Ends a stage when it is told of its nth new epoch.
class Breaking : public tests::RecordingListener {
 public:
  Breaking(std::string stage, int after) : stage_(std::move(stage)), left_(after) {}
  void advance(const std::string& stage, const StageProgress& told) override {
    tests::RecordingListener::advance(stage, told);
    if (stage == stage_ && told.loss && --left_ == 0) throw BrokenOff();
  }

 private:
  std::string stage_;
  int left_;
};

std::string histories(const fs::path& folder) {
  std::map<std::string, std::string> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".csv") found[entry.path().filename().string()] = tests::read_file(entry.path());
  }
  std::string text;
  for (const auto& [name, content] : found) text += name + "\n" + content;
  return text;
}

TEST(GeneratorCheckpoint, EveryGeneratorGoesOnFromItsFolder) {
  const ProtocolData protocol = tests::tiny_protocol();
  const SampleRequest request = {.rows = 60, .density = 0.2};
  const auto in = [](const TempFolder& folder) {
    GeneratorSettings settings = tests::tiny_settings(
        1, {folder.path() / "run", folder.path() / "run", "one", folder.path() / "unfinished" / "run", {.every = 0}});
    settings.baselines.diffrec.inference_steps = 2;  // its evaluations draw numbers too
    settings.baselines.diffrec.evaluate_every = 1;
    return settings;
  };
  const std::vector<std::pair<std::string, std::string>> stages = {
      {"multivae++", "vae_fit"},  {"f-sdrm", "vae_fit"},      {"f-sdrm", "sdrm_fit"}, {"multivae", "multivae_fit"},
      {"codigem", "codigem_fit"}, {"diffrec", "diffrec_fit"}, {"tvae", "tvae_fit"},   {"ctgan", "ctgan_fit"}};
  for (const auto& [name, stage] : stages) {
    const TempFolder once, twice;
    const auto used = [&, &name = name](const TempFolder& folder, tests::RecordingListener& listener) {
      const auto generator = tests::make_one(name, in(folder));
      generator->fit(protocol, listener);
      return generator->sample(request, listener).likes;
    };
    tests::RecordingListener whole;
    const CsrMatrix expected = used(once, whole);
    Breaking breaking(stage, 2);
    EXPECT_THROW(used(twice, breaking), BrokenOff) << name;
    EXPECT_FALSE(fs::is_empty(twice.path() / "unfinished")) << name;
    tests::RecordingListener resumed;
    EXPECT_TRUE(tests::same_pattern(used(twice, resumed), expected)) << name;
    EXPECT_TRUE(resumed.warnings.empty()) << resumed.warnings.front();
    EXPECT_TRUE(fs::is_empty(twice.path() / "unfinished")) << name;
    EXPECT_EQ(histories(twice.path()), histories(once.path())) << name;
    const std::vector<StageProgress>& told = resumed.progress.at(stage);
    ASSERT_EQ(told.size(), whole.progress.at(stage).size()) << name;
    for (std::size_t i = 0; i < told.size(); ++i) {
      ASSERT_EQ(told[i].earlier.has_value(), i < 2) << name << " " << i;
      EXPECT_EQ(i < 2 && told[i].earlier->last, i == 1) << name;
      EXPECT_EQ(told[i].fraction, whole.progress.at(stage)[i].fraction) << name << " " << i;
      EXPECT_FALSE(whole.progress.at(stage)[i].earlier) << name;
    }
  }
}

TEST(GeneratorCheckpoint, AScoreModelGoesOnWithTheMultiVaeItLearnsFromAlone) {
  const TempFolder here, elsewhere;
  const ProtocolData protocol = tests::tiny_protocol();
  const auto fit = [&](const TempFolder& folder, std::uint64_t seed, tests::RecordingListener& listener) {
    const GeneratorSettings settings = tests::tiny_settings(
        seed, {folder.path() / "run", folder.path() / "run", "one", folder.path() / "unfinished" / "run", {.every = 0}});
    tests::make_one("m-sdrm", settings)->fit(protocol, listener);
  };
  Breaking breaking("sdrm_fit", 2);
  EXPECT_THROW(fit(here, 1, breaking), BrokenOff);
  tests::RecordingListener of_another_seed, resumed;
  fit(elsewhere, 2, of_another_seed);
  fs::copy_file(model_file(elsewhere.path() / "run", "vae"), model_file(here.path() / "run", "vae"),
                fs::copy_options::overwrite_existing);
  fit(here, 1, resumed);
  ASSERT_EQ(resumed.warnings.size(), 1U);
  EXPECT_NE(resumed.warnings[0].find("of another configuration, build or GPU; the fit begins afresh"), std::string::npos)
      << resumed.warnings[0];
  EXPECT_FALSE(resumed.progress.at("sdrm_fit").at(0).earlier);
}

TEST(GeneratorCheckpoint, AFitThatFailsLeavesNone) {
  const TempFolder folder;
  GeneratorSettings settings = tests::tiny_settings(
      1, {folder.path() / "run", folder.path() / "run", "one", folder.path() / "unfinished" / "run", {.every = 0}});
  settings.baselines.diffrec.learning_rate = 1e30;
  settings.vae.learning_rate = 1e30;
  for (const char* name : {"diffrec", "multivae++"}) {
    tests::RecordingListener listener;
    EXPECT_THROW(tests::make_one(name, settings)->fit(tests::tiny_protocol(), listener), Error);
    EXPECT_TRUE(!fs::exists(folder.path() / "unfinished") || fs::is_empty(folder.path() / "unfinished")) << name;
  }
}

/// A checkpoint of one number, at times that the test sets.
struct KeptNumber {
  explicit KeptNumber(const fs::path& file, const std::string& configuration = "one", double every = 60, std::string build = "")
      : checkpoint(file, configuration, {.every = every, .build = std::move(build), .clock = [this] { return now += cost; }},
                   [this](const std::string& message) { warnings.push_back(message); }) {}

  /// What is taken up; 0: nothing.
  double read() {
    const std::unique_ptr<nn::TensorReader> found = checkpoint.read();
    return found ? found->read("x").item() : 0;
  }
  void write(double x) { checkpoint.write({{{"x", Tensor::full({1}, x)}}, {}}); }

  double now = 1000, cost = 0;
  std::vector<std::string> warnings;
  KeptCheckpoint checkpoint;
};

TEST(KeptCheckpoint, GoesOnWithTheTimeOfEarlierStarts) {
  const TempFolder folder;
  const fs::path file = folder.path() / "unfinished" / "x.safetensors";  // in a folder that is made for it
  {
    KeptNumber first(file);
    EXPECT_EQ(first.read(), 0);
    first.now += 70;
    first.write(3);
    EXPECT_TRUE(first.warnings.empty());
  }
  KeptNumber second(file);
  EXPECT_EQ(second.read(), 3);
  EXPECT_EQ(second.checkpoint.earlier_seconds(), 70);
  second.now += 30;
  second.write(4);
  KeptNumber third(file);
  EXPECT_EQ(third.read(), 4);
  EXPECT_EQ(third.checkpoint.earlier_seconds(), 100);
}

TEST(KeptCheckpoint, IsDueAsSeldomAsItIsDear) {
  const TempFolder folder;
  const auto due_after = [](KeptNumber& kept, std::int64_t bytes) {
    const double begin = kept.now;
    while (!kept.checkpoint.due(bytes)) kept.now += 1;
    return kept.now - begin;
  };
  KeptNumber kept(folder.path() / "x.safetensors");
  EXPECT_EQ(due_after(kept, 1000), 60);
  KeptNumber large(folder.path() / "y.safetensors");
  EXPECT_EQ(due_after(large, 3'000'000'000), 465);  // 10 s are expected: sqrt(2 10 10800) = 464.8
  kept.cost = 3;                                    // a write takes so much, as every look at the clock does
  kept.write(1);
  kept.cost = 0;
  EXPECT_EQ(due_after(kept, 3'000'000'000), 255);  // sqrt(2 3 10800) = 254.6
  KeptNumber always(folder.path() / "z.safetensors", "one", 0);
  always.cost = 5;
  always.write(1);
  EXPECT_TRUE(always.checkpoint.due(3'000'000'000));
}

TEST(KeptCheckpoint, NeverAndWithoutAFileNothingIsKept) {
  const TempFolder folder;
  KeptNumber(folder.path() / "x.safetensors").write(1);
  for (const fs::path& file : {fs::path(), folder.path() / "x.safetensors"}) {
    KeptNumber none(file, "one", file.empty() ? 60 : std::numeric_limits<double>::infinity());
    none.now += 1e9;
    EXPECT_FALSE(none.checkpoint.due(1));
    EXPECT_EQ(none.read(), 0);
  }
}

TEST(KeptCheckpoint, ADiskWithoutRoomForItAndTheResultsIsLeftAlone) {
  const TempFolder folder;
  for (const std::uintmax_t room : {15, 16}) {
    const fs::path file = folder.path() / "x.safetensors";
    std::vector<std::string> warnings;
    KeptCheckpoint checkpoint(file, "one", {.room = [&](const fs::path&) { return room; }},
                              [&](const std::string& message) { warnings.push_back(message); });
    checkpoint.write({{{"x", Tensor::zeros({2})}}, {}});  // 8 bytes
    EXPECT_EQ(fs::exists(file), room == 16);
    EXPECT_EQ(warnings.size(), room == 16 ? 0U : 1U);
  }
}

TEST(KeptCheckpoint, WhatIsDamagedOrOfAnotherConfigurationIsNamedAndNotTakenUp) {
  const TempFolder folder;
  const fs::path file = folder.path() / "x.safetensors";
  KeptNumber(file).write(3);
  EXPECT_EQ(KeptNumber(file).read(), 3);
  for (const bool build : {false, true}) {
    KeptNumber other(file, build ? "one" : "two", 60, build ? "another compiler" : "");
    EXPECT_EQ(other.read(), 0);
    ASSERT_EQ(other.warnings.size(), 1U);
    EXPECT_EQ(other.warnings.front(), file.string() + ": of another configuration, build or GPU; the fit begins afresh");
  }

  const std::string whole = tests::read_file(file);
  const auto warned_for = [&](const std::string& bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
    KeptNumber kept(file);
    EXPECT_EQ(kept.read(), 0);
    EXPECT_EQ(kept.warnings.size(), 1U);
    return kept.warnings.empty() ? "" : kept.warnings.front();
  };
  const auto flipped = [&](std::size_t at) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    return bytes;
  };
  EXPECT_EQ(warned_for(flipped(whole.size() - 1)), file.string() + ": damaged; the fit begins afresh");
  const std::size_t seconds = whole.find("\"seconds\":\"") + std::string("\"seconds\":\"").size();
  EXPECT_EQ(warned_for(flipped(seconds)), file.string() + ": damaged; the fit begins afresh") << "the time it had taken";
  EXPECT_NE(warned_for(whole.substr(0, whole.size() - 1)).find("; the fit begins afresh"), std::string::npos);
  EXPECT_NE(warned_for("").find("; the fit begins afresh"), std::string::npos);
}

TEST(KeptCheckpoint, WhatCannotBeWrittenIsNamedOnceAndTheFitGoesOn) {
  const TempFolder folder;
  std::ofstream(folder.path() / "a file") << "in the way";
  KeptNumber kept(folder.path() / "a file" / "x.safetensors");
  kept.write(1);
  ASSERT_EQ(kept.warnings.size(), 1U);
  EXPECT_NE(kept.warnings.front().find("; the fit goes on without a checkpoint"), std::string::npos) << kept.warnings.front();
  kept.now += 1e6;
  EXPECT_FALSE(kept.checkpoint.due(1));
}

}  // namespace
}  // namespace tapestry::recsys
