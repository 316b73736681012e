#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "recsys/generators/generator.h"
#include "sdrm/fit_checkpoint.h"

namespace tapestry::recsys {

/// The shortest text that gives back the same double.
std::string shortest_digits(double value);

/// A line of a history: epoch (from 1, though it is counted from 0),loss,metric and `details`, further fields with a comma before
/// each.
std::string history_line(std::int64_t epoch, double loss, std::optional<double> metric, const std::string& details = "");

/// What StageProgress says of an epoch (from 0) that the fit has taken up from its checkpoint; nothing of one that is made now.
std::optional<StageProgress::Earlier> earlier_of(const sdrm::FitCheckpoint& checkpoint, std::int64_t epoch);

/// How long a fit may take, in epochs.
struct FitLength {
  std::int64_t most = 0;      ///< never more
  std::int64_t usual = 0;     ///< it usually stops about here, where it may stop early
  std::int64_t patience = 0;  ///< epochs without improvement that it waits for
};

/// Follows one stage of fitting epoch by epoch: tells the listener, and writes the history that is kept beside the model.
class FitLog {
 public:
  /// `checkpoint` is that of the fit; `further` names the history's fields behind the metric, a comma before each:
  /// ",reconstruction,kl".
  FitLog(StageListener& listener, std::string stage, const FitLength& length, const sdrm::FitCheckpoint& checkpoint,
         const std::string& further = "")
      : listener_(listener),
        stage_(std::move(stage)),
        length_(length),
        checkpoint_(checkpoint),
        history_("epoch,loss,metric" + further + "\n") {}

  /// `details` are the further fields, written likewise.
  void epoch(std::int64_t epoch, double loss, std::optional<double> metric = {}, const std::string& details = "");
  const std::string& history() const { return history_; }  ///< CSV: epoch (from 1),loss,metric and the further fields

 private:
  StageListener& listener_;
  std::string stage_;
  FitLength length_;
  const sdrm::FitCheckpoint& checkpoint_;
  std::string history_;
  double best_ = -1;
  std::int64_t best_epoch_ = 0;
};

}  // namespace tapestry::recsys
