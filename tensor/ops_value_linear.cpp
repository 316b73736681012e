#include "tensor/dispatch.h"
#include "tensor/ops_common.h"

namespace tapestry {
namespace {

/// Throws unless x [B, I], w [I, K, N] and total [K, N] fit together.
void check_layer(const char* op, const CsrMatrix& x, const Tensor& w, const Tensor& total) {
  check(!x.has_values(), op, ": x has values of its own, expected ones");
  check(w.shape().rank() == 3 && w.size(0) == x.cols() && total.shape() == Shape({w.size(1), w.size(2)}), op, ": x [", x.rows(),
        ", ", x.cols(), "], w ", w.shape(), ", total ", total.shape());
  check_same_kind(op, w, total);
}

}  // namespace

Tensor value_linear(const CsrMatrix& x, const Tensor& table, const Tensor& w, const Tensor& total) {
  check_layer("value_linear", x, w, total);
  check(table.shape() == Shape({2, w.size(1)}), "value_linear: table ", table.shape(), " for w ", w.shape());
  check_same_kind("value_linear", table, w);
  Tensor y = Tensor::empty({x.rows(), w.size(2)}, w.dtype(), w.device());
  dispatch("value_linear", w.device(), w.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.value_linear(view<T>("value_linear", x, w.device()), w.size(1), w.size(2), table.data<T>(), w.data<T>(),
                         total.data<T>(), y.data<T>());
  });
  return y;
}

ValueLinearGradients value_linear_backward(const CsrMatrix& x, const Tensor& w, const Tensor& total, const Tensor& dy) {
  check_layer("value_linear_backward", x, w, total);
  check(dy.shape() == Shape({x.rows(), w.size(2)}), "value_linear_backward: dy ", dy.shape(), " for w ", w.shape());
  check_same_kind("value_linear_backward", dy, w);
  const std::int64_t width = w.size(1);
  const Tensor by_row = Tensor::empty({x.rows(), width}, w.dtype(), w.device());
  dispatch("value_linear_backward", w.device(), w.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.value_linear_backward(view<T>("value_linear_backward", x, w.device()), width, w.size(2), w.data<T>(), dy.data<T>(),
                                  by_row.data<T>());
  });
  ValueLinearGradients gradients;
  gradients.all = column_sum(dy);
  gradients.seen = csr_transpose_matmul(x, dy);
  // An entry is a one or a zero: what is not of table[1] in total all is of table[0].
  const Tensor ones = column_sum(by_row).reshape({1, width});
  const Tensor both = matmul(gradients.all.reshape({1, w.size(2)}), total, false, true);  // [1, K]
  gradients.dtable = concat_rows({linear_combination({{1.0, both}, {-1.0, ones}}), ones});
  return gradients;
}

void value_linear_adam(const Tensor& table, const ValueLinearGradients& gradients, const Tensor& factors, const Tensor& w,
                       const Tensor& first, const Tensor& second, const Tensor& total) {
  check(w.shape().rank() == 3, "value_linear_adam: w ", w.shape());
  const std::int64_t items = w.size(0), width = w.size(1), n = w.size(2);
  check(table.shape() == Shape({2, width}) && gradients.all.shape() == Shape({n}) &&
            gradients.seen.shape() == Shape({items, n}) && total.shape() == Shape({width, n}),
        "value_linear_adam: table ", table.shape(), ", all ", gradients.all.shape(), ", seen ", gradients.seen.shape(),
        ", total ", total.shape(), " for w ", w.shape());
  check(factors.numel() == kAdamFactors, "value_linear_adam: factors ", factors.shape());
  check_same_shape("value_linear_adam", w, first);
  check_same_shape("value_linear_adam", w, second);
  for (const Tensor& other : {table, factors, gradients.all, gradients.seen, total})
    check_same_kind("value_linear_adam", w, other);
  const Tensor workspace = Tensor::empty({value_blocks(items), width, n}, w.dtype(), w.device());
  dispatch("value_linear_adam", w.device(), w.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.value_linear_adam(items, width, n, table.data<T>(), gradients.all.data<T>(), gradients.seen.data<T>(),
                              factors.data<T>(), w.data<T>(), first.data<T>(), second.data<T>(), total.data<T>(),
                              workspace.data<T>());
  });
}

}  // namespace tapestry
