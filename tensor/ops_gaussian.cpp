#include "tensor/dispatch.h"
#include "tensor/ops.h"
#include "tensor/ops_common.h"

namespace tapestry {
namespace {

void check_gaussian(const char* op, const Tensor& output, const Tensor& y, double limit) {
  check_same_kind(op, output, y);
  check(output.rows() == y.rows() && output.cols() == 2 * y.cols(), op, ": outputs ", output.shape(), " for targets ", y.shape(),
        ", a mean and a log-variance each");
  check(limit > 0, op, ": the limit ", limit, " is not positive");
}

}  // namespace

Tensor gaussian_nll(const Tensor& output, const Tensor& y, double limit) {
  check_gaussian("gaussian_nll", output, y, limit);
  Tensor loss = Tensor::empty({y.rows()}, y.dtype(), y.device());
  dispatch("gaussian_nll", y.device(), y.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.gaussian_nll(y.rows(), y.cols(), output.data<T>(), y.data<T>(), static_cast<T>(limit), loss.data<T>());
  });
  return loss;
}

Tensor gaussian_nll_backward(const Tensor& output, const Tensor& y, double limit, const Tensor& scale) {
  check_gaussian("gaussian_nll_backward", output, y, limit);
  check_number("gaussian_nll_backward", "scale", y, scale);
  Tensor doutput = empty_like(output);
  dispatch("gaussian_nll_backward", y.device(), y.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.gaussian_nll_backward(y.rows(), y.cols(), output.data<T>(), y.data<T>(), static_cast<T>(limit), scale.data<T>(),
                                  doutput.data<T>());
  });
  return doutput;
}

}  // namespace tapestry
