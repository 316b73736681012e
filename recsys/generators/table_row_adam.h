#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "autograd/variable.h"
#include "sdrm/fit_checkpoint.h"

namespace tapestry::recsys {

/// Adam on several tables [R, N]. A step reads and changes few of their rows, of the same numbers in every table and of other
/// ones at every step: the weights behind a one-hot input. With weight decay and momentum every row moves at every step, gradient
/// or not, so that a plain step passes over the whole of the tables and their moments. Here a row waits until it is read again
/// and then makes up for all the steps it has missed, while it is in the cache: the same numbers to the bit, for a fraction of
/// the memory traffic, and no gradient of a table's size.
///
/// Which rows are touched, and what they have missed, comes from a RowSchedule, int32 [B] each, and `count` [1] says how many
/// steps have been made: all on the device of the tables, so that a GPU can repeat a step as a graph (tensor/step_graph.h).
class RowAdam {
 public:
  /// factors [S, kAdamFactors], where the tables are: optim::adam_factors of all S steps there will be.
  RowAdam(std::vector<autograd::Variable> tables, Tensor factors);

  /// Brings rows `index`, which have had `done` steps each, up to date: to be called before they are read.
  void catch_up(const Tensor& index, const Tensor& done, const Tensor& count) const;
  /// One more step. gradients[t] [B, N] belong to rows index[place[b]] of table t; those of a repeated row add up, all others are
  /// zero.
  void step(const Tensor& index, const Tensor& done, const Tensor& place, const Tensor& count,
            const std::vector<Tensor>& gradients) const;

  /// Adds the moments, which together with the tables and the schedule say how far the rows have come.
  void add_to(const std::string& name, sdrm::FitState& state) const;

 private:
  std::vector<autograd::Variable> tables_;
  Tensor factors_;
  std::vector<Tensor> first_;
  std::vector<Tensor> second_;
};

/// The host's side of it: how many steps each of R rows has had. It depends on which rows are touched when, not on any number in
/// them, and so may run ahead.
class RowSchedule {
 public:
  explicit RowSchedule(std::int64_t rows) : done_(static_cast<std::size_t>(rows), 0) {}

  /// The B rows (repetitions allowed) are brought to `steps` steps. Writes the different ones among them to index [B], -1 behind
  /// the last, what they have had to done [B], and where each of the rows stands among them to place [B] (null: not wanted).
  void visit(const std::vector<std::int32_t>& rows, std::int32_t steps, std::int32_t* index, std::int32_t* done,
             std::int32_t* place);
  std::int64_t rows() const { return static_cast<std::int64_t>(done_.size()); }

 private:
  std::vector<std::int32_t> done_;  ///< [R]
};

}  // namespace tapestry::recsys
