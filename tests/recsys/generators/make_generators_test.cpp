// recsys/generators/make_generators.h: names, order, what is shared and what is planned.
#include "recsys/generators/make_generators.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <set>

#include "tests/recsys/data/data_support.h"
#include "tests/recsys/generators/generator_support.h"

namespace tapestry::recsys {
namespace {

using tests::make_one;
using tests::RecordingListener;
using tests::same_pattern;
using tests::tiny_protocol;
using tests::tiny_settings;

std::vector<std::string> stage_names(const std::vector<std::string>& generators, const GeneratorSettings& settings) {
  std::vector<std::string> names;
  for (const PlannedStage& stage : planned_stages(make_generators(generators, settings), tiny_protocol())) {
    names.push_back(stage.name);
  }
  return names;
}

TEST(MakeGenerators, EveryKnownNameCanBeMade) {
  for (const std::string& name : known_generator_names()) EXPECT_EQ(make_one(name, tiny_settings())->name(), name);
  for (const std::string& name : unprinted_generator_names()) EXPECT_EQ(make_one(name, tiny_settings())->name(), name);
  EXPECT_THROW(make_one("original", tiny_settings()), Error);
  EXPECT_TRUE(make_generators(std::vector<std::string>{}, tiny_settings()).empty());
}

TEST(MakeGenerators, StagesAreKnownByName) {
  for (const auto& names : {known_generator_names(), unprinted_generator_names()}) {
    for (const std::string& name : names) {
      std::vector<std::string> planned = stage_names({name}, tiny_settings()), known = stages_of(name);
      std::sort(planned.begin(), planned.end());
      std::sort(known.begin(), known.end());
      EXPECT_EQ(planned, known) << name;
    }
  }
}

TEST(MakeGenerators, SharedFitsArePlannedOnce) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(stage_names({"multivae++", "f-sdrm", "m-sdrm"}, tiny_settings()),
            (Names{"vae_fit", "sample_vae", "sdrm_fit", "sample_f", "sample_m"}));
  EXPECT_EQ(stage_names({"multivae", "multivae++"}, tiny_settings()),
            (Names{"multivae_fit", "sample_multivae", "vae_fit", "sample_vae"}));
  EXPECT_EQ(stage_names({"tvae", "tvae-threshold", "ctgan-new"}, tiny_settings()),
            (Names{"tvae_fit", "sample_tvae", "sample_tvae-threshold", "ctgan_fit", "sample_ctgan-new"}));
}

TEST(MakeGenerators, LoadingOneOfAFamilyLeavesTheOthers) {
  const tapestry::tests::TempFolder folder;
  const ProtocolData protocol = tiny_protocol();
  RecordingListener listener;
  const std::vector<std::string> names = {"f-sdrm", "multivae++"};
  const auto fitted = make_generators(names, tiny_settings());
  for (const auto& generator : fitted) {
    generator->fit(protocol, listener);
    generator->save(folder.path() / generator->name());
  }
  const auto loaded = make_generators(names, tiny_settings());
  for (const auto& generator : loaded) generator->load(folder.path() / generator->name(), protocol.generator.cols());
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(same_pattern(loaded[i]->sample({20, 0.1}, listener).likes, fitted[i]->sample({20, 0.1}, listener).likes));
  }
}

TEST(MakeGenerators, WhatIsLoadedIsOfThisConfigurationAndUndamaged) {
  const tapestry::tests::TempFolder folder;
  const ProtocolData protocol = tiny_protocol();
  const std::int64_t items = protocol.generator.cols();
  RecordingListener listener;
  const GeneratorSettings own = tiny_settings(1, {{}, {}, "one"}), other = tiny_settings(1, {{}, {}, "another"});
  const std::vector<std::pair<std::string, std::string>> generators = {
      {"codigem", "codigem"}, {"f-sdrm", "vae"}, {"tvae", "tvae"}};
  for (const auto& [name, part] : generators) {
    const auto fitted = make_one(name, own);
    fitted->fit(protocol, listener);
    const std::filesystem::path stem = folder.path() / name;
    fitted->save(stem);
    const auto refusal = [&](const GeneratorSettings& settings) {
      const auto loaded = make_one(name, settings);
      const std::string text = tests::error_of(ErrorKind::kData, [&] { loaded->load(stem, items); });
      EXPECT_THROW(loaded->sample({20, 0.1}, listener), Error) << "nothing has been loaded";
      return text;
    };
    const auto again = make_one(name, own);
    again->load(stem, items);
    EXPECT_TRUE(same_pattern(again->sample({20, 0.1}, listener).likes, fitted->sample({20, 0.1}, listener).likes)) << name;
    EXPECT_NE(refusal(other).find("made with another configuration ('one', expected 'another')"), std::string::npos) << name;
    tapestry::tests::flip_a_bit(model_file(stem, part));
    EXPECT_NE(refusal(own).find("damaged"), std::string::npos) << name;
  }
}

TEST(MakeGenerators, AScoreModelIsLoadedWithTheVaeItLearntFrom) {
  const tapestry::tests::TempFolder folder;
  const ProtocolData protocol = tiny_protocol();
  RecordingListener listener;
  for (const std::uint64_t seed : {1, 2}) {
    const auto fitted = make_one("m-sdrm", tiny_settings(seed));
    fitted->fit(protocol, listener);
    fitted->save(folder.path() / std::to_string(seed));
  }
  std::filesystem::copy_file(folder.path() / "2-score.safetensors", folder.path() / "1-score.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  const auto loaded = make_one("m-sdrm", tiny_settings());
  const auto load = [&](const char* stem) { loaded->load(folder.path() / stem, protocol.generator.cols()); };
  const std::string text = tests::error_of(ErrorKind::kData, [&] { load("1"); });
  EXPECT_NE(text.find("learnt from the latents of another MultiVAE"), std::string::npos) << text;
  load("2");
  loaded->sample({20, 0.1}, listener);

  const auto pair = make_generators(std::vector<std::string>{"m-sdrm", "multivae++"}, tiny_settings());
  pair[0]->load(folder.path() / "2", protocol.generator.cols());
  pair[1]->load(folder.path() / "1", protocol.generator.cols());
  pair[1]->sample({20, 0.1}, listener);
  EXPECT_THROW(pair[0]->sample({20, 0.1}, listener), Error) << "the latents are not those of the MultiVAE that is left";
}

// Two machines' models of one configuration differ, and --reuse takes them file by file.
TEST(MakeGenerators, AKeptScoreModelIsTakenUpOnlyWithTheVaeItLearntFrom) {
  const tapestry::tests::TempFolder folder;
  const ProtocolData protocol = tiny_protocol();
  const auto kept = [&](const char* stem) { return ModelFolder{folder.path() / stem, folder.path() / stem, "one"}; };
  const auto fit = [&](std::uint64_t seed, const char* stem) {
    RecordingListener listener;
    make_one("m-sdrm", tiny_settings(seed, kept(stem)))->fit(protocol, listener);
    return listener;
  };
  fit(1, "here");
  fit(2, "elsewhere");
  const std::filesystem::path score = model_file(kept("here").models, "score");
  nn::TensorFile of_an_earlier_program = nn::load_tensors(score);
  ASSERT_EQ(of_an_earlier_program.metadata.erase("latents_of"), 1U);
  std::filesystem::copy_file(model_file(kept("elsewhere").models, "vae"), model_file(kept("here").models, "vae"),
                             std::filesystem::copy_options::overwrite_existing);

  const RecordingListener again = fit(1, "here");
  EXPECT_EQ(again.begun, (std::vector<std::string>{"sdrm_fit"}));
  ASSERT_EQ(again.warnings.size(), 1U);
  EXPECT_NE(again.warnings[0].find("learnt from the latents of another MultiVAE"), std::string::npos) << again.warnings[0];
  EXPECT_NE(again.warnings[0].find("trained again"), std::string::npos) << again.warnings[0];
  const RecordingListener third = fit(1, "here");
  EXPECT_TRUE(third.begun.empty() && third.warnings.empty()) << "the new one goes with it";

  nn::save_tensors(score, of_an_earlier_program);
  const RecordingListener unknown = fit(1, "here");
  EXPECT_TRUE(unknown.begun.empty() && unknown.warnings.empty()) << "a file that does not say is taken";
}

TEST(MakeGenerators, ASharedFitThatFailsIsTriedOnce) {
  constexpr double kRunsAway = std::numeric_limits<double>::infinity();
  GeneratorSettings settings = tiny_settings();
  settings.baselines.tvae.learning_rate = settings.baselines.ctgan.learning_rate = kRunsAway;
  const auto expect_one_try = [&](const std::vector<std::string>& names, const std::string& stage) {
    const ProtocolData protocol = tiny_protocol();
    RecordingListener listener;
    std::set<std::string> reasons;
    for (const auto& generator : make_generators(names, settings)) {
      reasons.insert(tests::error_of(ErrorKind::kFit, [&] { generator->fit(protocol, listener); }));
      EXPECT_THROW(generator->sample({20, 0.1}, listener), Error);
    }
    EXPECT_EQ(reasons.size(), 1U) << "all are told the same";
    EXPECT_EQ(std::count(listener.begun.begin(), listener.begun.end(), stage), 1) << stage;
  };
  expect_one_try({"tvae", "tvae-sample"}, "tvae_fit");
  expect_one_try({"ctgan", "ctgan-new"}, "ctgan_fit");
  settings.score.learning_rate = kRunsAway;
  expect_one_try({"f-sdrm", "m-sdrm"}, "sdrm_fit");
  settings.vae.learning_rate = kRunsAway;
  expect_one_try({"m-sdrm", "multivae++", "f-sdrm"}, "vae_fit");
}

TEST(MakeGenerators, AFitThatWasCancelledIsTriedAgain) {
  for (const auto& [name, stage] :
       {std::pair("f-sdrm", "vae_fit"), std::pair("f-sdrm", "sdrm_fit"), std::pair("tvae", "tvae_fit")}) {
    const ProtocolData protocol = tiny_protocol();
    RecordingListener listener;
    const auto generator = make_one(name, tiny_settings());
    listener.fail_at = std::string("begin ") + stage;
    EXPECT_THROW(generator->fit(protocol, listener), std::runtime_error);
    listener.fail_at.clear();
    generator->fit(protocol, listener);
    EXPECT_EQ(std::count(listener.begun.begin(), listener.begun.end(), stage), 2) << stage;
  }
}

TEST(MakeGenerators, WhatThePaperDoesNotPrintDrawsFromTheSameModel) {
  EXPECT_EQ(unprinted_generator_names(),
            (std::vector<std::string>{"ctgan-paper", "ctgan-old", "ctgan-new", "tvae-tanh", "tvae-sample", "tvae-threshold"}));
  EXPECT_EQ(model_of("ctgan-new") + model_of("tvae-sample") + model_of("tvae") + model_of("m-sdrm"), "ctgantvaetvaem-sdrm");
  EXPECT_TRUE(is_of_a_table("ctgan") && is_of_a_table("tvae-threshold") && !is_of_a_table("codigem"));
  const ProtocolData protocol = tiny_protocol();
  RecordingListener listener;
  const auto tvae = make_generators(std::vector<std::string>{"tvae", "tvae-threshold"}, tiny_settings());
  for (const auto& generator : tvae) generator->fit(protocol, listener);
  EXPECT_EQ(std::count(listener.begun.begin(), listener.begun.end(), "tvae_fit"), 1);
  const auto alone = make_one("tvae-threshold", tiny_settings());
  alone->fit(protocol, listener);
  EXPECT_TRUE(same_pattern(alone->sample({20, 0.2}, listener).likes, tvae[1]->sample({20, 0.2}, listener).likes));
}

TEST(MakeGenerators, WhoElseIsAskedForChangesNothing) {
  const ProtocolData protocol = tiny_protocol();
  RecordingListener listener;
  const auto all = make_generators(known_generator_names(), tiny_settings());
  for (const auto& together : all) together->fit(protocol, listener);
  for (const auto& together : all) {
    const auto alone = make_one(together->name(), tiny_settings());
    alone->fit(protocol, listener);
    EXPECT_TRUE(same_pattern(alone->sample({20, 0.2}, listener).likes, together->sample({20, 0.2}, listener).likes))
        << together->name();
  }
}

class EveryGenerator : public ::testing::TestWithParam<const char*> {};
TEST_P(EveryGenerator, KeepsWhatItPromises) { tests::expect_generator(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Names, EveryGenerator,
                         ::testing::Values("codigem", "diffrec", "multivae", "multivae++", "f-sdrm", "m-sdrm"));

class EveryGeneratorOfATable : public ::testing::TestWithParam<const char*> {};
TEST_P(EveryGeneratorOfATable, GoesOnAfterAKillAndTakesOddInputs) { tests::expect_generator_of_a_table(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Names, EveryGeneratorOfATable, ::testing::Values("ctgan", "tvae", "tvae-threshold"));

}  // namespace
}  // namespace tapestry::recsys
