#include "sdrm/fit_checkpoint.h"

#include <cstring>

#include "tensor/error.h"

namespace tapestry::sdrm {
namespace {

constexpr const char* kEpochs = "epochs";

}  // namespace

FitState::FitState(FitCheckpoint* checkpoint) : checkpoint_(checkpoint) {
  add(kEpochs, epochs_);
  if (checkpoint_ == nullptr) return;
  for (const auto& [name, number] : checkpoint_->also_kept()) add(name, *number);
}

void FitState::add(const std::string& name, const Tensor& tensor) {
  check(tensors_.emplace(name, tensor).second && !words_.contains(name), "FitState: '", name, "' comes twice");
  bytes_ += tensor.bytes();
  read_.emplace_back([name, tensor](nn::TensorReader& file) { file.read(name, tensor); });
}

void FitState::add_words(const std::string& name, Words words) {
  const auto make_room = words.make_room;
  check(words_.emplace(name, std::move(words)).second && !tensors_.contains(name), "FitState: '", name, "' comes twice");
  read_.emplace_back([name, make_room](nn::TensorReader& file) {
    const Tensor rows = file.read(name);
    void* to = make_room(static_cast<std::size_t>(rows.size(0)));
    if (rows.bytes() > 0) std::memcpy(to, rows.raw_data(), static_cast<std::size_t>(rows.bytes()));
  });
}

void FitState::add_word(const std::string& name, void* word) {
  add_words(name, {1, true, [word] { return Rows(word, 1); }, [word](std::size_t) { return word; }});
}

void FitState::add(const std::string& name, const nn::Module& module) {
  for (const nn::NamedParameter& parameter : module.named_parameters()) {
    add(concat(name, ".", parameter.name), parameter.variable.value());
  }
  read_.emplace_back([&module](nn::TensorReader&) { module.tell_of_changed_values(); });
}

void FitState::add(const std::string& name, optim::Optimizer& optimizer) {
  for (const auto& [moment, tensor] : optimizer.moments()) add(concat(name, ".", moment), tensor);
  // Its count of steps is not to be written over, but told to it.
  const auto steps = std::make_shared<std::int64_t>(0);
  const auto rows = [&optimizer, steps] {
    *steps = optimizer.steps();
    return Rows(steps.get(), 1);
  };
  add_words(name + ".steps", {1, true, rows, [steps](std::size_t) { return steps.get(); }});
  read_.emplace_back([&optimizer, steps](nn::TensorReader&) { optimizer.count_as(*steps); });
}

void FitState::add(const std::string& name, nn::Snapshot& snapshot) {
  for (const auto& [parameter, tensor] : snapshot.values()) add(concat(name, ".", parameter), tensor);
  const auto taken = std::make_shared<std::int64_t>(0);
  const auto rows = [&snapshot, taken] {
    *taken = snapshot.taken() ? 1 : 0;
    return Rows(taken.get(), 1);
  };
  add_words(name + ".taken", {1, true, rows, [taken](std::size_t) { return taken.get(); }});
  read_.emplace_back([&snapshot, taken](nn::TensorReader&) { snapshot.count_as_taken(*taken != 0); });
}

void FitState::add(const std::string& name, std::int64_t& number) { add_word(name, &number); }

void FitState::add(const std::string& name, double& number) {
  static_assert(sizeof(double) == sizeof(std::int64_t));
  add_word(name, &number);
}

std::string FitState::difference(nn::TensorReader& file) const {
  if (file.tensors().size() != tensors_.size() + words_.size()) {
    return concat(file.tensors().size(), " tensors where ", tensors_.size() + words_.size(), " were expected");
  }
  for (const auto& [name, entry] : file.tensors()) {
    if (const auto own = tensors_.find(name); own != tensors_.end()) {
      if (entry.dtype == own->second.dtype() && entry.shape == own->second.shape()) continue;
      return concat("'", name, "' is ", entry.dtype, " ", entry.shape, ", not ", own->second.dtype(), " ", own->second.shape());
    }
    const auto own = words_.find(name);
    if (own == words_.end()) return concat(nn::in_quotes(name), " is unknown");
    const bool fits = entry.dtype == DType::kInt64 && entry.shape.rank() == 2 &&
                      entry.shape[1] == static_cast<std::int64_t>(own->second.width) &&
                      (!own->second.one_row || entry.shape[0] == 1);
    if (!fits) return concat("'", name, "' is ", entry.dtype, " ", entry.shape);
  }
  const std::int64_t epochs = file.read(kEpochs).data<std::int64_t>()[0];
  for (const auto& [name, words] : words_) {
    const std::int64_t rows = file.tensors().at(name).shape[0];
    if (!words.one_row && rows != epochs) return concat("'", name, "' has ", rows, " rows after ", epochs, " epochs");
  }
  return epochs < 0 ? concat(epochs, " epochs") : "";
}

std::int64_t FitState::resume() {
  if (checkpoint_ == nullptr) return 0;
  const std::unique_ptr<nn::TensorReader> file = checkpoint_->read();
  if (!file) return 0;
  if (const std::string why = difference(*file); !why.empty()) {
    checkpoint_->refuse(why);
    return 0;
  }
  for (const auto& read : read_) read(*file);
  checkpoint_->set_earlier_epochs(epochs_);
  return epochs_;
}

nn::TensorFile FitState::take() const {
  nn::TensorFile file = {tensors_, {}};
  for (const auto& [name, words] : words_) {
    const auto [from, count] = words.rows();
    const Tensor rows = Tensor::empty({static_cast<std::int64_t>(count), static_cast<std::int64_t>(words.width)}, DType::kInt64);
    if (rows.bytes() > 0) std::memcpy(rows.raw_data(), from, static_cast<std::size_t>(rows.bytes()));
    file.tensors.emplace(name, rows);
  }
  return file;
}

void FitState::epoch_made(std::int64_t epochs) {
  epochs_ = epochs;
  if (checkpoint_ != nullptr && checkpoint_->due(bytes_)) checkpoint_->write(take());
}

}  // namespace tapestry::sdrm
