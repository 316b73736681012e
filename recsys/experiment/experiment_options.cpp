#include "recsys/experiment/experiment_options.h"

#include <algorithm>

#include "recsys/experiment/stage_names.h"
#include "tensor/ops.h"

namespace tapestry::recsys {

std::vector<std::string> dataset_names(std::span<const LoadedDataset> datasets) {
  std::vector<std::string> names;
  for (const LoadedDataset& loaded : datasets) names.push_back(loaded.data.name);
  return names;
}

void check_interrupted(const ExperimentOptions& options) {
  if (options.interrupted && options.interrupted()) throw Interrupted();
}

int runs_of(const ExperimentOptions& options, const std::string& dataset, const std::string& recommender) {
  const auto fewer = options.fewer_runs.find(dataset + "/" + recommender);
  return fewer == options.fewer_runs.end() ? options.runs : std::min(fewer->second, options.runs);
}

int default_jobs(int threads, int runs) { return std::clamp(runs, 1, std::max(1, threads)); }

Hyperparameters hyperparameters_for(const ExperimentOptions& options, const std::string& dataset,
                                    const std::string& recommender) {
  Hyperparameters values = options.hyperparameters ? options.hyperparameters(dataset, recommender)
                                                   : hyperparameters(dataset, recommender, options.variant);
  set_default_neumf_rules(dataset, options.protocol == ProtocolName::kStrict, values);
  if (values.neumf && options.neumf_selection) {
    values.neumf->selection = *options.neumf_selection;
    values.neumf_exceptions.clear();
  }
  leave_out(options.without, values);
  return options.quick ? quick(values) : values;
}

BaselineSettings baselines_for(const ExperimentOptions& options, const std::string& dataset) {
  const BaselineSettings settings = baseline_settings(dataset);
  return options.quick ? quick(settings) : settings;
}

Device device_of(const ExperimentOptions& options) { return options.device == "cuda" ? Device::kCuda : Device::kCpu; }

void warm_up(Device device) {
  if (device == Device::kCpu) return;
  const Tensor one = Tensor::full({1, 1}, 1, DType::kFloat32, device);
  static_cast<void>(matmul(one, one).item());
}

Configuration configuration_of(const std::vector<LoadedDataset>& datasets, const ExperimentOptions& options) {
  Configuration configuration;
  const auto version = options.versions.find("tapestry");
  if (version != options.versions.end()) configuration.version = version->second;
  configuration.protocol = to_string(options.protocol);
  configuration.folds = options.folds;
  configuration.variant = to_string(options.variant);
  configuration.without = joined(options.without);
  configuration.seed = options.seed;
  configuration.quick = options.quick;
  configuration.device = options.device;
  configuration.precision = options.precision;
  for (const LoadedDataset& loaded : datasets) {
    Configuration::OneDataset one = {loaded.data.name, loaded.data.sha256, {}};
    for (const std::string& recommender : options.recommenders) {
      one.hyperparameters[recommender] = to_json(hyperparameters_for(options, loaded.data.name, recommender));
    }
    one.hyperparameters[kBaselineOwner] = to_json(baselines_for(options, loaded.data.name));
    configuration.datasets.push_back(std::move(one));
  }
  return configuration;
}

}  // namespace tapestry::recsys
