#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "recsys/generators/cut.h"
#include "recsys/generators/fit_log.h"
#include "recsys/generators/model_folder.h"
#include "tensor/memory.h"

namespace tapestry::recsys {

/// What a generator of one model draws numbers for, each from derive_seed(generator's seed, part). Append only.
enum class ModelPart : std::uint64_t { kInit = 1, kFit = 2, kSelection = 3, kSample = 4 };

/// What the generators with one model of their own have in common: the model is fitted once, kept in the folder and found there
/// again; its scores are cut at the density. For a generator NAME the stages are "NAME_fit" and "sample_NAME", the file is
/// "<stem>-NAME.safetensors". A subclass says how the model is made, trained and sampled.
template <typename Model>
class OneModelGenerator : public Generator {
 public:
  const std::string& name() const final { return name_; }

  std::vector<PlannedStage> plan(const ProtocolData& protocol) const final {
    std::vector<PlannedStage> stages;
    if (!model_ && !is_kept(folder_, name_)) stages.push_back({fit_stage(), fit_operations(protocol) / rate()});
    stages.push_back({sample_stage(), sample_operations(protocol) / rate()});
    return stages;
  }

  void fit(const ProtocolData& protocol, StageListener& listener) final {
    if (model_) return;
    auto model = make(protocol.generator.cols());
    if (!load_kept(folder_, *model, name_, listener)) {
      model = make(protocol.generator.cols());  // a file that was refused may have been read in part
      listener.begin(fit_stage());
      fit_with_checkpoint(folder_, name_, listener, [&](sdrm::FitCheckpoint& checkpoint) {
        FitLog log(listener, fit_stage(), length(), checkpoint, history_fields());
        train(*model, protocol, {log, listener, checkpoint});
        keep(folder_, *model, name_, fit_stage(), log.history());
      });
      pool_trim(Device::kCpu);
      listener.end(fit_stage());
    }
    model_ = std::move(model);
  }

  Interactions sample(const SampleRequest& request, StageListener& listener) const final {
    check(model_ != nullptr, name_, ": nothing has been fitted yet");
    listener.begin(sample_stage());
    // The scores come first as far as they can be kept, then the cut reads them.
    const auto made = [&](double fraction) { listener.advance(sample_stage(), {.fraction = 0.9 * fraction}); };
    const auto cut = [&](double fraction) { listener.advance(sample_stage(), {.fraction = 0.9 + 0.1 * fraction}); };
    Interactions users = cut_at_density(scores(*model_, request.rows, made), request, cut);
    pool_trim(Device::kCpu);
    listener.end(sample_stage());
    return users;
  }

  void save(const std::filesystem::path& stem) const final {
    check(model_ != nullptr, name_, ": nothing has been fitted yet");
    save_model(*model_, model_file(stem, name_), folder_.configuration);
  }
  void load(const std::filesystem::path& stem, std::int64_t items) final {
    auto model = make(items);
    load_model(*model, model_file(stem, name_), folder_.configuration);
    model_ = std::move(model);
  }

 protected:
  /// `device` is where the model lives: it is fitted and sampled there.
  OneModelGenerator(std::string name, std::uint64_t seed, ModelFolder folder, Device device)
      : name_(std::move(name)), seed_(seed), folder_(std::move(folder)), device_(device) {}

  Device device() const { return device_; }

  std::uint64_t part_seed(ModelPart part) const { return derive_seed(seed_, part); }

  /// An untrained model of `items` items, on device().
  virtual std::unique_ptr<Model> make(std::int64_t items) const = 0;
  virtual FitLength length() const = 0;
  /// Names of the history's fields behind "epoch,loss,metric", a comma before each; train() tells them with every epoch.
  virtual std::string history_fields() const { return ""; }
  struct Training {
    FitLog& log;  ///< to be told of every epoch
    StageListener& listener;
    sdrm::FitCheckpoint& checkpoint;
  };
  virtual void train(Model& model, const ProtocolData& protocol, const Training& training) const = 0;
  /// Scores [rows, I] of synthetic users, computed in tiles; `made` is told the fraction of the work before the tiles.
  virtual sdrm::LogitMatrix scores(const Model& model, std::int64_t rows,
                                   const std::function<void(double fraction)>& made) const = 0;
  /// Operations in the matrix products of both stages and how many of them are done a second, all else included, on an ordinary
  /// pair of cores: for guessing times. The rates are what the products of each generator reached in November 2026 on two cores;
  /// no record was kept, so take them for rough guesses, which measured times correct (recsys/experiment/eta.h).
  virtual double fit_operations(const ProtocolData& protocol) const = 0;
  virtual double sample_operations(const ProtocolData& protocol) const = 0;
  virtual double rate() const = 0;

 private:
  std::string fit_stage() const { return name_ + "_fit"; }
  std::string sample_stage() const { return "sample_" + name_; }

  std::string name_;
  std::uint64_t seed_;
  ModelFolder folder_;
  Device device_;
  std::unique_ptr<Model> model_;
};

/// Operations per row in the products of fully connected layers with these widths: 2 a weight forwards, with gradients 6.
inline double layer_operations(const std::vector<std::int64_t>& widths) {
  double weights = 0;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    weights += static_cast<double>(widths[i]) * static_cast<double>(widths[i + 1]);
  }
  return 2 * weights;
}

}  // namespace tapestry::recsys
