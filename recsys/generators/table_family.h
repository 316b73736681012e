#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nn/module.h"
#include "recsys/generators/generator.h"
#include "recsys/generators/model_folder.h"
#include "recsys/generators/shared_fit.h"
#include "recsys/generators/table.h"

namespace tapestry::recsys {

/// What the generators of a table have in common.
struct TableSettings {
  std::uint64_t seed = 0;              ///< of the models of a table: derived from the run's
  ModelFolder folder = {};             ///< where a fitted model is kept
  std::optional<TableKind> kind = {};  ///< default: ternary under `published`, binary under `strict`
  Device device = Device::kCpu;        ///< where the model is fitted and sampled
};

/// One model of the user x item table, fitted once and shared by generators that draw from it in different ways.
class TableFamily {
 public:
  /// `name` ("tvae") is the part of the model's file name and of the stage "<name>_fit".
  TableFamily(std::string name, TableSettings settings) : name_(std::move(name)), settings_(std::move(settings)) {}
  virtual ~TableFamily() = default;

  /// Fits on protocol.generator, with the dislikes of D where the table has them, or takes up a kept model. Nothing happens when
  /// it has been fitted; a fit that failed is not done again: its Error(kFit) comes back.
  void need(const ProtocolData& protocol, StageListener& listener);
  /// Fits on these rows.
  void fit(const Interactions& rows, TableKind kind, StageListener& listener);

  /// What need() and sample() are going to do, with a guess of their seconds.
  std::vector<PlannedStage> plan(const std::string& generator, const ProtocolData& protocol) const;

  virtual Interactions sample(const std::string& generator, const SampleRequest& request, StageListener& listener) const = 0;

  void save(const std::filesystem::path& stem) const;
  void load(const std::filesystem::path& stem, std::int64_t items);

 protected:
  struct Epoch {
    std::int64_t epoch;  ///< from 0
    double loss;
    std::string details;  ///< further fields of the history's line
  };
  /// Makes a model with fresh parameters, on device(), in place of any other.
  virtual const nn::Module& create(const TableEncoding& table, std::uint64_t seed) = 0;
  virtual void train(const CsrMatrix& marks, std::uint64_t seed, const std::function<void(const Epoch&)>& on_epoch,
                     sdrm::FitCheckpoint& checkpoint) = 0;
  /// Operations of the products of one training step, for a table of this many categories.
  virtual double step_operations(double categories) const = 0;
  virtual std::int64_t batch() const = 0;
  virtual std::int64_t epochs() const = 0;
  /// Names of the history's fields behind "epoch,loss,metric".
  virtual std::string history_fields() const = 0;

  const TableEncoding& table() const;  ///< throws Error(kMisuse) before anything has been fitted
  ProtocolName protocol() const { return protocol_; }
  std::uint64_t sample_seed() const;
  /// Users drawn from the table. Under `strict`, whose table has no dislikes, those that were asked for are drawn from what the
  /// users do not like.
  Interactions with_dislikes(Interactions drawn, const SampleRequest& request) const;
  Device device() const { return settings_.device; }

 private:
  TableKind kind_of(const ProtocolData& protocol) const;
  std::map<std::string, std::string> read(const std::filesystem::path& file, std::int64_t items);
  void write(const std::filesystem::path& file) const;

  std::string name_;
  TableSettings settings_;
  ProtocolName protocol_ = ProtocolName::kPublished;
  SharedFit fit_;
  std::optional<TableEncoding> table_;
  const nn::Module* model_ = nullptr;  ///< what create() made
};

/// A generator `name` that draws from the family's model.
std::unique_ptr<Generator> make_table_generator(std::string name, std::shared_ptr<TableFamily> family);

}  // namespace tapestry::recsys
