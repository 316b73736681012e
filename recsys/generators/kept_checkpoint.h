#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "sdrm/fit_checkpoint.h"

namespace tapestry::recsys {

/// How fits keep how far they have come.
struct CheckpointOptions {
  /// Seconds between two writes, at the least. 0: one after every epoch, whatever it costs; infinite: none, nor is one taken up.
  double every = 60;
  /// The build that computes, and the GPU where one does: a fit that another one began is not gone on with, since half of it
  /// would have other last bits.
  std::string build = {};
  std::function<double()> clock = {};  ///< seconds; default: the steady clock
  /// Bytes that are free where this folder is; default: what the file system says.
  std::function<std::uintmax_t(const std::filesystem::path& folder)> room = {};
};

/// A fit's checkpoint in a file, which whoever owns the fit removes once its result is kept. A file that is damaged, of another
/// configuration or another build is named to `warn`, and the fit begins afresh; where one cannot be written or takes more room
/// than the disk can well spare, that is named likewise, and the fit goes on without.
///
/// Between two writes, each of which costs c seconds, lie sqrt(2 c M) seconds: what loses least when there is one kill in M
/// seconds (Young 1974, "A first order approximation to the optimum checkpoint interval", Comm. ACM 17), M being three hours.
class KeptCheckpoint : public sdrm::FitCheckpoint {
 public:
  using Warn = std::function<void(const std::string&)>;

  /// `configuration`: of all that decides the numbers. An empty `file`: nothing is kept.
  KeptCheckpoint(std::filesystem::path file, const std::string& configuration, CheckpointOptions options, Warn warn);

  std::unique_ptr<nn::TensorReader> read() override;
  void refuse(const std::string& why) override;
  bool due(std::int64_t bytes) override;
  void write(const nn::TensorFile& state) override;
  double earlier_seconds() const override { return earlier_seconds_; }

 private:
  void give_up(const std::string& why);

  std::filesystem::path file_;  ///< empty: nothing is kept, or not any more
  std::string configuration_;
  CheckpointOptions options_;
  Warn warn_;
  double began_, written_;  ///< when; written_: when the last write ended
  double cost_ = 0;         ///< seconds that the last write took; 0: there was none
  double earlier_seconds_ = 0;
};

}  // namespace tapestry::recsys
