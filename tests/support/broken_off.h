#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sdrm/fit_checkpoint.h"
#include "tests/support/modules.h"
#include "tests/support/temp_folder.h"

// Fits that are broken off at every epoch and go on from their checkpoint.
namespace tapestry::tests {

/// A checkpoint in a file, written after every `every`-th epoch.
class FileCheckpoint : public sdrm::FitCheckpoint {
 public:
  FileCheckpoint(std::filesystem::path file, int every) : file_(std::move(file)), every_(every) {}

  std::unique_ptr<nn::TensorReader> read() override {
    return std::filesystem::exists(file_) ? std::make_unique<nn::TensorReader>(file_) : nullptr;
  }
  void refuse(const std::string& why) override { refused = why; }
  bool due(std::int64_t /*bytes*/) override { return ++asked_ % every_ == 0; }
  void write(const nn::TensorFile& state) override { nn::save_tensors(file_, state); }
  double earlier_seconds() const override { return 7; }

  std::string refused;  ///< why the file was not taken up

 private:
  std::filesystem::path file_;
  int every_;
  int asked_ = 0;
};

/// What a fit leaves: its model and everything that was told of its epochs.
struct Fitted {
  std::unique_ptr<nn::Module> model;
  std::vector<double> told;
};

struct BrokenOff {};

/// fit(seed of the first values, checkpoint, after_epoch) is to call after_epoch() whenever it is told of an epoch. It is broken
/// off after each of its `epochs` but the last and goes on with a model of other first values, from checkpoints that lie up to
/// two epochs back: everything must be as in one that was not broken off.
inline void expect_to_go_on(std::int64_t epochs,
                            const std::function<Fitted(std::uint64_t first_values, sdrm::FitCheckpoint* checkpoint,
                                                       const std::function<void()>& after_epoch)>& fit) {
  constexpr std::uint64_t kFirstValues = 3, kOthers = 4;
  const Fitted whole = fit(kFirstValues, nullptr, [] {});
  ASSERT_FALSE(same_state(*whole.model, *fit(kOthers, nullptr, [] {}).model));
  for (int every = 1; every <= 2; ++every) {
    for (std::int64_t stop = every; stop < epochs; ++stop) {
      const TempFolder folder;
      const std::filesystem::path file = folder.path() / "checkpoint.safetensors";
      FileCheckpoint first(file, every);
      std::int64_t made = 0;
      EXPECT_THROW(fit(kFirstValues, &first,
                       [&] {
                         if (++made == stop) throw BrokenOff();
                       }),
                   BrokenOff);
      EXPECT_EQ(first.earlier_epochs(), 0);
      FileCheckpoint second(file, every);
      const Fitted resumed = fit(kOthers, &second, [] {});
      EXPECT_EQ(second.refused, "");
      EXPECT_EQ(second.earlier_epochs(), stop / every * every);
      EXPECT_EQ(resumed.told, whole.told) << "broken off after " << stop << " epochs";
      EXPECT_TRUE(same_state(*resumed.model, *whole.model)) << "broken off after " << stop << " epochs";
    }
  }
}

}  // namespace tapestry::tests
