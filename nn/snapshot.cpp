#include "nn/snapshot.h"

namespace tapestry::nn {

void Snapshot::take() {
  const std::vector<NamedParameter> parameters = module_.named_parameters();
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const Tensor& from = parameters[i].variable.value();
    const Tensor& to = values_[i].second;
    copy_bytes(to.raw_data(), to.device(), from.raw_data(), from.device(), static_cast<std::size_t>(from.bytes()));
  }
  taken_ = true;
}

void Snapshot::restore() const {
  check(taken_, "Snapshot::restore: none has been taken");
  module_.load_state(values_);
}

}  // namespace tapestry::nn
