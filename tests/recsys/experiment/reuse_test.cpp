// recsys/experiment/reuse.h: units of other folders are taken over with all that belongs to them, those of another configuration
// and damaged ones are not, and what comes out is what computing them here would have given.
#include "recsys/experiment/reuse.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "recsys/data/sha256.h"
#include "recsys/experiment/plan.h"
#include "tests/recsys/experiment/runner_support.h"

namespace tapestry::recsys {
namespace {

const std::map<std::string, int> kReportAlone = {{"report", 1}};

/// Does something at the first warning.
class AtWarning : public ProgressDisplay {
 public:
  explicit AtWarning(std::function<void()> act) : act_(std::move(act)) {}
  void show(const ProgressEvent& event) override {
    if (event.kind == ProgressEvent::Kind::kWarning && act_) std::exchange(act_, nullptr)();
  }

 private:
  std::function<void()> act_;
};

/// The last line with `part` in it; empty when none has it.
std::string last_line(const std::string& text, const std::string& part) {
  const std::size_t at = text.rfind(part);
  if (at == std::string::npos) return "";
  const std::size_t begin = text.rfind('\n', at) + 1;  // from 0 in the first line
  return text.substr(begin, text.find('\n', at) - begin);
}

std::string without(std::string text, const std::string& part) { return text.erase(text.find(part), part.size()); }

/// Two folders of half of the units each, computed by commands of their own.
class Reuse : public testing::Test {
 protected:
  void SetUp() override {
    augment_ = part("augment", "*_augment_*");
    replace_ = part("replace", "*_replace_*");
  }

  ExperimentOptions part(const std::string& name, const std::string& only) {
    ExperimentOptions options = tiny_options(folder_.path() / name);
    options.command = "reproduce --only " + name;
    options.versions["revision"] = name + "-revision";
    options.only = {only};
    run(options);
    return options;
  }
  ExperimentOptions whole(std::vector<fs::path> reuse) const {
    ExperimentOptions options = tiny_options(folder_.path() / "whole");
    options.command = "reproduce";
    options.reuse = result_folders(reuse);
    return options;
  }

  TempFolder folder_;
  ExperimentOptions augment_, replace_;
};

TEST_F(Reuse, TwoFoldersBecomeOne) {
  run(whole({augment_.out, replace_.out}));
  EXPECT_EQ(Saboteur::begun(), kReportAlone);
  EXPECT_TRUE(all_results(folder_.path() / "whole") == undisturbed());
  // The parts are not needed afterwards.
  fs::remove_all(augment_.out);
  fs::remove_all(replace_.out);
  run(whole({}));
  EXPECT_EQ(Saboteur::begun(), kReportAlone);
  EXPECT_TRUE(all_results(folder_.path() / "whole") == undisturbed());
}

TEST_F(Reuse, FoldersInAFolderCount) {
  const std::vector<fs::path> found = result_folders(std::vector<fs::path>{folder_.path(), augment_.out});
  EXPECT_EQ(found, (std::vector<fs::path>{augment_.out, replace_.out})) << "each once";
  fs::create_directories(folder_.path() / "empty");
  const std::string error = tests::error_of(ErrorKind::kUsage, [&] {
    result_folders(std::vector<fs::path>{augment_.out, folder_.path() / "empty"});
  });
  EXPECT_NE(error.find("empty: neither it nor a folder in it has a config.json"), std::string::npos) << error;
  for (const char* name : {"", "nowhere"}) {
    tests::error_of(ErrorKind::kUsage, [&] { result_folders(std::vector<fs::path>{name}); });
  }
  fs::create_directories(folder_.path() / "odd" / "config.json");
  EXPECT_TRUE(reuse_conflict(folder_.path() / "odd", {}).has_value()) << "cannot be read: no reason to end";
}

TEST_F(Reuse, TheReportSaysWhoComputedIt) {
  run(whole({folder_.path()}));
  const std::string report = read_file(folder_.path() / "whole" / "report.md");
  for (const char* name : {"augment", "replace"}) {
    const std::size_t at = report.find(": reproduce --only " + std::string(name) + " |");
    ASSERT_NE(at, std::string::npos) << report;
    const std::string row = report.substr(report.rfind('\n', at), at - report.rfind('\n', at));
    EXPECT_NE(row.find("| 7 units, "), std::string::npos) << row;
    EXPECT_NE(row.find(name + std::string("-revision")), std::string::npos) << row;
  }
  EXPECT_EQ(report.find("left no record"), std::string::npos);
  const std::vector<Start> starts = Journal(folder_.path() / "whole").starts();
  ASSERT_EQ(starts.size(), 3U);
  EXPECT_EQ(starts[0].folder, fs::canonical(augment_.out).string());
  EXPECT_EQ(starts[0].number_there, 1);
  EXPECT_EQ(starts[2].folder, "");
  EXPECT_EQ(starts[2].number, 3);
  // Times and curves are the parts'.
  const auto manifest = nlohmann::json::parse(read_file(folder_.path() / "whole" / "manifest.json"));
  EXPECT_GT(manifest.at("stage_seconds").at("vae_fit").get<double>(), 0);
  EXPECT_EQ(manifest.at("starts").size(), 3U);
  EXPECT_TRUE(fs::exists(folder_.path() / "whole" / "history" / "simulated" / "svd" / "run-2-sdrm_fit.csv"));
}

TEST_F(Reuse, ModelsComeAlongForWhatIsStillToBeComputed) {
  run(whole({augment_.out}));
  EXPECT_EQ(Saboteur::begun().count("vae_fit"), 0U);
  EXPECT_EQ(Saboteur::begun().count("sdrm_fit"), 0U);
  EXPECT_EQ(Saboteur::begun()["sample_m"], 2);
  EXPECT_TRUE(all_results(folder_.path() / "whole") == undisturbed());
  EXPECT_TRUE(fs::exists(folder_.path() / "whole" / "models" / "simulated" / "svd" / "run-1-score.safetensors"));
  run(whole({replace_.out}));  // all is there: nothing is taken twice
  EXPECT_EQ(Journal(folder_.path() / "whole").starts().size(), 3U);
}

TEST_F(Reuse, WithoutNeedNoModels) {
  run(whole({augment_.out, replace_.out}));
  EXPECT_FALSE(fs::exists(folder_.path() / "whole" / "models" / "simulated" / "svd" / "run-1-score.safetensors"));
}

TEST_F(Reuse, MoreOfTheSameStartLaterJoinsIt) {
  ExperimentOptions options = whole({augment_.out});
  options.generators = {kOriginal};
  EXPECT_EQ(take(options).at(0).units, 1) << "the original users, once in all";
  options.generators = {kOriginal, "m-sdrm"};
  EXPECT_EQ(take(options).at(0).units, 2);
  const std::vector<Start> starts = Journal(options.out).starts();
  ASSERT_EQ(starts.size(), 1U);
  EXPECT_EQ(starts[0].units.size(), 3U);
  EXPECT_TRUE(starts[0].wall_seconds.has_value());
  std::vector<std::string> lines;
  std::istringstream stages(read_file(options.out / "stages.jsonl"));
  for (std::string line; std::getline(stages, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(std::adjacent_find(lines.begin(), lines.end()), lines.end()) << "no stage counts twice";
}

TEST_F(Reuse, AnotherConfigurationGivesNothingAndSaysWhy) {
  ExperimentOptions options = whole({augment_.out});
  options.seed = 2;
  const std::vector<Reused> reused = take(options);
  ASSERT_EQ(reused.size(), 1U);
  EXPECT_EQ(reused[0].units, 0);
  EXPECT_EQ(reused[0].conflict, "another configuration: seed is 1 there and 2 here");
  EXPECT_EQ(Saboteur::warnings(), 0);
  EXPECT_TRUE(fs::is_empty(options.out / "units"));
}

TEST_F(Reuse, ADamagedUnitIsComputed) {
  const fs::path unit = augment_.out / "units" / "simulated_svd_augment_m-sdrm_run-2.json";
  std::string text = read_file(unit);
  text[text.size() / 2] ^= 1;
  folder_.write("augment/units/simulated_svd_augment_m-sdrm_run-2.json", text);
  run(whole({augment_.out, replace_.out}));
  EXPECT_EQ(Saboteur::begun()["recommender_fit"], 1);
  EXPECT_EQ(Saboteur::begun().count("vae_fit"), 0U);
  EXPECT_TRUE(all_results(folder_.path() / "whole") == undisturbed());
  EXPECT_EQ(read_file(unit), text) << "the other folder is not touched";
}

TEST_F(Reuse, ItsOwnFolderIsNoOther) {
  ExperimentOptions options = augment_;
  options.reuse = result_folders(std::vector<fs::path>{folder_.path()});
  options.only = {};
  EXPECT_EQ(take(options).size(), 1U);
  EXPECT_EQ(Journal(augment_.out).starts().size(), 2U);
}

TEST_F(Reuse, WhatABrokenOffTakingHasIsOnRecord) {
  const ExperimentOptions options = whole({augment_.out, replace_.out});
  // The last unit of the first folder cannot be written.
  const fs::path obstacle = options.out / "units" / "simulated_svd_augment_m-sdrm_run-2.json";
  fs::create_directories(obstacle / "occupied");
  EXPECT_THROW(take(options), Error);
  const std::vector<Start> starts = Journal(options.out).starts();
  ASSERT_EQ(starts.size(), 1U);
  EXPECT_EQ(starts[0].units.size(), 6U);
  fs::remove_all(obstacle);
  run(options);
  EXPECT_EQ(Saboteur::begun(), kReportAlone);
  EXPECT_TRUE(all_results(options.out) == undisturbed());
  const std::string report = read_file(options.out / "report.md");
  EXPECT_EQ(report.find("left no record"), std::string::npos);
  EXPECT_NE(report.find("| 7 units, "), std::string::npos) << "in two goes, of one start";
}

TEST_F(Reuse, FilesThatAreBeingWrittenAreLeftAlone) {
  const fs::path models = augment_.out / "models" / "simulated" / "svd";
  fs::copy_file(models / "run-1-vae.safetensors", models / "run-1-vae.safetensors.tmp");
  fs::remove(models / "run-1-vae.safetensors");
  fs::remove(models / "run-2-score.safetensors");
  fs::create_directory(models / "run-2-score.safetensors");  // not a file: as good as none
  const std::string before = read_file(models / "run-1-vae.safetensors.tmp");
  run(whole({augment_.out}));
  EXPECT_EQ(Saboteur::begun()["vae_fit"], 1);
  EXPECT_EQ(Saboteur::begun()["sdrm_fit"], 1);
  EXPECT_TRUE(all_results(folder_.path() / "whole") == undisturbed());
  EXPECT_EQ(fs::hard_link_count(models / "run-1-vae.safetensors.tmp"), 1U);
  EXPECT_EQ(read_file(models / "run-1-vae.safetensors.tmp"), before);
}

TEST_F(Reuse, OnlyTheHistoriesAndTimesOfWhatIsTakenComeAlong) {
  ExperimentOptions options = whole({augment_.out});
  options.generators = {kOriginal, "multivae++"};
  options.settings = {"augment"};
  run(options);
  const fs::path history = options.out / "history" / "simulated" / "svd";
  EXPECT_TRUE(fs::exists(history / "run-1-vae_fit.csv"));
  EXPECT_FALSE(fs::exists(history / "run-1-sdrm_fit.csv"));
  const std::string stages = read_file(options.out / "stages.jsonl");
  EXPECT_NE(stages.find("\"vae_fit\""), std::string::npos);
  EXPECT_EQ(stages.find("sample_m"), std::string::npos);
}

TEST_F(Reuse, OfTwoFoldersThatFitTheUndamagedUnitIsTaken) {
  const ExperimentOptions other = part("augment-again", "*_augment_*");
  folder_.write("augment/units/simulated_svd_augment_m-sdrm_run-2.json", "{");
  run(whole({augment_.out, other.out, replace_.out}));
  EXPECT_EQ(Saboteur::begun(), kReportAlone);
  EXPECT_EQ(Saboteur::warnings(), 1) << "damaged, not taken";
  EXPECT_TRUE(all_results(folder_.path() / "whole") == undisturbed());
}

TEST_F(Reuse, OfTwoFoldersThatFitTheUndamagedModelIsTaken) {
  // One unit is in neither, so that its run's models are wanted.
  const ExperimentOptions other = part("augment-again", "*_augment_*");
  for (const ExperimentOptions& one : {augment_, other}) {
    fs::remove(one.out / "units/simulated_svd_augment_m-sdrm_run-2.json");
  }
  const std::string name = "augment/models/simulated/svd/run-2-score.safetensors";
  std::string model = read_file(folder_.path() / name);
  model[model.size() - 2] = static_cast<char>(model[model.size() - 2] ^ 1);
  fs::remove(folder_.path() / name);  // it may have another name
  folder_.write(name, model);
  run(whole({augment_.out, other.out, replace_.out}));
  EXPECT_EQ(Saboteur::begun().count("sdrm_fit"), 0U);
  EXPECT_EQ(Saboteur::begun().count("vae_fit"), 0U);
  EXPECT_EQ(Saboteur::warnings(), 1) << "damaged, not taken";
  EXPECT_TRUE(all_results(folder_.path() / "whole") == undisturbed());
}

TEST_F(Reuse, AUnitWithAChecksumButWithoutFiguresIsNone) {
  const std::string name = "simulated_svd_augment_m-sdrm_run-2.json";
  for (const char* without : {"means", "users", "metrics", "unit", "synthetic"}) {
    auto json = nlohmann::ordered_json::parse(read_file(augment_.out / "units" / name));
    json.erase("sha256");
    json[without] = nlohmann::ordered_json::array();
    if (std::string(without) == "synthetic") json[without] = nlohmann::ordered_json::object();
    json["sha256"] = sha256(json.dump());
    const TempFolder forged;
    fs::copy(augment_.out, forged.path() / "augment", fs::copy_options::recursive);
    forged.write("augment/units/" + name, json.dump() + "\n");
    ExperimentOptions options = tiny_options(forged.path() / "whole");
    options.settings = {"augment"};
    options.reuse = {forged.path() / "augment"};
    EXPECT_EQ(take(options).at(0).units, 6) << without;
    EXPECT_EQ(Saboteur::warnings(), 1) << without;
  }
}

TEST_F(Reuse, AStartThatWasRunningIsToldOfWhenItHasEnded) {
  const std::string told = read_file(augment_.out / "starts.jsonl");
  folder_.write("augment/starts.jsonl", told.substr(0, told.rfind("\n{")));  // as it was before its last line
  const ExperimentOptions options = whole({augment_.out});
  EXPECT_EQ(take(options).at(0).units, 7);
  EXPECT_FALSE(Journal(options.out).starts().at(0).wall_seconds.has_value());
  folder_.write("augment/starts.jsonl", told);
  EXPECT_EQ(take(options).at(0).units, 0);
  EXPECT_TRUE(Journal(options.out).starts().at(0).wall_seconds.has_value());
}

TEST_F(Reuse, AUnitFinishedMeanwhileBringsItsStartAndItsTimes) {
  const ExperimentOptions both = part("both", "*_m-sdrm_*");
  const std::string unit = "simulated_svd_replace_m-sdrm_run-2";
  const std::vector<std::string> names = {"both/starts.jsonl", "both/stages.jsonl", "both/units/" + unit + ".json"};
  std::vector<std::string> finished;
  for (const std::string& name : names) finished.push_back(read_file(folder_.path() / name));
  // As it was before the last unit: its run and generator have times already.
  const std::string fit = last_line(finished[1], R"("run":2,"stage":"recommender_fit")");
  ASSERT_NE(fit, "");
  folder_.write(names[0], without(finished[0], last_line(finished[0], unit)));
  folder_.write(names[1], without(finished[1], fit));
  fs::remove(folder_.path() / names[2]);
  // While the first unit is being refused, the last one is finished.
  folder_.write("both/units/simulated_svd_augment_m-sdrm_run-1.json", "{");
  const ExperimentOptions options = whole({both.out});
  const auto finish = [&] {
    for (std::size_t n = names.size(); n-- > 0;) folder_.write(names[n], finished[n]);
  };
  EXPECT_EQ(take(options, std::make_unique<AtWarning>(finish)).at(0).units, 3);
  const std::vector<Start> starts = Journal(options.out).starts();
  ASSERT_EQ(starts.size(), 1U);
  EXPECT_TRUE(starts[0].units.contains(unit));
  EXPECT_EQ(last_line(read_file(options.out / "stages.jsonl"), fit), fit);
}

TEST_F(Reuse, AUnitWhoseLineIsStillToComeIsLeft) {
  const std::string unit = "simulated_svd_augment_m-sdrm_run-2";
  const fs::path file = unit_file(augment_.out, {"simulated", "svd", "augment", "m-sdrm", 2});
  const auto now = [] { return fs::file_time_type::clock::now(); };
  const std::string told = read_file(augment_.out / "starts.jsonl"), untold = without(told, last_line(told, unit));
  folder_.write("augment/starts.jsonl", untold);
  fs::last_write_time(file, now());
  const int writer = ::open((augment_.out / ".lock").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(writer, LOCK_EX | LOCK_NB), 0);
  ExperimentOptions options = whole({augment_.out});
  EXPECT_EQ(take(options).at(0).units, 6);
  folder_.write("augment/starts.jsonl", told);
  EXPECT_EQ(take(options).at(0).units, 1);
  EXPECT_EQ(Journal(options.out).starts().at(0).units.size(), 7U);
  // There is none to come for an old unit, nor where nobody writes.
  folder_.write("augment/starts.jsonl", untold);
  fs::last_write_time(file, now() - std::chrono::hours(1));
  options.out = folder_.path() / "of an old unit";
  EXPECT_EQ(take(options).at(0).units, 7);
  ::close(writer);
  fs::last_write_time(file, now());
  options.out = folder_.path() / "of nobody";
  EXPECT_EQ(take(options).at(0).units, 7);
}

TEST_F(Reuse, AStartIsOneByWhateverWayItsUnitsCome) {
  // Through another folder, and by another spelling of its name.
  ExperimentOptions between = tiny_options(folder_.path() / "between");
  between.settings = {"augment"};
  between.generators = {kOriginal, "m-sdrm"};
  between.reuse = {augment_.out};
  EXPECT_EQ(take(between).at(0).units, 3);
  run(whole({between.out, folder_.path() / "replace" / ".." / "augment", replace_.out}));
  EXPECT_EQ(Saboteur::begun(), kReportAlone);
  const std::vector<Start> starts = Journal(folder_.path() / "whole").starts();
  ASSERT_EQ(starts.size(), 3U) << "augment's, replace's, and the one that wrote the report";
  EXPECT_EQ(starts[0].units.size(), 7U);
  EXPECT_EQ(starts[0].folder, fs::canonical(augment_.out).string());
}

TEST_F(Reuse, AnotherStartUnderTheSameNameIsAnother) {
  ExperimentOptions options = whole({augment_.out});
  options.generators = {kOriginal, "m-sdrm"};
  take(options);
  fs::remove_all(augment_.out);
  fs::rename(replace_.out, augment_.out);
  EXPECT_EQ(take(options).at(0).units, 3);
  const std::vector<Start> starts = Journal(options.out).starts();
  ASSERT_EQ(starts.size(), 2U);
  EXPECT_EQ(starts[0].command, "reproduce --only augment");
  EXPECT_EQ(starts[1].command, "reproduce --only replace");
}

TEST_F(Reuse, APlanCountsThemAsFinished) {
  std::vector<LoadedDataset> datasets;
  datasets.push_back({tiny_dataset(), 0});
  const ExperimentOptions options = whole({augment_.out});
  const WorkPlan plan = make_plan(datasets, options);
  EXPECT_EQ(plan.units, 14);
  EXPECT_EQ(plan.finished, 7);
  for (const PlannedRow& row : plan.rows)
    EXPECT_FALSE(row.stage.ends_with("_fit") && row.stage != "recommender_fit") << row.stage;
  EXPECT_FALSE(fs::exists(options.out));
  EXPECT_EQ(make_plan(datasets, whole({folder_.path()})).missing, 0);
  ExperimentOptions other = whole({augment_.out});
  other.seed = 2;
  const WorkPlan unfit = make_plan(datasets, other);
  EXPECT_EQ(unfit.finished, 0);
  EXPECT_NE(plan_text(unfit, other).find("another configuration: seed is 1 there and 2 here"), std::string::npos);
}

}  // namespace
}  // namespace tapestry::recsys
