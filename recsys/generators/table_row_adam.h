#pragma once

#include <cstdint>
#include <vector>

#include "autograd/variable.h"
#include "optim/adam.h"

namespace tapestry::recsys {

/// Adam on tables [R, N] of which a step reads and changes few rows, the same ones in each: the weights behind a one-hot input.
/// With weight decay and momentum every row moves at every step, gradient or not, so that a plain step passes over the whole of
/// the tables and their moments. Here a row waits until it is read again and then makes up for all the steps it has missed, while
/// it is in the cache: the same numbers to the bit, for a fraction of the memory traffic, and no gradient of a table's size.
class RowAdam {
 public:
  RowAdam(std::vector<autograd::Variable> tables, const optim::AdamOptions& options);

  /// Brings these rows (repetitions allowed) up to date: to be called before they are read.
  void catch_up(const std::vector<std::int32_t>& rows);
  /// One step. gradients[t] [B, N] belongs to rows `rows` [B] of table t; those of a repeated row add up, all others are zero.
  void step(const std::vector<std::int32_t>& rows, const std::vector<Tensor>& gradients, double learning_rate);
  /// Brings every row up to date.
  void finish();

 private:
  void update(const std::vector<std::int32_t>& distinct, const std::vector<Tensor>& gradients);

  std::vector<autograd::Variable> tables_;
  optim::AdamOptions options_;
  std::vector<Tensor> first_;
  std::vector<Tensor> second_;
  std::vector<AdamStep> steps_;     ///< all so far
  std::vector<std::int64_t> done_;  ///< [R] how many of them each row has had
};

}  // namespace tapestry::recsys
