#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "sdrm/fit_checkpoint.h"

namespace tapestry::recsys {

/// A fit's checkpoint in a file, which is gone when the fit has come to its end. What is written now and then costs no more than
/// a small share of the fit's time, however large it is. A file that is damaged or of another configuration is named to `warn`,
/// and the fit begins afresh; one that cannot be written likewise, and the fit goes on without.
class KeptCheckpoint : public sdrm::FitCheckpoint {
 public:
  struct Options {
    std::filesystem::path file;  ///< empty: nothing is kept
    std::string configuration;   ///< of all that decides the numbers
    double every = 60;           ///< seconds between two writes, at the least; 0: one after every epoch, whatever it costs
    std::function<double()> clock = {};  ///< seconds; default: the steady clock
  };
  using Warn = std::function<void(const std::string&)>;

  KeptCheckpoint(Options options, Warn warn);

  std::unique_ptr<nn::TensorReader> read() override;
  void refuse(const std::string& why) override;
  bool due() override;
  void write(const nn::TensorFile& state) override;
  double earlier_seconds() const override { return earlier_seconds_; }

  /// For a fit that has come to its end: what it would have gone on from is of no use any more.
  void remove() const;

 private:
  Options options_;
  Warn warn_;
  double began_;
  double written_;   ///< when the last write ended
  double cost_ = 0;  ///< seconds that it took
  double earlier_seconds_ = 0;
  bool given_up_ = false;  ///< it could not be written
};

}  // namespace tapestry::recsys
