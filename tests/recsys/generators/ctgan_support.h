#pragma once

#include <initializer_list>
#include <numeric>
#include <vector>

#include "recsys/generators/ctgan.h"
#include "recsys/generators/ctgan_packed.h"
#include "recsys/generators/table_row_adam.h"
#include "tensor/ops.h"

namespace tapestry::tests {

inline recsys::CtganConfig small_config() {
  recsys::CtganConfig config;
  config.latent = 4;
  config.hidden = 6;
  config.batch = 20;
  config.pac = 5;
  config.epochs = 3;
  return config;
}

/// Both networks, always from the same first weights.
struct SmallCtgan {
  recsys::CtganConfig config;
  nn::Initializer init;
  recsys::CtganGenerator generator;
  recsys::CtganCritic critic;
  SmallCtgan(const CategoryPlanes& planes, const recsys::CtganConfig& made_config, DType dtype = DType::kFloat32)
      : config(made_config), init(3, dtype), generator(planes, config, init), critic(planes, config, init) {}
};

/// One-hot conditions of these batches as the critic takes them, one behind the other: [their rows / pac, pac C].
inline CsrMatrix packed(const CategoryPlanes& planes, std::int64_t pac,
                        std::initializer_list<const recsys::Conditions*> batches) {
  std::int64_t rows = 0;
  for (const recsys::Conditions* batch : batches) rows += static_cast<std::int64_t>(batch->position.size());
  const Tensor columns = Tensor::empty({rows}, DType::kInt32);
  std::int32_t* out = columns.data<std::int32_t>();
  for (const recsys::Conditions* batch : batches) {
    packed_columns(planes, pac, *batch, out);
    out += batch->position.size();
  }
  return {rows / pac, pac * planes.categories(), recsys::packed_offsets(pac, rows / pac), columns};
}
inline CsrMatrix packed(const recsys::CtganCritic& critic, const recsys::Conditions& conditions) {
  return packed(critic.planes(), critic.pac(), {&conditions});
}

inline autograd::ColumnTargets targets(const CategoryPlanes& planes, const recsys::Conditions& conditions, DType dtype) {
  const std::int64_t rows = conditions.size();
  std::vector<std::int32_t> index(static_cast<std::size_t>(3 * rows));
  std::vector<float> numbers(3 * index.size());
  autograd::fill_column_targets(planes, conditions.column, conditions.category, index.data(), numbers.data());
  const Tensor all = Tensor::from<float>(numbers, {3 * rows, 3}).to(dtype);
  return {Tensor::from<std::int32_t>(index, {3 * rows}), all.slice_rows(0, rows), all.slice_rows(rows, 2 * rows),
          all.slice_rows(2 * rows, 3 * rows)};
}

/// RowAdam and its schedule on the host, one step at a time.
class SteppedRowAdam {
 public:
  SteppedRowAdam(const std::vector<autograd::Variable>& tables, const Tensor& factors)
      : adam_(tables, factors), schedule_(tables.front().shape()[0]) {}

  void catch_up(const std::vector<std::int32_t>& rows) {
    const Visit visit(*this, rows, steps_);
    adam_.catch_up(visit.index, visit.done, count());
  }
  void step(const std::vector<std::int32_t>& rows, const std::vector<Tensor>& gradients) {
    const Visit visit(*this, rows, steps_ + 1);
    adam_.step(visit.index, visit.done, visit.place, count(), gradients);
    ++steps_;
  }
  void finish() {
    std::vector<std::int32_t> all(static_cast<std::size_t>(schedule_.rows()));
    std::iota(all.begin(), all.end(), 0);
    catch_up(all);
  }

 private:
  struct Visit {
    Tensor index, done, place;
    Visit(SteppedRowAdam& of, const std::vector<std::int32_t>& rows, std::int32_t steps) {
      for (Tensor* tensor : {&index, &done, &place}) {
        *tensor = Tensor::empty({static_cast<std::int64_t>(rows.size())}, DType::kInt32);
      }
      of.schedule_.visit(rows, steps, index.data<std::int32_t>(), done.data<std::int32_t>(), place.data<std::int32_t>());
    }
  };
  Tensor count() const { return Tensor::from<std::int32_t>({steps_}, {1}); }

  recsys::RowAdam adam_;
  recsys::RowSchedule schedule_;
  std::int32_t steps_ = 0;
};

}  // namespace tapestry::tests
