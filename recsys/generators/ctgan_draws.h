#pragma once

#include <vector>

#include "autograd/category.h"
#include "recsys/generators/ctgan.h"
#include "recsys/generators/table_row_adam.h"
#include "sdrm/epoch_cursor.h"

namespace tapestry::recsys {

/// The random inputs of step t come from steps of the streams, two sets in each: the critic's, then the generator's.
enum class CtganTurn : std::uint32_t { kCritic = 0, kGenerator = 1 };
inline constexpr std::uint32_t kCtganTurns = 2;

/// What the steps of an epoch draw on the host: conditions, the rows that answer them, and which rows of the condition tables
/// have to make up for which steps. Every draw depends on the one before, but none on what is learnt: those of all steps are made
/// before the first and brought to where the models are in a few copies.
class CtganDraws {
 public:
  /// `steps` steps to an epoch, U. marks [N, D] on the host.
  CtganDraws(const TableEncoding& table, const CsrMatrix& marks, const CtganConfig& config, std::int64_t steps, DType dtype,
             Device device);

  /// Draws the epoch that begins with step `first` of the fit, on the host alone. `schedule` is of the generator's condition
  /// tables.
  void draw_epoch(std::uint64_t seed, std::int64_t first, RowSchedule& schedule);
  /// Brings what was drawn there. Host memory may be drawn into again at once.
  void bring_epoch();
  /// Goes up when what was drawn needed more room: tensors of another epoch are elsewhere then.
  std::int64_t generation() const { return generation_; }

  /// Rows of the condition tables, int32 [B] each: see RowAdam.
  struct Touched {
    Tensor index, done, place;
  };
  struct Critic {
    Touched waiting;       ///< to be caught up (no place)
    Tensor positions;      ///< int32 [B] of the conditions of generated rows
    CsrMatrix conditions;  ///< [2 P, pac C] of generated rows, then of real ones
    CsrMatrix real;        ///< [P, pac C] as packed_marks has it
  };
  /// Of the step where the cursor stands.
  Critic critic(const sdrm::EpochCursor& cursor) const;

  struct Generator {
    Touched waiting;
    Touched changed;  ///< the same rows once they are caught up
    Tensor positions;
    CsrMatrix conditions;  ///< [P, pac C]
    autograd::ColumnTargets targets;
  };
  Generator generator(const sdrm::EpochCursor& cursor) const;

 private:
  /// The integers of a step, [B] each; some take several places.
  enum class Part : std::uint8_t {
    kCriticIndex,
    kCriticDone,
    kCriticPositions,
    kFakeColumns,
    kRealColumns,
    kIndex,
    kDone,
    kPlace,
    kDoneAfter,
    kPositions,
    kColumns,
    kTargetIndex,
    kParts = kTargetIndex + 3
  };
  /// Those of a table's row, or in the host's copy those of step u.
  Tensor part(const Tensor& row, Part which, std::int64_t count = 1) const;
  std::int32_t* part(std::int64_t u, Part which);
  void draw_critic(std::uint64_t seed, std::int64_t u, std::int64_t step, RowSchedule& schedule);
  void draw_generator(std::uint64_t seed, std::int64_t u, std::int64_t step, RowSchedule& schedule);
  void bring_real();

  const TableEncoding& table_;
  const CsrMatrix& marks_;
  RowIndex index_;
  const CtganConfig& config_;
  std::int64_t steps_;  ///< U
  std::int64_t pacs_;   ///< P
  DType dtype_;
  Device device_;
  std::vector<std::int32_t> integers_;   ///< [U, kParts B]
  std::vector<float> numbers_;           ///< [U, 9 B] of the targets
  std::vector<std::int32_t> real_rows_;  ///< [U B]
  CsrMatrix real_;                       ///< those rows, packed: [U P, pac C]
  std::vector<std::int32_t> order_;

  Tensor integer_table_;  ///< int32 [U, kParts B]
  Tensor number_table_;   ///< [U, 9 B]
  Tensor pac_offsets_;    ///< int64 [2 P + 1]: `pac` entries each
  Tensor real_pacs_;      ///< int32 [U, P]: 0, 1, ...
  Tensor real_offsets_;   ///< int64 [U P + 1]
  Tensor real_columns_;   ///< int32, with room to spare
  Tensor real_values_;
  std::int64_t room_ = 0;  ///< for the entries of a step's real rows
  std::int64_t generation_ = 0;
};

}  // namespace tapestry::recsys
