#include "autograd/tape.h"

#include <atomic>

namespace tapestry::autograd {
namespace {

thread_local Tape* current_tape = nullptr;
std::atomic<std::uint64_t> tapes_made = 0;

}  // namespace

Tape* Tape::current() { return current_tape; }

Tape::Tape() : serial_(++tapes_made), outer_(current_tape) { current_tape = this; }

Tape::~Tape() {
  current_tape = outer_;
  for (Record* record : records_) record->destroy();
}

void Tape::backward(const Variable& loss) {
  check(loss.value().numel() == 1, "backward: the loss has shape ", loss.shape(), "; pass a cotangent for more than one element");
  backward(loss, Tensor::full(loss.shape(), 1.0, loss.value().dtype(), loss.value().device()));
}

void Tape::backward(const Variable& output, Tensor cotangent) {
  check(output.requires_grad(),
        "backward: the output does not depend on any parameter recorded on this tape "
        "(was the tape made before the forward pass?)");
  check(!swept_, "backward: this tape was swept already");
  // Left in the slot of an output that no record here takes it from, the cotangent would be added to the next one there.
  check(output.slot().is_of(serial_), "backward: the output was recorded on another tape");
  const Tensor& value = output.value();
  check(cotangent.shape() == value.shape(), "backward: a cotangent ", cotangent.shape(), " for an output ", value.shape());
  check(cotangent.dtype() == value.dtype() && cotangent.device() == value.device(), "backward: a cotangent of ",
        cotangent.dtype(), " on ", cotangent.device(), " for an output of ", value.dtype(), " on ", value.device());
  swept_ = true;
  // What the backward closures compute must not be recorded in turn.
  const NoGrad no_grad;
  output.slot().accumulate(std::move(cotangent));
  for (auto record = records_.rbegin(); record != records_.rend(); ++record) {
    // A value that the output does not depend on never got a gradient. Taking the gradient out frees it, or lets the closure
    // write over it, as soon as it is used.
    if ((*record)->output.get().defined()) (*record)->run((*record)->output.take());
  }
}

NoGrad::NoGrad() : suspended_(current_tape) { current_tape = nullptr; }
NoGrad::~NoGrad() { current_tape = suspended_; }

}  // namespace tapestry::autograd
