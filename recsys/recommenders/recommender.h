#pragma once

#include "tensor/csr.h"
#include "tensor/tensor.h"

namespace tapestry::recsys {

/// A model that ranks items for users from their past items. V users to score, I items.
class Recommender {
 public:
  virtual ~Recommender() = default;

  /// Learns from the rows of all users in the fit, [rows, I] ones, in the order in which the protocol stacks them. A second
  /// call starts afresh.
  virtual void fit(const CsrMatrix& rows) = 0;

  /// Scores of every item for users with these inputs [V, I]: float32 [V, I], higher is better. Nothing is masked. A user's
  /// scores do not depend on the other rows of the call. Throws Error(kMisuse) before fit() or with another number of items.
  virtual Tensor score(const CsrMatrix& user_inputs) const = 0;
};

}  // namespace tapestry::recsys
