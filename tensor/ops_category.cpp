#include "tensor/dispatch.h"
#include "tensor/ops_common.h"

namespace tapestry {
namespace {

void check_planes(const char* op, const CategoryPlanes& planes) {
  check(planes.three >= 0 && planes.three <= planes.two && planes.two <= planes.columns, op, ": ", planes.columns, " columns, ",
        planes.two, " with two and ", planes.three, " with three categories");
}

void check_differences(const char* op, const CategoryPlanes& planes, const Tensor& d) {
  check_planes(op, planes);
  check(d.cols() == planes.differences(), op, ": ", d.shape(), " where ", planes.differences(), " differences were expected");
}

void check_target(const char* op, const Tensor& d, const CsrMatrix& target) {
  check(target.rows() == d.rows() && target.cols() == d.cols() && !target.has_values(), op, ": differences ", d.shape(),
        " against ", target.has_values() ? "weighted " : "", "targets [", target.rows(), ", ", target.cols(), "]");
}

void check_table(const char* op, const CategoryPlanes& planes, const Tensor& scores, const CategoryTable& table) {
  check_planes(op, planes);
  check(scores.cols() == planes.categories(), op, ": scores ", scores.shape(), " for ", planes.categories(), " categories");
  for (const Tensor* part : {&table.values, &table.order, &table.places}) {
    const std::int64_t expected = part == &table.places ? planes.columns : planes.categories();
    check(part->dtype() == DType::kInt32 && part->numel() == expected && part->device() == scores.device(), op,
          ": a table's part of ", part->dtype(), " ", part->shape(), " on ", part->device(), ", expected ", expected,
          " int32 on ", scores.device());
  }
  if (scores.device() != Device::kCpu) return;
  for (const std::int32_t place : table.places.span<std::int32_t>()) {
    check(place >= 0 && place < planes.columns, op, ": place ", place, " in rows of ", planes.columns, " columns");
  }
}

CategoryMeaning meaning_of(const CategoryTable& table) {
  return {table.values.data<std::int32_t>(), table.order.data<std::int32_t>(), table.places.data<std::int32_t>()};
}

}  // namespace

Tensor category_softmax(const CategoryPlanes& planes, const Tensor& d, const Tensor& noise, double temperature) {
  check_differences("category_softmax", planes, d);
  check(temperature > 0, "category_softmax: the temperature ", temperature, " is not positive");
  check_same_kind("category_softmax", d, noise);
  check(noise.rows() == d.rows() && noise.cols() == planes.categories(), "category_softmax: differences ", d.shape(),
        " and noise ", noise.shape());
  Tensor y = Tensor::empty({d.rows(), planes.categories()}, d.dtype(), d.device());
  dispatch("category_softmax", d.device(), d.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.category_softmax(d.rows(), planes, d.data<T>(), noise.data<T>(), static_cast<T>(temperature), y.data<T>());
  });
  return y;
}

Tensor category_softmax_backward(const CategoryPlanes& planes, const Tensor& y, const Tensor& dy, double temperature) {
  check_planes("category_softmax_backward", planes);
  check_same_shape("category_softmax_backward", y, dy);
  check(y.cols() == planes.categories(), "category_softmax_backward: ", y.shape(), " where ", planes.categories(),
        " categories were expected");
  check(temperature > 0, "category_softmax_backward: the temperature ", temperature, " is not positive");
  Tensor dd = Tensor::empty({y.rows(), planes.differences()}, y.dtype(), y.device());
  dispatch("category_softmax_backward", y.device(), y.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.category_softmax_backward(y.rows(), planes, y.data<T>(), dy.data<T>(), static_cast<T>(temperature), dd.data<T>());
  });
  return dd;
}

Tensor category_cross_entropy(const CategoryPlanes& planes, const Tensor& d, const CsrMatrix& target) {
  check_differences("category_cross_entropy", planes, d);
  check_target("category_cross_entropy", d, target);
  Tensor loss = Tensor::empty({d.rows()}, d.dtype(), d.device());
  dispatch("category_cross_entropy", d.device(), d.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.category_cross_entropy(d.rows(), planes, d.data<T>(), view<T>("category_cross_entropy", target, d.device()),
                                   loss.data<T>());
  });
  return loss;
}

Tensor category_cross_entropy_backward(const CategoryPlanes& planes, const Tensor& d, const CsrMatrix& target,
                                       const Tensor& scale) {
  check_differences("category_cross_entropy_backward", planes, d);
  check_target("category_cross_entropy_backward", d, target);
  check_number("category_cross_entropy_backward", "scale", d, scale);
  Tensor dd = empty_like(d);
  dispatch("category_cross_entropy_backward", d.device(), d.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.category_cross_entropy_backward(d.rows(), planes, d.data<T>(),
                                            view<T>("category_cross_entropy_backward", target, d.device()), scale.data<T>(),
                                            dd.data<T>());
  });
  return dd;
}

Tensor category_choice(const CategoryPlanes& planes, const Tensor& scores, const CategoryTable& table) {
  check_table("category_choice", planes, scores, table);
  Tensor x = Tensor::empty({scores.rows(), planes.columns}, scores.dtype(), scores.device());
  dispatch("category_choice", scores.device(), scores.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.category_choice(scores.rows(), planes, scores.data<T>(), meaning_of(table), x.data<T>());
  });
  return x;
}

Tensor category_odds(const CategoryPlanes& planes, const Tensor& scores, const CategoryTable& table, std::int32_t value) {
  check_table("category_odds", planes, scores, table);
  Tensor x = Tensor::empty({scores.rows(), planes.columns}, scores.dtype(), scores.device());
  dispatch("category_odds", scores.device(), scores.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.category_odds(scores.rows(), planes, scores.data<T>(), meaning_of(table), value, x.data<T>());
  });
  return x;
}

}  // namespace tapestry
