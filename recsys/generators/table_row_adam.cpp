#include "recsys/generators/table_row_adam.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace tapestry::recsys {
namespace {

std::vector<std::int32_t> distinct_of(std::vector<std::int32_t> rows) {
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return rows;
}

}  // namespace

RowAdam::RowAdam(std::vector<autograd::Variable> tables, const optim::AdamOptions& options)
    : tables_(std::move(tables)), options_(options) {
  check(!tables_.empty(), "RowAdam: no tables");
  for (const autograd::Variable& table : tables_) {
    const Tensor& value = table.value();
    check(value.size(0) == tables_.front().value().size(0), "RowAdam: tables ", tables_.front().shape(), " and ", table.shape());
    first_.push_back(Tensor::zeros(value.shape(), value.dtype(), value.device()));
    second_.push_back(Tensor::zeros(value.shape(), value.dtype(), value.device()));
  }
  done_.resize(static_cast<std::size_t>(tables_.front().value().size(0)), 0);
}

void RowAdam::update(const std::vector<std::int32_t>& distinct, const std::vector<Tensor>& gradients) {
  const auto count = static_cast<std::int64_t>(distinct.size());
  std::vector<std::int64_t> done;
  for (const std::int32_t row : distinct) done.push_back(std::exchange(done_[static_cast<std::size_t>(row)], steps_.size()));
  // Only the steps that one of the rows has missed: after thousands of them all would be much to hand to a GPU.
  const std::int64_t first = done.empty() ? 0 : *std::min_element(done.begin(), done.end());
  for (std::int64_t& steps : done) steps -= first;
  const std::vector<AdamStep> missed(steps_.begin() + first, steps_.end());
  const Device device = tables_.front().value().device();
  const Tensor index = Tensor::from<std::int32_t>(distinct, {count}, device);
  const Tensor had = Tensor::from<std::int64_t>(done, {count}, device);
  for (std::size_t t = 0; t < tables_.size(); ++t) {
    adam_rows(index, had, missed, gradients.empty() ? Tensor() : gradients[t], tables_[t].value(), first_[t], second_[t]);
  }
}

void RowAdam::catch_up(const std::vector<std::int32_t>& rows) { update(distinct_of(rows), {}); }

void RowAdam::finish() {
  std::vector<std::int32_t> all(done_.size());
  std::iota(all.begin(), all.end(), 0);
  update(all, {});
}

void RowAdam::step(const std::vector<std::int32_t>& rows, const std::vector<Tensor>& gradients, double learning_rate) {
  check(gradients.size() == tables_.size(), "RowAdam::step: ", gradients.size(), " gradients for ", tables_.size(), " tables");
  const auto t = static_cast<double>(steps_.size() + 1);
  steps_.push_back({learning_rate, options_.beta1, options_.beta2, options_.epsilon, options_.l2, options_.decoupled,
                    1 - std::pow(options_.beta1, t), 1 - std::pow(options_.beta2, t)});
  const std::vector<std::int32_t> distinct = distinct_of(rows);
  std::vector<std::int32_t> place;
  for (const std::int32_t row : rows) {
    place.push_back(static_cast<std::int32_t>(std::lower_bound(distinct.begin(), distinct.end(), row) - distinct.begin()));
  }
  std::vector<Tensor> sums;
  for (const Tensor& gradient : gradients) {
    const Tensor target = Tensor::from<std::int32_t>(place, {static_cast<std::int64_t>(place.size())}, gradient.device());
    sums.push_back(
        Tensor::zeros({static_cast<std::int64_t>(distinct.size()), gradient.cols()}, gradient.dtype(), gradient.device()));
    scatter_add_rows(gradient, target, sums.back());
  }
  update(distinct, sums);
}

}  // namespace tapestry::recsys
