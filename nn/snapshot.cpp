#include "nn/snapshot.h"

namespace tapestry::nn {

void Snapshot::take() {
  const std::vector<NamedParameter> parameters = module_.named_parameters();
  for (std::size_t i = 0; i < values_.size(); ++i) copy_into(values_[i].second, parameters[i].variable.value());
  taken_ = true;
}

void Snapshot::restore() const {
  check(taken_, "Snapshot::restore: none has been taken");
  module_.load_state(values_);
}

}  // namespace tapestry::nn
