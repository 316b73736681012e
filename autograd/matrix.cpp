#include "autograd/matrix.h"

#include "autograd/tape.h"

namespace tapestry::autograd {
namespace {

/// The gradient before an activation from the one behind it; `saved` is the output (kPrelu: the input), dslope may be null.
Tensor activation_backward(Activation activation, const Tensor& saved, const Tensor& slope, Tensor dy,
                           const GradientSlot& dslope) {
  switch (activation) {
    case Activation::kNone:
      return dy;
    case Activation::kTanh:
      return unary_backward(UnaryOp::kTanh, saved, std::move(dy));
    case Activation::kRelu:
      return unary_backward(UnaryOp::kRelu, saved, std::move(dy));
    case Activation::kSigmoid:
      return unary_backward(UnaryOp::kSigmoid, saved, std::move(dy));
    case Activation::kPrelu:
      break;
  }
  auto [dh, slope_gradient] = prelu_backward(saved, slope, std::move(dy));
  if (dslope) dslope.accumulate(slope_gradient);
  return dh;
}

}  // namespace

Variable matmul(const Variable& a, const Variable& b, bool transpose_a, bool transpose_b) {
  const Tensor saved_a = b.requires_grad() ? a.value() : Tensor();
  const Tensor saved_b = a.requires_grad() ? b.value() : Tensor();
  return record(tapestry::matmul(a.value(), b.value(), transpose_a, transpose_b), {&a, &b},
                [saved_a, saved_b, transpose_a, transpose_b, da = a.slot(), db = b.slot()](const Tensor& dy) {
                  // C = A' B': dA' = dC B'^T and dB' = A'^T dC; where A' = A^T, dA is the transpose of dA'.
                  if (da) {
                    transpose_a ? da.accumulate_product(saved_b, dy, transpose_b, true)
                                : da.accumulate_product(dy, saved_b, false, !transpose_b);
                  }
                  if (db) {
                    transpose_b ? db.accumulate_product(dy, saved_a, true, transpose_a)
                                : db.accumulate_product(saved_a, dy, !transpose_a, false);
                  }
                });
}

Variable linear(const Variable& x, const Variable& weight, const Variable& bias, Activation activation, const Variable& slope,
                LinearTrace* trace) {
  const Tensor h = tapestry::matmul(x.value(), weight.value(), false, true);  // [B, M]
  Tensor y = bias_activation(activation, h, bias.value(), slope.value());
  const Tensor saved_x = weight.requires_grad() || trace != nullptr ? x.value() : Tensor();
  const Tensor saved_weight = x.requires_grad() ? weight.value() : Tensor();
  const Tensor saved = activation == Activation::kNone ? Tensor() : activation == Activation::kPrelu ? h : y;
  return record(std::move(y), {&x, &weight, &bias, &slope},
                [activation, saved_x, saved_weight, saved, saved_slope = slope.value(), trace, dx = x.slot(),
                 dweight = weight.slot(), dbias = bias.slot(), dslope = slope.slot()](Tensor dy) {
                  const Tensor dh = activation_backward(activation, saved, saved_slope, std::move(dy), dslope);  // [B, M]
                  if (trace != nullptr) *trace = {saved_x, dh};
                  if (dbias) dbias.accumulate(column_sum(dh));                        // [M]
                  if (dweight) dweight.accumulate_product(dh, saved_x, true, false);  // dh^T x: [M, N]
                  if (dx) dx.accumulate_product(dh, saved_weight, false, false);      // dh W: [B, N]
                });
}

Variable sparse_linear(const CsrMatrix& x, const Variable& weight, const Variable& bias, Activation activation) {
  check(activation != Activation::kPrelu, "sparse_linear: PReLU is not fused here");
  Tensor y = bias_activation(activation, csr_matmul(x, weight.value()), bias.value());  // [B, M]
  const Tensor saved = activation == Activation::kNone ? Tensor() : y;
  return record(std::move(y), {&weight, &bias}, [x, activation, saved, dweight = weight.slot(), dbias = bias.slot()](Tensor dy) {
    const Tensor dh = activation_backward(activation, saved, {}, std::move(dy), {});
    if (dbias) dbias.accumulate(column_sum(dh));
    if (dweight) dweight.accumulate_sparse_product(x, dh);  // X^T dh: [I, M]
  });
}

Variable sparse_matmul(const CsrMatrix& x, const Variable& w) {
  return record(csr_matmul(x, w.value()), {&w}, [x, dw = w.slot()](const Tensor& dy) { dw.accumulate_sparse_product(x, dy); });
}

Variable sparse_transpose_matmul(const CsrMatrix& x, const Variable& y) {
  return record(csr_transpose_matmul(x, y.value()), {&y},
                [x, dy = y.slot()](const Tensor& dz) { dy.accumulate(csr_matmul(x, dz)); });
}

Variable embedding(const Variable& table, const Tensor& index) {
  return record(gather_rows(table.value(), index), {&table},
                [index, dtable = table.slot(), shape = table.shape()](const Tensor& dy) {
                  scatter_add_rows(dy, index, dtable.writable(shape, dy.dtype(), dy.device()));
                });
}

namespace {

std::vector<Tensor> values_of(const std::vector<Variable>& parts) {
  std::vector<Tensor> values;
  for (const Variable& part : parts) values.push_back(part.value());
  return values;
}

/// What a concatenation keeps of a part: where its gradient goes, and how many rows or columns of the result are its own.
struct Part {
  GradientSlot gradient;
  std::int64_t size;
};
using Parts = std::vector<Part, PoolAllocator<Part>>;

template <typename Size>
Parts parts_of(const std::vector<Variable>& variables, const Size& size) {
  Parts parts;
  for (const Variable& variable : variables) parts.push_back({variable.slot(), size(variable.value())});
  return parts;
}

/// share(begin, end): what lies there of the result's gradient.
template <typename Share>
void hand_out(const Parts& parts, const Share& share) {
  std::int64_t at = 0;
  for (const auto& [gradient, size] : parts) {
    if (gradient) gradient.accumulate(share(at, at + size));
    at += size;
  }
}

/// A concatenation as one op. A constant part is as good as none: any part that needs a gradient makes the result need one.
/// record is given one such part alone, so that the others' tape is looked at here.
template <typename Backward>
Variable record_parts(Tensor value, const std::vector<Variable>& variables, Backward backward) {
  const Variable* needing = &variables.front();
  const Tape* tape = Tape::current();
  for (const Variable& variable : variables) {
    if (!variable.requires_grad()) continue;
    check(tape == nullptr || variable.slot().is_of(tape->serial()), "concatenation: a part of shape ", variable.shape(),
          " was recorded on another tape");
    needing = &variable;
  }
  return record(std::move(value), {needing}, std::move(backward));
}

}  // namespace

Variable concat_columns(const std::vector<Variable>& parts) {
  Tensor y = tapestry::concat_columns(values_of(parts));
  return record_parts(std::move(y), parts, [saved = parts_of(parts, [](const Tensor& x) { return x.cols(); })](const Tensor& dy) {
    hand_out(saved, [&](std::int64_t begin, std::int64_t end) { return tapestry::slice_columns(dy, begin, end); });
  });
}

Variable concat_rows(const std::vector<Variable>& parts) {
  Tensor y = tapestry::concat_rows(values_of(parts));
  return record_parts(std::move(y), parts,
                      [saved = parts_of(parts, [](const Tensor& x) { return x.size(0); })](const Tensor& dy) {
                        hand_out(saved, [&](std::int64_t begin, std::int64_t end) { return dy.slice_rows(begin, end); });
                      });
}

Variable slice_columns(const Variable& x, std::int64_t begin, std::int64_t end) {
  return record(tapestry::slice_columns(x.value(), begin, end), {&x},
                [begin, shape = x.shape(), dx = x.slot()](const Tensor& dy) {
                  add_to_columns(dy, dx.writable(shape, dy.dtype(), dy.device()), begin);
                });
}

Variable slice_rows(const Variable& x, std::int64_t begin, std::int64_t end) {
  return record(x.value().slice_rows(begin, end), {&x}, [begin, end, shape = x.shape(), dx = x.slot()](const Tensor& dy) {
    add_in_place(dx.writable(shape, dy.dtype(), dy.device()).slice_rows(begin, end), dy);
  });
}

Variable reshape(const Variable& x, const Shape& shape) {
  return record(x.value().reshape(shape), {&x},
                [from = x.shape(), dx = x.slot()](const Tensor& dy) { dx.accumulate(dy.reshape(from)); });
}

}  // namespace tapestry::autograd
