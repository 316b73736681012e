// recsys/experiment/plan.h: the arithmetic of a plan, what it reads and what it leaves alone.
#include "recsys/experiment/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>

#include "recsys/experiment/calibration.h"
#include "recsys/experiment/calibration_data.h"
#include "recsys/experiment/expected_epochs.h"
#include "recsys/experiment/stage_names.h"
#include "tests/recsys/experiment/runner_support.h"

namespace tapestry::recsys {
namespace {

TEST(Makespan, EachWorkerTakesTheNextPieceWhenItIsFree) {
  const std::vector<double> pieces = {4, 3, 2, 5};
  EXPECT_DOUBLE_EQ(makespan(pieces, 1), 14);
  EXPECT_DOUBLE_EQ(makespan(pieces, 2), 9);  // 4 + 5 beside 3 + 2
  EXPECT_DOUBLE_EQ(makespan(pieces, 4), 5);
  EXPECT_DOUBLE_EQ(makespan({}, 2), 0);
}

PricedCall priced(int job, const std::string& recommender, const std::string& stage, double seconds, std::int64_t bytes) {
  return {{job, "d", recommender, stage, "g", "augment", 0}, seconds, bytes, "7 epochs"};
}

TEST(AddUp, RowsJobsTimeAndMemory) {
  const std::vector<PricedCall> calls = {priced(1, "svd", "fit", 3, 100), priced(1, "svd", "evaluate", 1, 500),
                                         priced(2, "svd", "fit", 5, 400), priced(5, "mlp", "fit", 6, 200)};
  const WorkPlan plan = add_up(calls, 2, 4);
  ASSERT_EQ(plan.rows.size(), 3U);
  EXPECT_EQ(plan.rows[0].stage + plan.rows[0].basis, "fit7 epochs");
  EXPECT_EQ(plan.rows[0].times, 2);
  EXPECT_DOUBLE_EQ(plan.rows[0].seconds, 8);
  EXPECT_EQ(plan.rows[0].bytes, 400) << "the largest of a stage's calls, since they are not made at once";
  EXPECT_EQ(plan.rows[1].bytes, 500);
  EXPECT_EQ(plan.rows[2].recommender, "mlp");
  EXPECT_EQ(plan.job_seconds, (std::map<int, double>{{1, 4}, {2, 5}, {5, 6}}));
  EXPECT_DOUBLE_EQ(plan.core_seconds, 15 * 2) << "each stage has two of the four threads";
  EXPECT_DOUBLE_EQ(plan.wall_seconds, 10);  // job 5 behind job 1
  EXPECT_EQ(plan.peak_bytes, 900) << "the two largest jobs at once";
  EXPECT_DOUBLE_EQ(add_up(calls, 9, 9).wall_seconds, 6) << "no more workers than jobs";
  EXPECT_DOUBLE_EQ(add_up(calls, 9, 9).core_seconds, 15 * 3);
}

TEST(Extrapolate, AlongTheLineThroughTwoMeasurements) {
  EXPECT_DOUBLE_EQ(extrapolate(100, 10, 3, 20, 5), 21);
  EXPECT_DOUBLE_EQ(extrapolate(100, 10, 3, 10, 3), 30) << "one measurement: in proportion";
  EXPECT_DOUBLE_EQ(extrapolate(100, 10, 5, 20, 4), 4) << "more work is not done in less time";
}

TEST(Duration, InTheUnitThatReadsBest) {
  EXPECT_EQ(duration_text(0.04) + ", " + duration_text(45.2) + ", " + duration_text(720) + ", " + duration_text(12240),
            "0.0 s, 45 s, 12 min, 3.4 h");
}

TEST(Ranges, InOneWordEach) {
  EXPECT_EQ(ranges_text(std::vector{1, 2, 3, 5, 8, 9}), "1-3, 5, 8-9");
  EXPECT_EQ(ranges_text(std::vector{4}), "4");
  EXPECT_EQ(ranges_text({}), "");
}

TEST(CalibrationData, APartHasTheTableOfTheWhole) {
  const ProtocolData whole = make_protocol(tiny_dataset(), ProtocolName::kPublished, 1);
  const ProtocolData part = part_of(whole, 8, true);
  EXPECT_EQ(part.generator.rows(), 8);
  EXPECT_EQ(part.synthetic_rows, 8);
  const auto items = [](const CsrMatrix& matrix) {
    const auto columns = matrix.columns().span<std::int32_t>();
    return std::set<std::int32_t>(columns.begin(), columns.end());
  };
  EXPECT_EQ(items(part.generator), items(whole.generator));
  EXPECT_EQ(items(part.train_dislikes), items(whole.train_dislikes));
  for (std::int64_t row = 0; row < 8; ++row) {
    for (const std::int32_t item : part.train_dislikes.row(row)) {
      EXPECT_EQ(std::count(part.generator.row(row).begin(), part.generator.row(row).end(), item), 0) << "liked and disliked";
    }
  }
  EXPECT_LT(items(part_of(whole, 8, false).generator).size(), items(whole.generator).size());
  EXPECT_EQ(part_of(whole, 10000, true).generator.nnz(), whole.generator.nnz());
}

TEST(CalibrationData, StandInsHaveWhatAGeneratorIsAskedFor) {
  for (const ProtocolName name : {ProtocolName::kPublished, ProtocolName::kStrict}) {
    const ProtocolData protocol = make_protocol(tiny_dataset(), name, 1);
    const Interactions users = stand_in(protocol, true);
    const double asked = protocol.density * static_cast<double>(protocol.synthetic_rows * protocol.train.cols());
    EXPECT_NEAR(static_cast<double>(users.likes.nnz()), asked, 0.5) << to_string(name);
    EXPECT_EQ(users.dislikes.nnz(), users.likes.nnz());
    EXPECT_EQ(stand_in(protocol, false).dislikes.nnz(), 0);
  }
}

TEST(Plan, SaysWhatThereIsToDoAndTouchesNothing) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path() / "out");
  std::vector<std::string> measured;
  const WorkPlan plan = make_plan(tiny_data(), options, {.progress = [&](const std::string& what) { measured.push_back(what); }});
  EXPECT_FALSE(fs::exists(options.out));
  EXPECT_EQ(plan.units, 2 + 2 * 6);
  EXPECT_EQ(plan.missing, plan.units);
  std::map<std::string, int> times;
  for (const PlannedRow& row : plan.rows) times[row.stage] = row.times;
  run(options);
  times["report"] = 1;  // which a plan does not count
  EXPECT_EQ(times, Saboteur::begun()) << "the plan against what was done";
  EXPECT_EQ(measured, (std::vector<std::string>{"simulated svd original", "simulated svd augment", "simulated svd replace",
                                                "simulated svd multivae++"}));
  EXPECT_GT(plan.wall_seconds, 0);
  EXPECT_GT(plan.peak_bytes, 1 << 20);
  const std::string text = plan_text(plan, options);
  ASSERT_EQ(plan.missing_units.size(), 4U);
  EXPECT_EQ(plan.missing_units[2].generators, (std::vector<std::string>{"multivae++", "f-sdrm", "m-sdrm"}));
  EXPECT_EQ(plan.missing_units[2].runs, (std::vector<int>{1, 2}));
  for (const char* part : {"1     original", "1-2   multivae++, f-sdrm, m-sdrm", "0 of 14 units", "14 are to be computed",
                           "3 epochs", "core-seconds", "MiB"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST(Plan, SaysWhoseMemoryItIs) {
  WorkPlan plan = add_up(std::vector<PricedCall>{priced(1, "svd", "fit", 3, 1 << 20)}, 1, 1);
  plan.missing = 1;
  ExperimentOptions options;
  const std::string on_cpu = plan_text(plan, options);
  EXPECT_NE(on_cpu.find("; memory at most about 1.0 MiB\n"), std::string::npos) << on_cpu;
  EXPECT_EQ(on_cpu.find("GPU"), std::string::npos) << on_cpu;
  options.device = "cuda";
  const std::string on_gpu = plan_text(plan, options);
  for (const char* part : {"  host memory\n", "; host memory at most about 1.0 MiB\n", " Host memory is what ",
                           " What the GPU's own memory holds is not measured.\n"}) {
    EXPECT_NE(on_gpu.find(part), std::string::npos) << part << "\n" << on_gpu;
  }
}

TEST(Plan, KnowsWhatIsFinished) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.runs = 1;
  run(options);
  const std::string before = all_results(folder.path());
  EXPECT_EQ(make_plan(tiny_data(), options).missing, 0);
  EXPECT_EQ(make_plan(tiny_data(), options, {.as_if_new = true}).missing, 8);
  options.runs = 3;
  options.only = {"*_replace_*_run-3"};
  std::vector<std::string> measured;
  const WorkPlan plan = make_plan(tiny_data(), options, {.progress = [&](const std::string& what) { measured.push_back(what); }});
  EXPECT_EQ(plan.units, 2 + 3 * 6);
  EXPECT_EQ(plan.finished, 2 + 6);
  EXPECT_EQ(plan.missing, 3) << "of the twelve that are left";
  ASSERT_EQ(plan.missing_units.size(), 1U);
  EXPECT_EQ(plan.missing_units[0].setting, "replace");
  EXPECT_EQ(plan.missing_units[0].runs, std::vector<int>{3});
  EXPECT_TRUE(measured.empty()) << "every stage has been done here before";
  for (const PlannedRow& row : plan.rows) EXPECT_NE(row.basis.find("finished here"), std::string::npos) << row.stage;
  EXPECT_EQ(all_results(folder.path()), before);
  options.seed = 2;
  EXPECT_THROW(make_plan(tiny_data(), options), Error) << "the folder has results of another seed";
}

TEST(Plan, RefusesAFolderThatTheJobWouldRefuse) {
  const TempFolder folder;
  folder.write("results.csv", "precious");
  const ExperimentOptions options = tiny_options(folder.path());
  const std::string refused = tests::error_of(ErrorKind::kUsage, [&] { run(options); });
  EXPECT_NE(refused.find("holds a results.csv but no config.json"), std::string::npos) << refused;
  EXPECT_EQ(tests::error_of(ErrorKind::kUsage, [&] { make_plan(tiny_data(), options); }), refused);
}

TEST(Plan, IsStoppedWithinAMeasurement) {
  struct Stop {};
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path() / "out");
  options.recommenders = {"mlp"};
  for (const std::string& generator : {std::string(kOriginal), std::string("multivae++"), std::string("ctgan")}) {
    options.generators = {generator};
    int measurements = 0, polls = 0, stop_at = std::numeric_limits<int>::max();
    const PlanOptions plan = {.progress = [&](const std::string&) { ++measurements; },
                              .poll =
                                  [&] {
                                    if (++polls >= stop_at) throw Stop();
                                  }};
    make_plan(tiny_data(), options, plan);
    EXPECT_GT(polls, 3 * measurements) << generator << ": several times in each";
    stop_at = 4;
    polls = measurements = 0;
    EXPECT_THROW(make_plan(tiny_data(), options, plan), Stop) << generator;
    EXPECT_EQ(measurements, 1) << generator << ": within the first one";
    EXPECT_FALSE(fs::exists(options.out));
  }
}

TEST(ExpectedEpochs, FromFinishedTrainingsElseFromTheTable) {
  const TempFolder folder;
  ExperimentOptions options = tiny_options(folder.path());
  options.hyperparameters = {};
  const std::vector<LoadedDataset> datasets = tiny_data();
  const auto protocols = protocols_of(datasets, options);
  const ExperimentJobs work = experiment_jobs(datasets, protocols, options, [](const UnitKey&) { return false; });
  const FinishedWork finished(folder.path(), configuration_of(datasets, options));
  const auto expected = [&](const std::string& stage) {
    StageCall call;
    call.stage = stage;
    return expected_epochs(work.jobs.front(), call, finished);
  };
  EXPECT_DOUBLE_EQ(expected("vae_fit").epochs, 150);
  EXPECT_NE(expected("vae_fit").source.find("assumed"), std::string::npos);
  EXPECT_DOUBLE_EQ(expected("sdrm_fit").epochs, 60);
  EXPECT_TRUE(expected("sdrm_fit").source.empty()) << "a fixed number";
  EXPECT_DOUBLE_EQ(expected("sample_f").epochs, 0);
  folder.write("history/simulated/svd/run-1-vae_fit.csv", "epoch,loss,metric\n1,2,3\n2,2,3\n");
  folder.write("history/simulated/svd/run-4-vae_fit.csv", "epoch,loss,metric\n1,2,3\n2,2,3\n3,2,3\n4,2,3\n");
  EXPECT_DOUBLE_EQ(expected("vae_fit").epochs, 3);
  EXPECT_EQ(expected("vae_fit").source, "mean of 2 finished here");
}

TEST(ExpectedEpochs, OfGeneratorsAsTheCommittedReportsHaveThem) {
  const TempFolder folder;
  const FinishedWork finished(folder.path(), configuration_of(tiny_data(), tiny_options(folder.path())));
  RunJob job;
  const auto expected = [&](const std::string& dataset, const std::string& recommender, const std::string& stage) {
    job.dataset = dataset;
    job.recommender = recommender;
    StageCall call;
    call.stage = stage;
    return expected_epochs(job, call, finished);
  };
  // MultiVAE++ has hyperparameters of its own for each recommender.
  EXPECT_EQ(expected("ml-1m", "svd", "vae_fit").epochs, 85);
  EXPECT_EQ(expected("ml-1m", "mlp", "vae_fit").epochs, 204);
  EXPECT_EQ(expected("ml-1m", "neumf", "vae_fit").epochs, 252);
  EXPECT_EQ(expected("amazon-digital-music", "neumf", "vae_fit").source, "assumed as in earlier runs");
  EXPECT_EQ(expected("amazon-digital-music", "mlp", "vae_fit").epochs, 145);
  EXPECT_EQ(expected("of-my-own", "svd", "vae_fit").source, "a guess");
  // The others are the same for all.
  for (const char* recommender : {"svd", "mlp", "neumf"}) {
    EXPECT_EQ(expected("ml-100k", recommender, "codigem_fit").epochs, 88);
    EXPECT_EQ(expected("amazon-luxury-beauty", recommender, "diffrec_fit").epochs, 75);
    EXPECT_EQ(expected("ml-100k", recommender, "codigem_fit").source, "assumed as in earlier runs");
    EXPECT_EQ(expected("amazon-digital-music", recommender, "diffrec_fit").epochs, 146);
    for (const char* stage : {"codigem_fit", "diffrec_fit"}) {
      const ExpectedEpochs guessed = expected("of-my-own", recommender, stage);
      EXPECT_GT(guessed.epochs, 0) << stage;
      EXPECT_EQ(guessed.source, "a guess") << stage;
    }
  }
  job.baselines.codigem.max_epochs = 60;
  EXPECT_EQ(expected("ml-100k", "svd", "codigem_fit").epochs, 60);
  EXPECT_EQ(expected("ml-100k", "svd", "codigem_fit").source, "assumed: all of them");
}

TEST(ExpectedEpochs, OfMlpDependOnWhoseUsersItGets) {
  const TempFolder folder;
  const ExperimentOptions options = tiny_options(folder.path());
  const std::vector<LoadedDataset> datasets = tiny_data();
  const FinishedWork finished(folder.path(), configuration_of(datasets, options));
  RunJob job;
  job.recommender = "mlp";
  job.values.mlp.emplace();
  const auto expected = [&](const std::string& dataset, const std::string& generator, const std::string& setting) {
    job.dataset = dataset;
    StageCall call;
    call.dataset = dataset;
    call.stage = kRecommenderFit;
    call.generator = generator;
    call.setting = setting;
    return expected_epochs(job, call, finished);
  };
  for (const std::string dataset : {"ml-100k", "ml-1m", "amazon-luxury-beauty", "amazon-digital-music", "of-my-own"}) {
    const ExpectedEpochs original = expected(dataset, kOriginal, "augment");
    EXPECT_GT(original.epochs, 0) << dataset;
    EXPECT_EQ(original.epochs, expected(dataset, kOriginal, "replace").epochs) << dataset << ": the same users";
    EXPECT_GT(expected(dataset, "m-sdrm", "augment").epochs, original.epochs) << dataset;
    EXPECT_GT(expected(dataset, "m-sdrm", "replace").epochs, original.epochs) << dataset;
    EXPECT_EQ(original.source, dataset == "of-my-own" ? "a guess" : "assumed as in earlier runs");
  }
  // A history of such a fit in the folder is better: of the original users, and of any generator's in the same setting.
  folder.write("history/ml-100k/mlp/run-1-original-recommender_fit.csv", "epoch,loss,RMSE\n1,2,3\n2,2,3\n");
  folder.write("history/ml-100k/mlp/run-1-tvae-augment-recommender_fit.csv", "epoch,loss,RMSE\n1,2,3\n2,2,3\n3,2,3\n");
  folder.write("history/ml-100k/mlp/run-2-f-sdrm-augment-recommender_fit.csv", "epoch,loss,RMSE\n1,2,3\n");
  EXPECT_EQ(expected("ml-100k", kOriginal, "augment").epochs, 2);
  EXPECT_EQ(expected("ml-100k", kOriginal, "replace").epochs, 2);
  EXPECT_EQ(expected("ml-100k", "m-sdrm", "augment").epochs, 2);
  EXPECT_EQ(expected("ml-100k", "m-sdrm", "augment").source, "mean of 2 finished here");
  EXPECT_GT(expected("ml-100k", "m-sdrm", "replace").epochs, 3) << "none of these yet";
  fs::remove_all(folder.path() / "history");
  job.values.mlp->max_epochs = 20;
  EXPECT_EQ(expected("ml-100k", "m-sdrm", "augment").epochs, 20);
  EXPECT_EQ(expected("ml-100k", "m-sdrm", "augment").source, "assumed: all of them");
}

}  // namespace
}  // namespace tapestry::recsys
