#include "tests/recsys/generators/generator_support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "recsys/data/simulated.h"
#include "tensor/parallel.h"
#include "tests/recsys/data/data_support.h"
#include "tests/support/temp_folder.h"

namespace tapestry::recsys::tests {
namespace {

namespace fs = std::filesystem;

constexpr double kDensity = 0.1;
constexpr std::int64_t kRows = 60;

Interactions fitted_sample(const std::string& name, const ProtocolData& protocol, const GeneratorSettings& settings,
                           bool dislikes = false) {
  RecordingListener listener;
  const auto generator = make_one(name, settings);
  generator->fit(protocol, listener);
  return generator->sample({kRows, kDensity, dislikes}, listener);
}

ModelFolder folder_in(const fs::path& path) { return {path / "run-1", path / "run-1", "configuration of the test"}; }

void expect_sample(const std::string& name) {
  const ProtocolData protocol = tiny_protocol();
  const Interactions users = fitted_sample(name, protocol, tiny_settings(), true);
  const std::int64_t items = protocol.generator.cols();
  ASSERT_EQ(users.likes.rows(), kRows);
  ASSERT_EQ(users.likes.cols(), items);
  const double wanted = kDensity * static_cast<double>(kRows * items);
  EXPECT_NEAR(static_cast<double>(users.likes.nnz()), wanted, 1.5);
  EXPECT_NEAR(static_cast<double>(users.dislikes.nnz()), wanted, 1.5);
  for (std::int64_t row = 0; row < kRows; ++row) {
    const auto likes = users.likes.row(row), dislikes = users.dislikes.row(row);
    std::vector<std::int32_t> both;
    std::set_intersection(likes.begin(), likes.end(), dislikes.begin(), dislikes.end(), std::back_inserter(both));
    EXPECT_TRUE(both.empty()) << "row " << row;
  }
  const Interactions likes_only = fitted_sample(name, protocol, tiny_settings());
  EXPECT_TRUE(same_pattern(likes_only.likes, users.likes));
  EXPECT_EQ(likes_only.dislikes.rows(), kRows);
  EXPECT_EQ(likes_only.dislikes.nnz(), 0);
}

void expect_determinism(const std::string& name) {
  const ProtocolData protocol = tiny_protocol(150, 700);  // large enough that products and loops are split among threads
  const CsrMatrix expected = fitted_sample(name, protocol, tiny_settings()).likes;
  EXPECT_FALSE(same_pattern(fitted_sample(name, protocol, tiny_settings(2)).likes, expected));
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    EXPECT_TRUE(same_pattern(fitted_sample(name, protocol, tiny_settings()).likes, expected)) << threads << " threads";
  }
  set_num_threads(0);
}

void expect_files(const std::string& name) {
  const TempFolder folder;
  const ProtocolData protocol = tiny_protocol();
  RecordingListener listener;
  const auto first = make_one(name, tiny_settings());
  EXPECT_THROW(first->save(folder.path() / "saved"), Error) << "nothing is fitted";
  EXPECT_THROW(first->sample({kRows, kDensity}, listener), Error) << "nothing is fitted";
  first->fit(protocol, listener);
  first->save(folder.path() / "saved");
  const auto second = make_one(name, tiny_settings());
  second->load(folder.path() / "saved", protocol.generator.cols());
  EXPECT_TRUE(same_pattern(second->sample({kRows, kDensity}, listener).likes, first->sample({kRows, kDensity}, listener).likes));
  EXPECT_EQ(error_of(ErrorKind::kData, [&] { second->load(folder.path() / "saved", 7); }).find('\n'), std::string::npos);
  EXPECT_THROW(second->load(folder.path() / "absent", protocol.generator.cols()), Error);
}

/// Killed at any event of its stages and started again, a generator ends with the same users, and does not fit twice what was
/// fitted whole.
void expect_resumption(const std::string& name) {
  const ProtocolData protocol = tiny_protocol();
  const CsrMatrix expected = fitted_sample(name, protocol, tiny_settings()).likes;
  std::vector<PlannedStage> stages;
  {
    const auto generators = make_generators(std::vector<std::string>{name}, tiny_settings());
    stages = planned_stages(generators, protocol);
  }
  for (const PlannedStage& stage : stages) {
    for (const char* event : {"begin ", "advance ", "end "}) {
      const TempFolder folder;
      const GeneratorSettings settings = tiny_settings(1, folder_in(folder.path()));
      RecordingListener killer;
      killer.fail_at = event + stage.name;
      const auto killed = make_one(name, settings);
      EXPECT_THROW(
          {
            killed->fit(protocol, killer);
            killed->sample({kRows, kDensity}, killer);
          },
          std::runtime_error)
          << killer.fail_at;
      RecordingListener listener;
      const auto generator = make_one(name, settings);
      const std::vector<PlannedStage> planned = generator->plan(protocol);
      generator->fit(protocol, listener);
      EXPECT_TRUE(same_pattern(generator->sample({kRows, kDensity}, listener).likes, expected)) << "killed at " << killer.fail_at;
      EXPECT_TRUE(listener.warnings.empty());
      EXPECT_EQ(listener.begun, listener.ended);
      std::vector<std::string> names;
      for (const PlannedStage& one : planned) {
        names.push_back(one.name);
        EXPECT_TRUE(one.seconds > 0 && one.seconds < 60) << one.name << ": " << one.seconds;
      }
      EXPECT_EQ(listener.begun, names) << "what is planned is what comes";
      if (stage.name.rfind("sample_", 0) == 0) {
        EXPECT_EQ(planned.size(), 1u) << "the fits were kept";
      }
    }
  }
}

void expect_damage_is_told(const std::string& name) {
  const ProtocolData protocol = tiny_protocol();
  const TempFolder folder;
  const GeneratorSettings settings = tiny_settings(1, folder_in(folder.path()));
  const CsrMatrix expected = fitted_sample(name, protocol, settings).likes;
  std::vector<fs::path> models;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder.path())) {
    if (entry.path().extension() == ".safetensors") models.push_back(entry.path());
  }
  ASSERT_FALSE(models.empty());
  const auto fitted_again = [&](const GeneratorSettings& other) {
    RecordingListener listener;
    const auto generator = make_one(name, other);
    generator->fit(protocol, listener);
    EXPECT_TRUE(same_pattern(generator->sample({kRows, kDensity}, listener).likes, expected));
    return listener.warnings;
  };
  EXPECT_TRUE(fitted_again(settings).empty());
  for (const fs::path& model : models) {
    fs::resize_file(model, fs::file_size(model) - 5);
    const std::vector<std::string> warnings = fitted_again(settings);
    ASSERT_EQ(warnings.size(), 1u) << model;
    EXPECT_NE(warnings[0].find(model.filename().string()), std::string::npos) << warnings[0];
    tapestry::tests::flip_a_bit(model);  // of a number: the file is as long as it was
    const std::vector<std::string> again = fitted_again(settings);
    ASSERT_EQ(again.size(), 1u) << model;
    EXPECT_NE(again[0].find("damaged, trained again"), std::string::npos) << again[0];
  }
  GeneratorSettings other = settings;
  other.folder.configuration = other.baseline_folder.configuration = "another";
  EXPECT_EQ(fitted_again(other).size(), models.size());
}

void expect_odd_inputs(const std::string& name) {
  RecordingListener listener;
  for (const CsrMatrix& rows : {CsrMatrix::from_rows(6, {{0, 3}, {}, {1, 2, 5}, {}, {4}}),  // users without items
                                CsrMatrix::from_rows(1, {{0}, {0}, {}}),                    // one item
                                CsrMatrix::from_rows(5, {{0, 1, 2, 3, 4}})}) {              // one user, who has everything
    const auto generator = make_one(name, tiny_settings());
    generator->fit(protocol_of(rows), listener);
    const Interactions users = generator->sample({3, 0.4, true}, listener);
    EXPECT_EQ(users.likes.rows(), 3);
    EXPECT_EQ(users.likes.cols(), rows.cols());
    EXPECT_EQ(generator->sample({0, 0.4, true}, listener).likes.rows(), 0);
  }
}

}  // namespace

void RecordingListener::begin(const std::string& stage) {
  begun.push_back(stage);
  if (fail_at == "begin " + stage) throw std::runtime_error("killed");
}

void RecordingListener::advance(const std::string& stage, const StageProgress& how_far) {
  EXPECT_TRUE(how_far.fraction >= 0 && how_far.fraction <= 1) << stage << ": " << how_far.fraction;
  auto& all = progress[stage];
  all.push_back(how_far);
  if (fail_at == "advance " + stage && all.size() == 2) throw std::runtime_error("killed");
  if (fail_at == "advance " + stage && how_far.fraction == 1) throw std::runtime_error("killed");
}

void RecordingListener::end(const std::string& stage) {
  ended.push_back(stage);
  if (fail_at == "end " + stage) throw std::runtime_error("killed");
}

ProtocolData tiny_protocol(std::int64_t users, std::int64_t items) {
  SimulationConfig config;
  config.users = users;
  config.items = items;
  return make_protocol(simulate_dataset(config), ProtocolName::kPublished, 1);
}

HeldOut halves(const CsrMatrix& rows) {
  std::vector<std::vector<std::int32_t>> halves[2];  // input, held out
  for (std::vector<std::vector<std::int32_t>>& half : halves) half.resize(static_cast<std::size_t>(rows.rows()));
  for (std::int64_t row = 0; row < rows.rows(); ++row) {
    bool hold_out = true;
    for (const std::int32_t item : rows.row(row)) {
      halves[hold_out ? 1 : 0][static_cast<std::size_t>(row)].push_back(item);
      hold_out = !hold_out;
    }
  }
  return {CsrMatrix::from_rows(rows.cols(), halves[0]), CsrMatrix::from_rows(rows.cols(), halves[1])};
}

ProtocolData protocol_of(const CsrMatrix& generator_rows) {
  ProtocolData protocol;
  protocol.train = protocol.generator = generator_rows;
  protocol.train_dislikes = no_entries(generator_rows);
  protocol.evaluation = halves(generator_rows);
  protocol.synthetic_rows = generator_rows.rows();
  protocol.selection = [held = protocol.evaluation](std::uint64_t, int) { return held; };
  return protocol;
}

GeneratorSettings tiny_settings(std::uint64_t seed, const ModelFolder& folder) {
  GeneratorSettings settings;
  settings.seed = seed;
  settings.folder = settings.baseline_folder = folder;
  settings.vae.hidden = 12;
  settings.vae.latent = 6;
  settings.vae.batch = 20;
  settings.vae.max_epochs = 3;
  settings.score.timesteps = 4;
  settings.score.batch = 30;
  settings.score.epochs = 3;
  MultiVaeConfig& multivae = settings.baselines.multivae;
  multivae.vae.hidden = 12;
  multivae.vae.latent = 6;
  multivae.vae.batch = 20;
  multivae.vae.max_epochs = 4;
  CodigemConfig& codigem = settings.baselines.codigem;
  codigem.width = 12;
  codigem.hidden_layers = 3;
  codigem.batch = 20;
  codigem.max_epochs = 4;
  CtganConfig& ctgan = settings.baselines.ctgan;
  ctgan.hidden = 16;
  ctgan.latent = 8;
  ctgan.batch = 20;
  ctgan.epochs = 2;
  TvaeConfig& tvae = settings.baselines.tvae;
  tvae.hidden = 12;
  tvae.latent = 6;
  tvae.batch = 20;
  tvae.epochs = 2;
  DiffRecConfig& diffrec = settings.baselines.diffrec;
  diffrec.dims = {7, 12};
  diffrec.timesteps = 3;
  diffrec.batch = 20;
  diffrec.learning_rate = 1e-3;
  diffrec.max_epochs = 7;
  return settings;
}

std::unique_ptr<Generator> make_one(const std::string& name, const GeneratorSettings& settings) {
  return std::move(make_generators(std::vector<std::string>{name}, settings).front());
}

bool same_pattern(const CsrMatrix& a, const CsrMatrix& b) {
  return a.rows() == b.rows() && a.cols() == b.cols() && a.nnz() == b.nnz() &&
         std::equal(a.offsets().span<std::int64_t>().begin(), a.offsets().span<std::int64_t>().end(),
                    b.offsets().span<std::int64_t>().begin()) &&
         std::equal(a.columns().span<std::int32_t>().begin(), a.columns().span<std::int32_t>().end(),
                    b.columns().span<std::int32_t>().begin());
}

void expect_generator(const std::string& name) {
  SCOPED_TRACE(name);
  EXPECT_EQ(make_one(name, tiny_settings())->name(), name);
  expect_sample(name);
  expect_determinism(name);
  expect_files(name);
  expect_resumption(name);
  expect_damage_is_told(name);
  expect_odd_inputs(name);
}

void expect_generator_of_a_table(const std::string& name) {
  SCOPED_TRACE(name);
  expect_resumption(name);
  expect_odd_inputs(name);
}

void expect_divergence_is_told(const std::string& name, const GeneratorSettings& diverging) {
  RecordingListener listener;
  const auto generator = make_one(name, diverging);
  const std::string text = error_of(ErrorKind::kFit, [&] { generator->fit(tiny_protocol(), listener); });
  EXPECT_NE(text.find("diverged in epoch "), std::string::npos) << text;
  EXPECT_NE(text.find("its loss is "), std::string::npos) << text;
  EXPECT_THROW(generator->sample({kRows, kDensity}, listener), Error) << "nothing was fitted";
}

}  // namespace tapestry::recsys::tests
