#include "autograd/loss.h"

#include "autograd/elementwise.h"
#include "autograd/reduction.h"
#include "autograd/tape.h"

namespace tapestry::autograd {

Variable log_softmax(const Variable& x) {
  Tensor y = tapestry::log_softmax(x.value());
  const Tensor saved = y;
  return record(std::move(y), {&x},
                [saved, dx = x.slot()](Tensor dy) { dx.accumulate(log_softmax_backward(saved, std::move(dy))); });
}

Variable multinomial_nll(const Variable& logits, const CsrMatrix& target) {
  const double share = share_of_row("multinomial_nll", target.rows());
  const MultinomialNll rows = tapestry::multinomial_nll(logits.value(), target);
  return record(scaled(tapestry::sum(rows.loss), share), {&logits},
                [share, target, lse = rows.lse, saved = logits.value(), dlogits = logits.slot()](const Tensor& dy) {
                  const Tensor factor = scaled(dy, share);
                  dlogits.accumulate(multinomial_nll_backward(saved, target, lse, factor));
                });
}

Variable linear_multinomial_nll(const Variable& h, const Variable& weight, const Variable& bias, const CsrMatrix& target) {
  const double share = share_of_row("linear_multinomial_nll", target.rows());
  const LinearMultinomialNll rows = tapestry::linear_multinomial_nll(h.value(), weight.value(), bias.value(), target);
  return record(scaled(tapestry::sum(rows.loss), share), {&h, &weight, &bias},
                [share, target, rows, saved_h = h.value(), saved_weight = weight.value(), dh = h.slot(), dweight = weight.slot(),
                 dbias = bias.slot()](const Tensor& dy) {
                  const Tensor factor = scaled(dy, share);
                  const auto gradients = linear_multinomial_nll_backward(saved_h, saved_weight, target, rows, factor);
                  if (dh) dh.accumulate(gradients.dh);
                  if (dweight) dweight.accumulate(gradients.dw);
                  if (dbias) dbias.accumulate(gradients.dbias);
                });
}

Variable score_matching(const Variable& outputs, const Tensor& z0, double inverse) {
  const ScoreMatching value = tapestry::score_matching(outputs.value(), z0, inverse);
  return record(value.loss, {&outputs},
                [z0, inverse, moments = value.moments, saved = outputs.value(), doutputs = outputs.slot()](const Tensor& dy) {
                  doutputs.accumulate(score_matching_backward(saved, z0, inverse, moments, dy));
                });
}

Variable gaussian_nll(const Variable& output, const Tensor& y, double limit) {
  const double share = share_of_row("gaussian_nll", y.rows());
  const Tensor rows = tapestry::gaussian_nll(output.value(), y, limit);
  return record(scaled(tapestry::sum(rows), share), {&output},
                [share, y, limit, saved = output.value(), doutput = output.slot()](const Tensor& dy) {
                  const Tensor factor = scaled(dy, share);
                  doutput.accumulate(gaussian_nll_backward(saved, y, limit, factor));
                });
}

Variable bce_with_logits(const Variable& logits, const Tensor& target) {
  const Variable by_element = record(tapestry::bce_with_logits(logits.value(), target), {&logits},
                                     [target, saved = logits.value(), dlogits = logits.slot()](const Tensor& dy) {
                                       dlogits.accumulate(bce_with_logits_backward(saved, target, dy));
                                     });
  return mean(by_element);
}

Variable mse(const Variable& prediction, const Variable& target) {
  // [B, 1] less [B] is [B, B]: a mean over pairs of rows, which nobody means and which trains to something.
  check(prediction.shape() == target.shape(), "mse: prediction ", prediction.shape(), " and target ", target.shape(),
        ": expected the same shape");
  return mean_square(subtract(prediction, target));
}

}  // namespace tapestry::autograd
