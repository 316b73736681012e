#include "recsys/generators/table_row_adam.h"

#include <algorithm>
#include <utility>

#include "tensor/ops.h"

namespace tapestry::recsys {

RowAdam::RowAdam(std::vector<autograd::Variable> tables, Tensor factors)
    : tables_(std::move(tables)), factors_(std::move(factors)) {
  check(!tables_.empty(), "RowAdam: no tables");
  for (const autograd::Variable& table : tables_) {
    const Tensor& value = table.value();
    check(value.size(0) == tables_.front().value().size(0), "RowAdam: tables ", tables_.front().shape(), " and ", table.shape());
    first_.push_back(Tensor::zeros(value.shape(), value.dtype(), value.device()));
    second_.push_back(Tensor::zeros(value.shape(), value.dtype(), value.device()));
  }
}

void RowAdam::catch_up(const Tensor& index, const Tensor& done, const Tensor& count) const {
  for (std::size_t t = 0; t < tables_.size(); ++t) {
    adam_rows(index, done, factors_, count, {}, tables_[t].value(), first_[t], second_[t]);
  }
}

void RowAdam::step(const Tensor& index, const Tensor& done, const Tensor& place, const Tensor& count,
                   const std::vector<Tensor>& gradients) const {
  check(gradients.size() == tables_.size(), "RowAdam::step: ", gradients.size(), " gradients for ", tables_.size(), " tables");
  for (std::size_t t = 0; t < tables_.size(); ++t) {
    const Tensor sums = Tensor::zeros({index.numel(), gradients[t].cols()}, gradients[t].dtype(), gradients[t].device());
    scatter_add_rows(gradients[t], place, sums);
    adam_rows(index, done, factors_, count, sums, tables_[t].value(), first_[t], second_[t]);
  }
}

void RowAdam::add_to(const std::string& name, sdrm::FitState& state) const {
  for (std::size_t t = 0; t < tables_.size(); ++t) {
    state.add(concat(name, ".first.", t), first_[t]);
    state.add(concat(name, ".second.", t), second_[t]);
  }
}

void RowSchedule::visit(const std::vector<std::int32_t>& rows, std::int32_t steps, std::int32_t* index, std::int32_t* done,
                        std::int32_t* place) {
  std::vector<std::int32_t> distinct = rows;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool used = i < distinct.size();
    index[i] = used ? distinct[i] : -1;
    done[i] = used ? std::exchange(done_[static_cast<std::size_t>(distinct[i])], steps) : steps;
    if (place == nullptr) continue;
    place[i] = static_cast<std::int32_t>(std::lower_bound(distinct.begin(), distinct.end(), rows[i]) - distinct.begin());
  }
}

}  // namespace tapestry::recsys
