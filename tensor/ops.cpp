#include "tensor/ops.h"

#include <array>

#include "tensor/dispatch.h"
#include "tensor/ops_common.h"

namespace tapestry {
namespace {

/// What is asked of binary(), as a message names it.
const char* name_of(BinaryOp op) {
  constexpr std::array<const char*, 6> kNames = {"add", "subtract", "multiply", "divide", "minimum", "maximum"};
  return kNames[static_cast<std::size_t>(op)];
}

/// dy itself when it may be written over, else a new tensor like it.
Tensor output_over(const Tensor& dy) { return dy.sole_owner() ? dy : Tensor::empty(dy.shape(), dy.dtype(), dy.device()); }

template <typename T>
T* data_or_null(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<T>() : nullptr;
}

}  // namespace

Tensor binary(BinaryOp op, const Tensor& a, const Tensor& b) {
  const char* const name = name_of(op);
  check_same_kind(name, a, b);
  const bool a_larger = a.shape().rank() > b.shape().rank() || (a.shape().rank() == b.shape().rank() && a.numel() >= b.numel());
  const auto rows = a.rows() == 1 ? b.rows() : a.rows();  // a single one is repeated, no times where the other has none
  const auto cols = a.cols() == 1 ? b.cols() : a.cols();
  const auto fits = [&](const Tensor& x) { return (x.rows() == rows || x.rows() == 1) && (x.cols() == cols || x.cols() == 1); };
  check(fits(b), name, ": shapes ", a.shape(), " and ", b.shape(), " do not broadcast");
  const Tensor& larger = a_larger ? a : b;
  const Shape shape = larger.rows() == rows && larger.cols() == cols ? larger.shape() : Shape{rows, cols};
  Tensor y = Tensor::empty(shape, a.dtype(), a.device());
  const auto row_stride = [&](const Tensor& x) { return x.rows() == 1 ? std::int64_t{0} : x.cols(); };
  const auto col_stride = [&](const Tensor& x) { return x.cols() == 1 && cols > 1 ? std::int64_t{0} : std::int64_t{1}; };
  dispatch(name, a.device(), a.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.binary(op, rows, cols, a.data<T>(), row_stride(a), col_stride(a), b.data<T>(), row_stride(b), col_stride(b),
                   y.data<T>());
  });
  return y;
}

Tensor unary(UnaryOp op, const Tensor& x, double parameter) {
  Tensor y = empty_like(x);
  dispatch("unary", x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.unary(op, x.numel(), x.data<T>(), static_cast<T>(parameter), y.data<T>());
  });
  return y;
}

Tensor unary_backward(UnaryOp op, const Tensor& saved, Tensor dy, double parameter) {
  check_same_shape("unary_backward", saved, dy);
  Tensor dx = output_over(dy);
  dispatch("unary_backward", dy.device(), dy.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.unary_backward(op, dy.numel(), saved.data<T>(), static_cast<T>(parameter), dy.data<T>(), dx.data<T>());
  });
  return dx;
}

Tensor linear_combination(std::initializer_list<std::pair<double, Tensor>> terms) {
  check(terms.size() >= 1 && terms.size() <= 4, "linear_combination: ", terms.size(), " terms, one to four are possible");
  const Tensor& first = terms.begin()->second;
  for (const auto& [coefficient, term] : terms) check_same_shape("linear_combination", first, term);
  Tensor y = empty_like(first);
  dispatch("linear_combination", y.device(), y.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    std::array<T, 4> coefficients = {};
    std::array<const T*, 4> data = {};
    std::size_t count = 0;
    for (const auto& [coefficient, term] : terms) {
      coefficients[count] = static_cast<T>(coefficient);
      data[count++] = term.template data<T>();
    }
    kernels.linear_combination(y.numel(), static_cast<int>(count), coefficients.data(), data.data(), y.data<T>());
  });
  return y;
}

Tensor prelu(const Tensor& x, const Tensor& slope) {
  check_number("prelu", "slope", x, slope);
  Tensor y = empty_like(x);
  dispatch("prelu", x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.prelu(x.numel(), x.data<T>(), slope.data<T>(), y.data<T>());
  });
  return y;
}

std::pair<Tensor, Tensor> prelu_backward(const Tensor& x, const Tensor& slope, Tensor dy) {
  check_same_shape("prelu_backward", x, dy);
  check_number("prelu_backward", "slope", x, slope);
  Tensor dx = output_over(dy);
  Tensor dslope = empty_like(slope);
  dispatch("prelu_backward", x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.prelu_backward(x.numel(), x.data<T>(), slope.data<T>(), dy.data<T>(), dx.data<T>(), dslope.data<T>());
  });
  return {dx, dslope};
}

Tensor bce_with_logits(const Tensor& x, const Tensor& target) {
  check_same_shape("bce_with_logits", x, target);
  Tensor y = empty_like(x);
  dispatch("bce_with_logits", x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.bce_with_logits(x.numel(), x.data<T>(), target.data<T>(), y.data<T>());
  });
  return y;
}

Tensor bce_with_logits_backward(const Tensor& x, const Tensor& target, const Tensor& dy) {
  check_same_shape("bce_with_logits_backward", x, target);
  check_same_shape("bce_with_logits_backward", x, dy);
  Tensor dx = empty_like(x);
  dispatch("bce_with_logits_backward", x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.bce_with_logits_backward(x.numel(), x.data<T>(), target.data<T>(), dy.data<T>(), dx.data<T>());
  });
  return dx;
}

void add_in_place(const Tensor& target, const Tensor& source) {
  check_same_shape("add_in_place", target, source);
  dispatch("add_in_place", target.device(), target.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    const std::array<T, 2> ones = {T(1), T(1)};
    const std::array<const T*, 2> terms = {target.data<T>(), source.data<T>()};
    kernels.linear_combination(target.numel(), 2, ones.data(), terms.data(), target.data<T>());
  });
}

Tensor bias_activation(Activation activation, const Tensor& h, const Tensor& bias, const Tensor& slope) {
  // [N] and no other shape of as many: that is the shape of its gradient.
  check(!bias.defined() || bias.shape() == Shape({h.cols()}), "bias_activation: a bias ", bias.shape(), " for ", h.cols(),
        " columns");
  if (bias.defined()) check_same_kind("bias_activation", h, bias);
  check((activation == Activation::kPrelu) == slope.defined(), "bias_activation: PReLU, and only PReLU, takes a slope");
  if (slope.defined()) check_number("bias_activation", "slope", h, slope);
  const Tensor y = activation == Activation::kPrelu ? empty_like(h) : h;
  if (activation == Activation::kNone && !bias.defined()) return y;
  dispatch("bias_activation", h.device(), h.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.bias_activation(activation, h.rows(), h.cols(), data_or_null<T>(bias), data_or_null<T>(slope), h.data<T>(),
                            y.data<T>());
  });
  return y;
}

Tensor row_sum(const Tensor& x, bool squared) {
  Tensor y = Tensor::empty({x.rows()}, x.dtype(), x.device());
  dispatch("row_sum", x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.row_sum(x.rows(), x.cols(), x.data<T>(), squared, y.data<T>());
  });
  return y;
}

Tensor column_sum(const Tensor& x) {
  Tensor y = Tensor::empty({x.cols()}, x.dtype(), x.device());
  dispatch("column_sum", x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.column_sum(x.rows(), x.cols(), x.data<T>(), y.data<T>());
  });
  return y;
}

Tensor sum(const Tensor& x) {
  Tensor y = Tensor::empty({}, x.dtype(), x.device());
  dispatch("sum", x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.sum(x.numel(), x.data<T>(), y.data<T>());
  });
  return y;
}

Tensor sum_squares(const Tensor& x, const Tensor& shift) {
  if (shift.defined()) check_number("sum_squares", "shift", x, shift);
  Tensor y = Tensor::empty({}, x.dtype(), x.device());
  dispatch("sum_squares", x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.sum_squares(x.numel(), x.data<T>(), data_or_null<T>(shift), y.data<T>());
  });
  return y;
}

Tensor log_softmax(const Tensor& x) {
  check(x.cols() > 0, "log_softmax: rows of shape ", x.shape(), " are empty");
  Tensor y = empty_like(x);
  dispatch("log_softmax", x.device(), x.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.log_softmax(x.rows(), x.cols(), x.data<T>(), y.data<T>());
  });
  return y;
}

Tensor log_softmax_backward(const Tensor& y, Tensor dy) {
  check_same_shape("log_softmax_backward", y, dy);
  Tensor dx = output_over(dy);
  dispatch("log_softmax_backward", y.device(), y.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.log_softmax_backward(y.rows(), y.cols(), y.data<T>(), dy.data<T>(), dx.data<T>());
  });
  return dx;
}

MultinomialNll multinomial_nll(const Tensor& logits, const CsrMatrix& target) {
  check(logits.rows() == target.rows() && logits.cols() == target.cols(), "multinomial_nll: logits ", logits.shape(),
        " against targets [", target.rows(), ", ", target.cols(), "]");
  check(logits.cols() > 0, "multinomial_nll: no items");
  MultinomialNll result = {Tensor::empty({logits.rows()}, logits.dtype(), logits.device()),
                           Tensor::empty({logits.rows()}, logits.dtype(), logits.device())};
  dispatch("multinomial_nll", logits.device(), logits.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.multinomial_nll(logits.data<T>(), view<T>("multinomial_nll", target, logits.device()), result.lse.data<T>(),
                            result.loss.data<T>());
  });
  return result;
}

Tensor multinomial_nll_backward(const Tensor& logits, const CsrMatrix& target, const Tensor& lse, const Tensor& scale) {
  check_number("multinomial_nll_backward", "scale", logits, scale);
  check_same_kind("multinomial_nll_backward", logits, lse);
  check(logits.rows() == target.rows() && logits.cols() == target.cols() && lse.numel() == logits.rows(),
        "multinomial_nll_backward: logits ", logits.shape(), " and lse ", lse.shape(), " against targets [", target.rows(), ", ",
        target.cols(), "]");
  Tensor dlogits = empty_like(logits);
  dispatch("multinomial_nll_backward", logits.device(), logits.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.multinomial_nll_backward(logits.data<T>(), view<T>("multinomial_nll_backward", target, logits.device()),
                                     lse.data<T>(), scale.data<T>(), dlogits.data<T>());
  });
  return dlogits;
}

namespace {

/// Throws unless h [B, H] and w [I, H] fit targets [B, I].
void check_output_layer(const char* op, const Tensor& h, const Tensor& w, const CsrMatrix& target) {
  check_same_kind(op, h, w);
  check(h.shape().rank() == 2 && w.shape().rank() == 2 && h.size(0) == target.rows() && w.size(0) == target.cols() &&
            h.size(1) == w.size(1) && target.cols() > 0,
        op, ": h ", h.shape(), " and w ", w.shape(), " against targets [", target.rows(), ", ", target.cols(), "]");
}

}  // namespace

LinearMultinomialNll linear_multinomial_nll(const Tensor& h, const Tensor& w, const Tensor& bias, const CsrMatrix& target) {
  check_output_layer("linear_multinomial_nll", h, w, target);
  check_same_kind("linear_multinomial_nll", h, bias);
  check(bias.shape() == Shape({target.cols()}), "linear_multinomial_nll: bias ", bias.shape(), " for ", target.cols(), " items");
  LinearMultinomialNll result = {Tensor::empty({target.rows()}, h.dtype(), h.device()), {}};
  dispatch("linear_multinomial_nll", h.device(), h.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    const LinearMultinomialRoom room = kernels.linear_multinomial_room(target.rows(), target.cols(), h.size(1));
    result.kept = Tensor::empty({room.kept}, h.dtype(), h.device());
    const Tensor workspace = Tensor::empty({room.forward}, h.dtype(), h.device());
    kernels.linear_multinomial_nll(h.size(1), h.data<T>(), w.data<T>(), bias.data<T>(),
                                   view<T>("linear_multinomial_nll", target, h.device()), result.kept.data<T>(),
                                   result.loss.data<T>(), workspace.data<T>());
  });
  return result;
}

LinearMultinomialGradients linear_multinomial_nll_backward(const Tensor& h, const Tensor& w, const CsrMatrix& target,
                                                           const LinearMultinomialNll& forward, const Tensor& scale) {
  constexpr const char* kOp = "linear_multinomial_nll_backward";
  check_output_layer(kOp, h, w, target);
  check_number(kOp, "scale", h, scale);
  check_same_kind(kOp, h, forward.kept);
  LinearMultinomialGradients gradients = {empty_like(h), empty_like(w), Tensor::empty({target.cols()}, h.dtype(), h.device())};
  dispatch(kOp, h.device(), h.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    const LinearMultinomialRoom room = kernels.linear_multinomial_room(target.rows(), target.cols(), h.size(1));
    check(forward.loss.numel() == target.rows() && forward.kept.numel() == room.kept, kOp, ": a forward pass of ",
          forward.loss.numel(), " rows against targets [", target.rows(), ", ", target.cols(), "]");
    const Tensor workspace = Tensor::empty({room.backward}, h.dtype(), h.device());
    kernels.linear_multinomial_nll_backward(h.size(1), h.data<T>(), w.data<T>(), view<T>(kOp, target, h.device()),
                                            forward.kept.data<T>(), scale.data<T>(), gradients.dw.data<T>(),
                                            gradients.dbias.data<T>(), gradients.dh.data<T>(), workspace.data<T>());
  });
  return gradients;
}

ScoreMatching score_matching(const Tensor& s, const Tensor& z0, double inverse) {
  check_same_kind("score_matching", s, z0);
  check(s.numel() == 3 * z0.numel() && s.cols() == z0.cols(), "score_matching: outputs ", s.shape(), " for latents ", z0.shape());
  check(z0.numel() >= 2, "score_matching: latents ", z0.shape(),
        ": a batch of one row and one latent has no variance, by which this loss divides");
  ScoreMatching result = {Tensor::empty({}, s.dtype(), s.device()), Tensor::empty({3}, s.dtype(), s.device())};
  dispatch("score_matching", s.device(), s.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.score_matching(z0.numel(), s.data<T>(), z0.data<T>(), static_cast<T>(inverse), result.loss.data<T>(),
                           result.moments.data<T>());
  });
  return result;
}

Tensor score_matching_backward(const Tensor& s, const Tensor& z0, double inverse, const Tensor& moments, const Tensor& scale) {
  check_same_kind("score_matching_backward", s, z0);
  check_same_kind("score_matching_backward", s, moments);
  check_number("score_matching_backward", "scale", s, scale);
  check(s.numel() == 3 * z0.numel() && moments.numel() == 3, "score_matching_backward: outputs ", s.shape(), " for latents ",
        z0.shape(), ", moments ", moments.shape());
  Tensor ds = empty_like(s);
  dispatch("score_matching_backward", s.device(), s.dtype(), [&](auto kernels) {
    using T = typename decltype(kernels)::Scalar;
    kernels.score_matching_backward(z0.numel(), s.data<T>(), z0.data<T>(), static_cast<T>(inverse), moments.data<T>(),
                                    scale.data<T>(), ds.data<T>());
  });
  return ds;
}

}  // namespace tapestry
