#include "recsys/generators/ctgan_draws.h"

#include <algorithm>

#include "recsys/generators/ctgan_packed.h"
#include "recsys/generators/sample_tiles.h"
#include "sdrm/shuffle.h"

namespace tapestry::recsys {
namespace {

constexpr std::int64_t kTargetNumbers = 9;  // three tensors [B, 3]

/// The step of the streams for one side of step `step` of the fit.
std::uint32_t draw_of(std::int64_t step, CtganTurn turn) {
  return kCtganTurns * static_cast<std::uint32_t>(step) + static_cast<std::uint32_t>(turn);
}

}  // namespace

CtganDraws::CtganDraws(const TableEncoding& table, const CsrMatrix& marks, const CtganConfig& config, std::int64_t steps,
                       DType dtype, Device device)
    : table_(table),
      marks_(marks),
      index_(table, marks),
      config_(config),
      steps_(steps),
      pacs_(config.batch / config.pac),
      dtype_(dtype),
      device_(device),
      integers_(static_cast<std::size_t>(steps * static_cast<std::int64_t>(Part::kParts) * config.batch)),
      numbers_(static_cast<std::size_t>(steps * kTargetNumbers * config.batch)),
      real_rows_(static_cast<std::size_t>(steps * config.batch)),
      integer_table_(Tensor::empty({steps, static_cast<std::int64_t>(Part::kParts) * config.batch}, DType::kInt32, device)),
      number_table_(Tensor::empty({steps, kTargetNumbers * config.batch}, dtype, device)),
      pac_offsets_(packed_offsets(config.pac, 2 * pacs_).to(device)),
      real_pacs_(row_numbers(0, steps * pacs_, device).reshape({steps, pacs_})),
      real_offsets_(Tensor::empty({steps * pacs_ + 1}, DType::kInt64, device)) {}

Tensor CtganDraws::part(const Tensor& row, Part which, std::int64_t count) const {
  const std::int64_t begin = static_cast<std::int64_t>(which) * config_.batch;
  return row.slice_rows(begin, begin + count * config_.batch);
}

std::int32_t* CtganDraws::part(std::int64_t u, Part which) {
  return integers_.data() + (u * static_cast<std::int64_t>(Part::kParts) + static_cast<std::int64_t>(which)) * config_.batch;
}

void CtganDraws::draw_critic(std::uint64_t seed, std::int64_t u, std::int64_t step, RowSchedule& schedule) {
  const std::uint32_t t = draw_of(step, CtganTurn::kCritic);
  RandomSequence random({seed, Purpose::kTableCondition, t});
  const Conditions fake = draw_conditions(table_, ConditionLaw::kLogFrequency, config_.batch, random);
  // Real rows answer the same conditions in another order, so that the critic cannot compare them place by place.
  sdrm::shuffle_rows(config_.batch, {seed, Purpose::kShuffle, t}, order_);
  const Conditions real = fake.permuted(order_);
  RandomSequence rows({seed, Purpose::kTableRow, t});
  const std::vector<std::int32_t> drawn = index_.draw(real, rows);
  std::copy(drawn.begin(), drawn.end(), real_rows_.begin() + u * config_.batch);
  schedule.visit(fake.position, static_cast<std::int32_t>(step), part(u, Part::kCriticIndex), part(u, Part::kCriticDone),
                 nullptr);
  std::copy(fake.position.begin(), fake.position.end(), part(u, Part::kCriticPositions));
  packed_columns(table_.planes(), config_.pac, fake, part(u, Part::kFakeColumns));
  packed_columns(table_.planes(), config_.pac, real, part(u, Part::kRealColumns));
}

void CtganDraws::draw_generator(std::uint64_t seed, std::int64_t u, std::int64_t step, RowSchedule& schedule) {
  RandomSequence random({seed, Purpose::kTableCondition, draw_of(step, CtganTurn::kGenerator)});
  const Conditions conditions = draw_conditions(table_, ConditionLaw::kLogFrequency, config_.batch, random);
  const auto steps = static_cast<std::int32_t>(step);
  schedule.visit(conditions.position, steps, part(u, Part::kIndex), part(u, Part::kDone), part(u, Part::kPlace));
  schedule.visit(conditions.position, steps + 1, part(u, Part::kIndex), part(u, Part::kDoneAfter), part(u, Part::kPlace));
  std::copy(conditions.position.begin(), conditions.position.end(), part(u, Part::kPositions));
  packed_columns(table_.planes(), config_.pac, conditions, part(u, Part::kColumns));
  autograd::fill_column_targets(table_.planes(), conditions.column, conditions.category, part(u, Part::kTargetIndex),
                                numbers_.data() + u * kTargetNumbers * config_.batch);
}

void CtganDraws::draw_epoch(std::uint64_t seed, std::int64_t first, RowSchedule& schedule) {
  for (std::int64_t u = 0; u < steps_; ++u) {
    draw_critic(seed, u, first + u, schedule);
    draw_generator(seed, u, first + u, schedule);
  }
  real_ = packed_marks(table_.planes(), config_.pac, marks_.gather_rows(real_rows_), dtype_);
}

void CtganDraws::bring_epoch() {
  sdrm::bring(integers_.data(), integer_table_);
  sdrm::bring(Tensor::from<float>(numbers_, number_table_.shape()).to(dtype_).raw_data(), number_table_);
  bring_real();
}

void CtganDraws::bring_real() {
  const std::span<const std::int64_t> offsets = real_.offsets().span<std::int64_t>();
  std::int64_t most = 0;
  for (std::int64_t u = 0; u < steps_; ++u) {
    most = std::max(most, offsets[static_cast<std::size_t>((u + 1) * pacs_)] - offsets[static_cast<std::size_t>(u * pacs_)]);
  }
  // Rows are drawn with replacement, so that only the drawn ones tell how much they need. A quarter to spare, and one epoch in
  // many will need more.
  if (!real_columns_.defined() || real_.nnz() > real_columns_.numel() || most > room_) {
    const std::int64_t all = std::max<std::int64_t>(1, real_.nnz() + real_.nnz() / 4);
    room_ = most + most / 4;
    real_columns_ = Tensor::empty({all}, DType::kInt32, device_);
    real_values_ = Tensor::empty({all}, dtype_, device_);
    ++generation_;
  }
  sdrm::bring(offsets.data(), real_offsets_);
  if (real_.nnz() == 0) return;
  sdrm::bring(real_.columns().raw_data(), real_columns_.slice_rows(0, real_.nnz()));
  sdrm::bring(real_.values().raw_data(), real_values_.slice_rows(0, real_.nnz()));
}

CtganDraws::Critic CtganDraws::critic(const sdrm::EpochCursor& cursor) const {
  const Tensor row = cursor.row(integer_table_);
  const std::int64_t width = config_.pac * table_.planes().categories();
  const CsrMatrix all_real = CsrMatrix::trusted(steps_ * pacs_, width, real_offsets_, real_columns_, real_values_);
  return {{part(row, Part::kCriticIndex), part(row, Part::kCriticDone), {}},
          part(row, Part::kCriticPositions),
          CsrMatrix::trusted(2 * pacs_, width, pac_offsets_, part(row, Part::kFakeColumns, 2), {}),
          gather_rows(all_real, cursor.row(real_pacs_), room_)};
}

CtganDraws::Generator CtganDraws::generator(const sdrm::EpochCursor& cursor) const {
  const Tensor row = cursor.row(integer_table_), numbers = cursor.row(number_table_);
  const std::int64_t width = config_.pac * table_.planes().categories(), rows = config_.batch;
  const auto target = [&](std::int64_t which) {
    return numbers.slice_rows(3 * rows * which, 3 * rows * (which + 1)).reshape({rows, 3});
  };
  const Tensor index = part(row, Part::kIndex), place = part(row, Part::kPlace);
  return {{index, part(row, Part::kDone), place},
          {index, part(row, Part::kDoneAfter), place},
          part(row, Part::kPositions),
          CsrMatrix::trusted(pacs_, width, pac_offsets_.slice_rows(0, pacs_ + 1), part(row, Part::kColumns), {}),
          {part(row, Part::kTargetIndex, 3), target(0), target(1), target(2)}};
}

}  // namespace tapestry::recsys
