#include <limits>

#include "tensor/dispatch.h"
#include "tensor/ops.h"
#include "tensor/ops_common.h"

/// The selection part of ops.h: lists by value, and the best of each row.
namespace tapestry {
namespace {

/// One place after the other is looked up on the device that holds them.
void check_places(const char* op, const Tensor& x, const Tensor& places) {
  check(places.dtype() == DType::kInt64 && places.device() == x.device(), op, ": places are ", places.dtype(), " on ",
        places.device(), ", not int64 on ", x.device());
}

/// Columns are kept as int32.
void check_columns(const char* op, std::int64_t cols) {
  check(cols <= std::numeric_limits<std::int32_t>::max(), op, ": ", cols, " columns cannot be numbered in 32 bits");
}

}  // namespace

Tensor smallest(const Tensor& x) {
  Tensor y = Tensor::empty({}, x.dtype(), x.device());
  dispatch("smallest", x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.smallest(x.numel(), x.data<T>(), y.data<T>());
  });
  return y;
}

std::int64_t first_not_finite(const Tensor& x) {
  const Tensor at = Tensor::empty({1}, DType::kInt64, x.device());
  dispatch("first_not_finite", x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.first_not_finite(x.numel(), x.data<T>(), at.data<std::int64_t>());
  });
  return static_cast<std::int64_t>(at.item());
}

AtLeast count_at_least(const Tensor& x, double sign, double bound) {
  check(sign == 1 || sign == -1, "count_at_least: sign ", sign, " is neither 1 nor -1");
  const std::int64_t chunks = select_chunks(x.numel());
  AtLeast found = {sign, bound, Tensor::empty({chunks + 1}, DType::kInt64, x.device()), 0};
  dispatch("count_at_least", x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.count_at_least(x.numel(), x.data<T>(), static_cast<T>(sign), static_cast<T>(bound),
                           found.starts.data<std::int64_t>());
  });
  found.count = static_cast<std::int64_t>(found.starts.slice_rows(chunks, chunks + 1).item());
  return found;
}

void take_at_least(const Tensor& x, const AtLeast& found, const Tensor& from, std::int64_t first, const Tensor& values,
                   const Tensor& places) {
  check_places("take_at_least", x, places);
  check_on("take_at_least", x.device(), found.starts);
  check(found.starts.numel() == select_chunks(x.numel()) + 1, "take_at_least: counts of ", found.starts.numel() - 1,
        " chunks for ", x.numel(), " entries, which have ", select_chunks(x.numel()), ": they are another tensor's");
  check(places.numel() == found.count, "take_at_least: ", found.count, " finds into ", places.numel(), " places");
  if (values.defined()) {
    check_same_kind("take_at_least", x, values);
    check(values.numel() == found.count, "take_at_least: ", found.count, " finds into ", values.numel(), " values");
  }
  if (from.defined()) {
    check_places("take_at_least", x, from);
    check(from.numel() == x.numel(), "take_at_least: ", from.numel(), " places of ", x.numel(), " entries");
  }
  if (found.count == 0) return;
  dispatch("take_at_least", x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.take_at_least(x.numel(), x.data<T>(), static_cast<T>(found.sign), static_cast<T>(found.bound),
                          found.starts.data<std::int64_t>(), from.defined() ? from.data<std::int64_t>() : nullptr, first,
                          values.defined() ? values.data<T>() : nullptr, places.data<std::int64_t>());
  });
}

double kth_largest(const Tensor& x, std::int64_t k) {
  check(k >= 1 && k <= x.numel(), "kth_largest: k = ", k, " of ", x.numel(), " entries");
  check(x.numel() <= std::numeric_limits<std::uint32_t>::max(), "kth_largest: ", x.numel(),
        " entries cannot be counted in 32 bits");
  const Tensor y = Tensor::empty({1}, x.dtype(), x.device());
  const Tensor workspace = Tensor::empty({2}, DType::kInt64, x.device());
  dispatch("kth_largest", x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.kth_largest(x.numel(), x.data<T>(), k, y.data<T>(), workspace.data<std::int64_t>());
  });
  return y.item();
}

CsrMatrix places_to_csr(std::int64_t rows, std::int64_t cols, const Tensor& places) {
  check(places.dtype() == DType::kInt64, "places_to_csr: places are ", places.dtype(), ", not int64");
  check(rows >= 0 && cols >= 0, "places_to_csr: a matrix [", rows, ", ", cols, "]");
  check_columns("places_to_csr", cols);
  Tensor offsets = Tensor::empty({rows + 1}, DType::kInt64, places.device());
  Tensor columns = Tensor::empty({places.numel()}, DType::kInt32, places.device());
  dispatch<float>(places.device(), [&](auto kernels) {
    kernels.places_to_csr(rows, cols, places.numel(), places.data<std::int64_t>(), offsets.data<std::int64_t>(),
                          columns.data<std::int32_t>());
  });
  return {rows, cols, std::move(offsets), std::move(columns)};
}

CsrMatrix ones_at_least(const Tensor& x, double sign, double bound) {
  const AtLeast found = count_at_least(x, sign, bound);
  const Tensor places = Tensor::empty({found.count}, DType::kInt64, x.device());
  take_at_least(x, found, {}, 0, {}, places);
  return places_to_csr(x.rows(), x.cols(), places);
}

CsrMatrix top_lengths_rows(const Tensor& x, std::span<const std::int64_t> lengths) {
  check(static_cast<std::int64_t>(lengths.size()) == x.rows(), "top_lengths_rows: ", lengths.size(), " lengths for ", x.rows(),
        " rows");
  check_columns("top_lengths_rows", x.cols());
  Tensor offsets = Tensor::empty({x.rows() + 1}, DType::kInt64);
  std::int64_t* start = offsets.data<std::int64_t>();
  start[0] = 0;
  for (const std::int64_t length : lengths) {
    check(length >= 0 && length <= x.cols(), "top_lengths_rows: length ", length, " of ", x.cols(), " columns");
    start[1] = start[0] + length;
    ++start;
  }
  Tensor columns = Tensor::empty({*start}, DType::kInt32, x.device());
  offsets = offsets.to(x.device());
  dispatch("top_lengths_rows", x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.top_lengths_rows(x.rows(), x.cols(), x.data<T>(), offsets.data<std::int64_t>(), columns.data<std::int32_t>());
  });
  return {x.rows(), x.cols(), std::move(offsets), std::move(columns)};
}

Tensor rank_rows(const Tensor& x, const CsrMatrix& masked, std::int64_t k) {
  check(k >= 1, "rank_rows: k = ", k, " is not positive");
  check_columns("rank_rows", x.cols());
  check(x.rows() == masked.rows() && x.cols() == masked.cols(), "rank_rows: scores ", x.shape(), " and a mask [", masked.rows(),
        ", ", masked.cols(), "]");
  check(x.device() == masked.device(), "rank_rows: scores on ", x.device(), " and a mask on ", masked.device());
  Tensor index = Tensor::empty({x.rows(), k}, DType::kInt32, x.device());
  // A GPU works on keys beside the scores, the host on the scores themselves.
  const Tensor workspace = x.device() == Device::kCpu ? Tensor() : empty_like(x);
  dispatch("rank_rows", x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    const CsrView<T> pattern = {masked.rows(), masked.cols(), masked.offsets().data<std::int64_t>(),
                                masked.columns().data<std::int32_t>(), nullptr};
    kernels.rank_rows(pattern, x.data<T>(), k, workspace.defined() ? workspace.data<T>() : nullptr, index.data<std::int32_t>());
  });
  return index;
}

}  // namespace tapestry
