#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "nn/safetensors.h"
#include "nn/snapshot.h"
#include "optim/optimizer.h"

namespace tapestry::sdrm {

/// Where a training keeps how far it has come, so that one that is killed goes on from there and ends with the same bits as if it
/// never had been.
class FitCheckpoint {
 public:
  virtual ~FitCheckpoint() = default;

  /// What was written last by a fit that did not come to its end; null: nothing, or nothing that can be used.
  virtual std::unique_ptr<nn::TensorReader> read() = 0;
  /// What was read does not fit the training, which begins afresh.
  virtual void refuse(const std::string& why) = 0;
  /// Whether it is time to write again, `bytes` in all.
  virtual bool due(std::int64_t bytes) = 0;
  /// `state` shares the memory of what is trained.
  virtual void write(const nn::TensorFile& state) = 0;
  /// Seconds that the fit had taken when what was read was written.
  virtual double earlier_seconds() const = 0;

  /// A number that the caller's functions count on while the fit calls them: it is kept with what the fit keeps. To be added
  /// before the fit.
  void also_keep(std::string name, std::int64_t& number) { also_kept_.emplace(std::move(name), &number); }
  const std::map<std::string, std::int64_t*>& also_kept() const { return also_kept_; }

  /// Epochs that the fit has taken up; 0: none, it began afresh. It tells its listener of these as well, first of all.
  std::int64_t earlier_epochs() const { return earlier_epochs_; }
  void set_earlier_epochs(std::int64_t epochs) { earlier_epochs_ = epochs; }

 private:
  std::map<std::string, std::int64_t*> also_kept_;
  std::int64_t earlier_epochs_ = 0;
};

/// Everything that a training changes from epoch to epoch, by name. Random streams are not among it: they are numbered by epoch
/// and update (tensor/random.h). Whatever is added must outlive the object. It is read back in the order in which it is added:
/// what a module makes anew from its values, and training had in another rounding, comes behind the module.
class FitState {
 public:
  /// A null checkpoint keeps nothing.
  explicit FitState(FitCheckpoint* checkpoint);

  void add(const std::string& name, const Tensor& tensor);  ///< which is written over in place
  void add(const std::string& name, const nn::Module& module);
  void add(const std::string& name, optim::Optimizer& optimizer);
  void add(const std::string& name, nn::Snapshot& snapshot);
  void add(const std::string& name, std::int64_t& number);
  void add(const std::string& name, double& number);
  /// What is told of each epoch: records of int64 and double fields, one for each epoch made.
  template <typename Record>
  void add(const std::string& name, std::vector<Record>& records) {
    static_assert(std::is_trivially_copyable_v<Record> && sizeof(Record) % sizeof(std::int64_t) == 0);
    const auto make_room = [&records](std::size_t count) -> void* {
      records.resize(count);
      return records.data();
    };
    add_words(name, {sizeof(Record) / sizeof(std::int64_t), false, [&records] { return Rows(records.data(), records.size()); },
                     make_room});
  }

  /// Takes up what the checkpoint has, if it fits; returns how many epochs were made before it was written, 0 if there is
  /// nothing. Throws Error(kData) when a file that fits cannot be read to its end.
  std::int64_t resume();
  /// `epochs` have been made, and everything is as the next one finds it: writes that when it is time to.
  void epoch_made(std::int64_t epochs);

 private:
  using Rows = std::pair<const void*, std::size_t>;  ///< where they are and how many
  /// What is no tensor of the training's own, as rows of 8-byte words.
  struct Words {
    std::size_t width;
    bool one_row;  ///< there is one row always
    std::function<Rows()> rows;
    std::function<void*(std::size_t count)> make_room;
  };
  void add_words(const std::string& name, Words words);
  void add_word(const std::string& name, void* word);
  nn::TensorFile take() const;
  /// Why the file is of another training; empty if it is not.
  std::string difference(nn::TensorReader& file) const;

  FitCheckpoint* checkpoint_;
  std::map<std::string, Tensor> tensors_;
  std::map<std::string, Words> words_;
  std::vector<std::function<void(nn::TensorReader&)>> read_;
  std::int64_t epochs_ = 0;
  std::int64_t bytes_ = 0;  ///< of all tensors
};

/// The epochs of a training, from where its checkpoint left off: make(epoch) trains one and says what is told of it, as long as
/// there are not `most` and goes_on(epoch) says so. What is told is added to `history`, which is part of the state, and on_epoch
/// (may be null) hears of it, of the epochs of an earlier start too. Everything else that make() changes must be part of the
/// state.
template <typename Epoch, typename GoesOn, typename Make, typename OnEpoch>
void train_epochs(FitState& state, std::vector<Epoch>& history, std::int64_t most, const GoesOn& goes_on, const Make& make,
                  const OnEpoch& on_epoch) {
  state.add("history", history);
  std::int64_t epoch = state.resume();
  if (on_epoch) std::for_each(history.begin(), history.end(), on_epoch);
  for (; epoch < most && goes_on(epoch); ++epoch) {
    history.push_back(make(epoch));
    state.epoch_made(epoch + 1);  // before anybody is told, who might end the fit
    if (on_epoch) on_epoch(history.back());
  }
}

/// goes_on of a training with a fixed number of epochs.
inline bool always(std::int64_t /*epoch*/) { return true; }

}  // namespace tapestry::sdrm
