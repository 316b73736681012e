#include "recsys/recommenders/svd.h"

#include <algorithm>

#include "tensor/ops.h"

namespace tapestry::recsys {
namespace {

constexpr std::int64_t kItemTile = 1024;  // scores of one user held in float64 at a time: 8 KiB

/// V [I, rank] on a device.
Tensor right_vectors(const TruncatedSvd& svd, Device device) {
  const Tensor v = Tensor::empty({svd.items, svd.rank()}, DType::kFloat64);
  double* to = v.data<double>();
  for (std::int64_t i = 0; i < svd.items; ++i) {
    for (std::int64_t r = 0; r < svd.rank(); ++r) *to++ = svd.right[static_cast<std::size_t>(r * svd.items + i)];
  }
  return v.to(device);
}

/// out[0..I) = (x V) V^T for one user whose items are `items`; `values` are their entries, null when all are one.
void score_user(const TruncatedSvd& svd, std::span<const std::int32_t> items, const float* values, float* out) {
  std::vector<double> factors(static_cast<std::size_t>(svd.rank()));  // x V [rank]
  for (std::int64_t r = 0; r < svd.rank(); ++r) {
    const double* v = svd.right.data() + r * svd.items;
    double sum = 0;
    for (std::size_t e = 0; e < items.size(); ++e) sum += v[items[e]] * (values ? values[e] : 1.0);
    factors[static_cast<std::size_t>(r)] = sum;
  }
  double tile[kItemTile];
  for (std::int64_t begin = 0; begin < svd.items; begin += kItemTile) {
    const std::int64_t width = std::min(kItemTile, svd.items - begin);
    std::fill_n(tile, width, 0.0);
    for (std::int64_t r = 0; r < svd.rank(); ++r) {
      const double factor = factors[static_cast<std::size_t>(r)];
      const double* v = svd.right.data() + r * svd.items + begin;
      for (std::int64_t i = 0; i < width; ++i) tile[i] += factor * v[i];
    }
    for (std::int64_t i = 0; i < width; ++i) out[begin + i] = static_cast<float>(tile[i]);
  }
}

}  // namespace

void SvdRecommender::fit(const FitData& data, const FitListener& /*listener: a second's work*/,
                         sdrm::FitCheckpoint* /*checkpoint*/) {
  fit(data.stacked_likes());
  inputs_ = data.block(Block::kEvaluation).likes;
}

Tensor SvdRecommender::score(std::int64_t begin, std::int64_t end) const { return score(masked().slice_rows(begin, end)); }

CsrMatrix SvdRecommender::masked() const {
  check(items_ >= 0, "SvdRecommender::masked: called before fit");
  return inputs_;
}

void SvdRecommender::fit(const CsrMatrix& rows) {
  svd_ = truncated_svd(rows, rank_, options_);
  items_ = rows.cols();
  inputs_ = {};
  right_ = options_.device == Device::kCpu ? Tensor() : right_vectors(svd_, options_.device);
}

Tensor SvdRecommender::score_on_device(const CsrMatrix& user_inputs) const {
  const CsrMatrix x = user_inputs.has_values() ? user_inputs.with_values(user_inputs.values().to(DType::kFloat64)) : user_inputs;
  const Tensor factors = csr_matmul(x.to(options_.device), right_);                 // x V [n, rank]
  return matmul(factors, right_, false, /*transpose_b=*/true).to(DType::kFloat32);  // (x V) V^T [n, I]
}

Tensor SvdRecommender::score(const CsrMatrix& user_inputs) const {
  check(items_ >= 0, "SvdRecommender::score: called before fit");
  check(user_inputs.cols() == items_, "SvdRecommender::score: inputs have ", user_inputs.cols(), " items, the fit had ", items_);
  if (right_.defined()) return score_on_device(user_inputs);
  const Tensor values = user_inputs.has_values() ? user_inputs.values().to(DType::kFloat32) : Tensor();
  const Tensor scores = Tensor::empty({user_inputs.rows(), items_});
  float* out = scores.data<float>();
  const float* entries = values.defined() ? values.data<float>() : nullptr;
  const std::int64_t* offsets = user_inputs.offsets().data<std::int64_t>();
#pragma omp parallel for schedule(dynamic, 8)
  for (std::int64_t user = 0; user < user_inputs.rows(); ++user) {
    score_user(svd_, user_inputs.row(user), entries ? entries + offsets[user] : nullptr, out + user * items_);
  }
  return scores;
}

}  // namespace tapestry::recsys
