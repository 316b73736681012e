#pragma once

#include <optional>

#include "tensor/error.h"

namespace tapestry::recsys {

/// A fit that several generators share. When it fails for one of them, it would fail for the others: they are told the same
/// without doing it again.
class SharedFit {
 public:
  /// Calls `fit` and remembers an Error(kFit) that it throws: every later call throws that. Anything else, a cancellation among
  /// it, is not remembered.
  template <typename Fit>
  void run(const Fit& fit) {
    if (failure_) throw Error(*failure_);
    try {
      fit();
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kFit) failure_ = error;
      throw;
    }
  }

 private:
  std::optional<Error> failure_;
};

}  // namespace tapestry::recsys
