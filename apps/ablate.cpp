#include "apps/ablate.h"

#include <algorithm>
#include <iostream>
#include <map>

#include "apps/failures.h"
#include "recsys/data/joined.h"
#include "recsys/experiment/ablation_page.h"
#include "recsys/experiment/folder_lock.h"
#include "recsys/experiment/unit_store.h"
#include "tensor/atomic_file.h"

namespace tapestry::apps {

using recsys::Ablation;
using recsys::Cell;
using recsys::Choice;
using recsys::Effect;
using recsys::Experiment;
using recsys::ExperimentOptions;
using recsys::LoadedDataset;
using recsys::Progress;

int ablate(const ExperimentOptions& options, const std::vector<LoadedDataset>& datasets, const std::vector<std::string>& names,
           const std::function<std::unique_ptr<Progress>()>& make_progress) {
  recsys::AblationReport report;
  report.command = options.command;
  report.quick = options.quick;
  // Names are looked up before anything is computed. Recommenders that have an ablation in common share its folder and report.
  std::map<std::string, std::vector<std::string>> recommenders;
  for (const auto& [recommender, own] : recsys::ablations_by_recommender(options.recommenders, names)) {
    if (own.empty()) std::cout << recommender << " is left out: none of these ablations is one of its own\n";
    for (const Ablation& ablation : own) {
      std::vector<std::string>& having = recommenders[ablation.name];
      if (having.empty()) report.ablations.push_back(ablation);
      having.push_back(recommender);
    }
  }
  const auto options_of = [&](const Ablation& ablation) {
    ExperimentOptions one = recsys::options_for(ablation, options);
    one.recommenders = recommenders.at(ablation.name);
    return one;
  };
  for (const Ablation& ablation : report.ablations) {  // before hours go into the first
    const ExperimentOptions one = options_of(ablation);
    recsys::check_folder(one.out, recsys::configuration_of(datasets, one));
    recsys::check_free(one.out);
  }
  // To the end: another start with other ablations or recommenders would write the same pages and, one behind the other, take
  // the same parts.
  const recsys::FolderLock taken(options.out);
  int status = 0;
  std::map<std::string, std::vector<Cell>> cells;      // of each ablation, with conclusions
  for (const Ablation& ablation : report.ablations) {  // a reference comes before what is compared with it
    const ExperimentOptions one = options_of(ablation);
    std::cout << recsys::joined(one.recommenders) << ", " << ablation.name << ": " << ablation.description << std::endl;
    const std::unique_ptr<Progress> progress = make_progress();
    Experiment experiment(datasets, one, *progress);
    progress->clear();
    for (const std::string& line : experiment.finished_lines()) std::cout << "  " << line << "\n" << std::flush;
    progress->release();
    cells[ablation.name] = recsys::with_conclusions(experiment.run());
    progress->finish();
    status = std::max(status, print_failures(experiment.failures()));
    for (const recsys::Failure& failure : experiment.failures()) {
      report.failures.push_back({ablation.name + "/" + failure.unit, failure.reason});
    }
    if (ablation.reference.empty()) {
      const std::vector<Choice> found = recsys::choices(experiment.store(), one, recsys::dataset_names(datasets));
      report.choices.insert(report.choices.end(), found.begin(), found.end());
    } else {
      const std::vector<Effect> found = recsys::effects(ablation.name, cells.at(ablation.reference), cells.at(ablation.name));
      report.effects.insert(report.effects.end(), found.begin(), found.end());
    }
  }
  write_file_atomically(options.out / "deviations.md", recsys::deviations_page(report));
  write_file_atomically(options.out / "deviations.csv", recsys::deviations_csv(report.effects));
  write_file_atomically(options.out / "best_of_many.csv", recsys::choices_csv(report.choices));
  std::cout << "\ndeviations.md, deviations.csv and best_of_many.csv are in " << options.out.string() << "\n";
  return status;
}

}  // namespace tapestry::apps
