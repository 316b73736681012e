#include "recsys/experiment/ablation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "recsys/experiment/ablation_page.h"
#include "tests/recsys/experiment/runner_support.h"

namespace tapestry::recsys {
namespace {

using tests::error_of;
using Names = std::vector<std::string>;

Cell cell(const std::string& setting, const std::string& generator, std::vector<double> runs) {
  return {"a", "svd", setting, generator, "Recall@10", std::move(runs), {}};
}

std::vector<double> runs_of(std::span<const Cell> cells, const std::string& setting, const std::string& generator) {
  for (const Cell& one : cells) {
    if (one.setting == setting && one.generator == generator) return one.runs;
  }
  return {};
}

TEST(Ablations, LeaveOutOneDeviationEach) {
  const std::vector<Ablation> all = ablations("svd");
  ASSERT_EQ(all.size(), known_deviations().size() + 2);
  EXPECT_TRUE(all[0].name == "published" && all[0].reference.empty() && all[0].without.empty());
  for (std::size_t i = 0; i < known_deviations().size(); ++i) {
    EXPECT_EQ(all[i + 1].name, "without-" + known_deviations()[i]);
    EXPECT_EQ(joined(all[i + 1].without), known_deviations()[i]);
    EXPECT_EQ(all[i + 1].reference, "published");
    EXPECT_FALSE(all[i + 1].description.empty());
  }
  EXPECT_EQ(all.back().variant, sdrm::Variant::kPaper);
  const ExperimentOptions options = options_for(all[2], tiny_options("out"));
  EXPECT_EQ(options.out, fs::path("out") / all[2].name);
  EXPECT_EQ(options.without, all[2].without);
}

Names names(const std::vector<Ablation>& selected) {
  Names found;
  for (const Ablation& ablation : selected) found.push_back(ablation.name);
  return found;
}

TEST(Ablations, AreSelectedWithWhatTheyNeed) {
  EXPECT_EQ(names(select_ablations("svd", Names{"without-tied-layers"})), (Names{"published", "without-tied-layers"}));
  EXPECT_EQ(names(select_ablations("neumf", Names{"neumf-best-recall-without-selection-leak"})),
            (Names{"neumf-first-epoch", "neumf-best-recall", "neumf-best-recall-without-selection-leak"}));
  EXPECT_EQ(names(select_ablations("neumf", Names{"neumf-best-recall-no-dislikes"})),
            (Names{"neumf-first-epoch", "neumf-best-recall", "neumf-best-recall-no-dislikes"}));
  EXPECT_EQ(select_ablations("mlp", Names{"all"}).size(), ablations("mlp").size());
  const std::string text = error_of(ErrorKind::kUsage, [] { select_ablations("svd", Names{"tied"}); });
  EXPECT_NE(text.find("without-tied-layers"), std::string::npos) << text;
}

TEST(Ablations, EachRecommenderGetsItsOwn) {
  const Names both = {"svd", "neumf"};
  const auto chosen = ablations_by_recommender(both, Names{"without-tied-layers"});
  ASSERT_EQ(chosen.size(), 2U);
  EXPECT_EQ(names(chosen[0].second), (Names{"published", "without-tied-layers"}));
  EXPECT_TRUE(chosen[1].second.empty());
  EXPECT_EQ(ablations_by_recommender(both, Names{"all"})[1].second.size(), ablations("neumf").size());
  const std::string text = error_of(ErrorKind::kUsage, [&] { ablations_by_recommender(both, Names{"tied"}); });
  EXPECT_NE(text.find("no ablation of svd, neumf is called 'tied'"), std::string::npos) << text;
}

TEST(Ablations, ConclusionsCombineRunByRun) {
  const std::vector<Cell> cells = with_conclusions(std::vector<Cell>{
      cell("augment", "original", {0.5}), cell("augment", "multivae++", {0.25, 0.5}), cell("augment", "f-sdrm", {0.5, 1}),
      cell("augment", "m-sdrm", {1, 0}), cell("replace", "original", {0.5}), cell("replace", "f-sdrm", {1, 2})});
  EXPECT_EQ(runs_of(cells, "augment", "f-sdrm"), (std::vector<double>{0.5, 1})) << "what was there stays";
  EXPECT_EQ(runs_of(cells, "both", "f-sdrm"), (std::vector<double>{0.75, 1.5}));
  EXPECT_EQ(runs_of(cells, "both", "m-sdrm"), std::vector<double>()) << "not in both";
  EXPECT_EQ(runs_of(cells, "augment", "f-, m-sdrm"), (std::vector<double>{0.75, 0.5}));
  EXPECT_EQ(runs_of(cells, "augment", "f-sdrm over multivae++"), (std::vector<double>{0.25, 0.5}));
  EXPECT_EQ(runs_of(cells, "augment", "f-, m-sdrm over multivae++"), (std::vector<double>{0.5, 0}));
  EXPECT_EQ(runs_of(cells, "augment", "m-sdrm over original"), (std::vector<double>{0.5, -0.5})) << "its one run stands for all";
  EXPECT_EQ(runs_of(cells, "both", "f-sdrm over original"), (std::vector<double>{0.25, 1}));
  EXPECT_TRUE(runs_of(cells, "augment", "f-sdrm over multivae++ over original").empty());
}

TEST(Ablations, EffectsArePairedByRun) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  const auto effect_of = [&](std::vector<double> reference, std::vector<double> changed) {
    const std::vector<Cell> a = {cell("augment", "f-sdrm", std::move(reference))};
    const std::vector<Cell> b = {cell("augment", "f-sdrm", std::move(changed))};
    return effects("x", a, b);
  };
  const std::vector<Effect> up = effect_of({0.5, 0.75, 1.0, kNaN}, {0.25, 0.5, 0.625, 9});
  ASSERT_EQ(up.size(), 1U);
  EXPECT_EQ(up[0].runs, 3U) << "the failed one is left out, and its partner";
  EXPECT_DOUBLE_EQ(up[0].reference.mean, 0.75);
  // Differences .25 .25 .375: mean .291667, deviation .0721688, t(2) at 97.5 % 4.302653.
  EXPECT_NEAR(up[0].difference.mean, 0.2916667, 1e-6);
  EXPECT_NEAR(up[0].difference.interval.low, 0.2916667 - 4.302653 * 0.0721688 / std::sqrt(3.0), 1e-6);
  EXPECT_EQ(up[0].in_words(), "raises");
  EXPECT_EQ(effect_of({0, 0, 0}, {1, 1, 1.125})[0].in_words(), "lowers");
  EXPECT_EQ(effect_of({0, 0, 0}, {1, -1, 0.5})[0].in_words(), "not seen");
  EXPECT_EQ(effect_of({1, 3}, {3, 1})[0].in_words(), "not seen") << "the same mean of other runs is not nothing";
  EXPECT_EQ(effect_of({1, 2, 3}, {1, 2, 3})[0].in_words(), "nothing");
  EXPECT_EQ(effect_of({1}, {0.5})[0].in_words(), "one run only");
  EXPECT_EQ(effect_of({1, kNaN}, {0.5, 2})[0].in_words(), "one run only");
  const std::vector<Cell> a = {cell("augment", "original", {1})}, b = {cell("augment", "original", {0.5})};
  EXPECT_EQ(effects("x", a, b)[0].in_words(), "raises") << "nothing random in it";
  EXPECT_TRUE(effect_of({1, 2}, {1}).empty());
  EXPECT_TRUE(effect_of({kNaN}, {1}).empty());
}

TEST(Ablations, ThePageShowsEffectsAndChoices) {
  AblationReport report;
  report.command = "reproduce --ablations all";
  report.ablations = select_ablations("svd", Names{"without-tied-layers"});
  const std::vector<Cell> a = {cell("augment", "f-sdrm", {0.5, 0.75})}, b = {cell("augment", "f-sdrm", {0.25, 0.5})};
  report.effects = effects("without-tied-layers", a, b);
  report.choices = {
      {"a", "svd", "augment", "f-sdrm", "Recall@10", 12, 0.5, 0.01, {{2, 0.25, {0.125, 0.5}}}, {{2, 0.0, {-0.1, 0.1}}}}};
  const std::string page = deviations_page(report);
  for (const char* text : {"reproduce --ablations all", "## without-tied-layers", "+0.2500", "is higher",
                           "+0.2500 (+0.1250 to +0.5000)", "+0.0025", "0.0000 (-0.1000 to +0.1000)"}) {
    EXPECT_NE(page.find(text), std::string::npos) << text << "\n" << page;
  }
  EXPECT_EQ(page.find("## published"), std::string::npos);
  EXPECT_EQ(page.find("quick run"), std::string::npos);
  EXPECT_EQ(page.find("failed"), std::string::npos);
  report.failures = {{"published/a_svd_augment_f-sdrm_run-3", "MultiVAE diverged in epoch 1"}};
  EXPECT_NE(
      deviations_page(report).find("\n* `published/a_svd_augment_f-sdrm_run-3`: MultiVAE diverged in epoch 1\n\n## without-"),
      std::string::npos);
  report.quick = true;
  EXPECT_NE(deviations_page(report).find("**This is a quick run"), std::string::npos);
  report.effects[0].dataset = "mine, too";
  report.effects.push_back(report.effects[0]);
  report.effects[1].generator = "f-, m-sdrm";
  const std::string csv = deviations_csv(report.effects);
  EXPECT_NE(csv.find("\nwithout-tied-layers,\"mine, too\",svd,augment,f-sdrm,Recall@10,2,0.6250000000,"), std::string::npos)
      << csv;
  EXPECT_NE(csv.find(",svd,augment,\"f-, m-sdrm\",Recall@10,"), std::string::npos) << csv;
  report.choices[0].dataset = "mine, too";
  EXPECT_NE(choices_csv(report.choices).find("\n\"mine, too\",svd,augment,f-sdrm,Recall@10,12,"), std::string::npos);
  EXPECT_NE(choices_csv(report.choices).find(",2,others,0.0000000000,-0.1000000000,0.1000000000\n"), std::string::npos);
}

TEST(Ablations, ChoicesOfFewUsersGoWithoutOthers) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path() / "out");
  options.generators = {"multivae++"};
  options.settings = {"augment"};
  options.runs = kChoiceRuns;
  std::vector<LoadedDataset> datasets;
  datasets.push_back({tiny_dataset(), 0.5});
  const std::string dataset = datasets[0].data.name;
  UnitStore store(options.out, configuration_of(datasets, options), [](const std::string&) {});
  for (int run = 1; run <= kChoiceRuns; ++run) {
    const double figure = 0.1 * run;  // of one user; NDCG@10 of none
    const Measures measures = {{"Recall@10", "NDCG@10"}, {figure, kNaN}, {{figure, kNaN}, {kNaN, kNaN}}};
    store.write({{dataset, "svd", "augment", "multivae++", run}, "", measures, std::nullopt});
  }
  AblationReport report;
  report.choices = choices(store, options, Names{dataset});
  ASSERT_EQ(report.choices.size(), 1U) << "a metric that nobody has a figure for is left out";
  EXPECT_EQ(report.choices[0].metric, "Recall@10");
  EXPECT_EQ(report.choices[0].on_reported.size(), 3U);
  EXPECT_TRUE(report.choices[0].on_others.empty()) << "one user cannot be halved";
  EXPECT_NE(deviations_page(report).find(" | – |\n"), std::string::npos) << deviations_page(report);
  EXPECT_EQ(choices_csv(report.choices).find("others"), std::string::npos);
}

TEST(Ablations, ChoicesNeedTenRuns) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path() / "out");
  options.generators = {kOriginal, "multivae++"};
  options.settings = {"augment"};
  options.runs = kChoiceRuns;
  Progress progress(std::make_unique<Saboteur>());
  std::vector<LoadedDataset> datasets;
  datasets.push_back({tiny_dataset(), 0.5});
  const Names names = {datasets[0].data.name};
  Experiment experiment(std::move(datasets), options, progress);
  experiment.run();
  const std::vector<Choice> found = choices(experiment.store(), options, names);
  ASSERT_EQ(found.size(), 2U) << "Recall@10 and NDCG@10";
  EXPECT_EQ(found[0].generator, "multivae++");
  EXPECT_EQ(found[0].runs, 10U);
  ASSERT_EQ(found[0].on_reported.size(), 3U);
  const double normal = found[0].deviation / std::sqrt(5.0) * expected_normal_maximum(18);
  EXPECT_NEAR(found[0].on_reported[0].value, normal, 0.25 * normal);
  options.runs = kChoiceRuns - 1;
  EXPECT_TRUE(choices(experiment.store(), options, names).empty());
}

}  // namespace
}  // namespace tapestry::recsys
