#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <new>
#include <utility>
#include <vector>

#include "autograd/variable.h"

namespace tapestry::autograd {

/// Records operations while it lives and runs them backwards on request (reverse-mode differentiation by a Wengert list).
///
///     Tape tape;                       // from here on this thread records
///     Variable loss = model(x);
///     tape.backward(loss);             // parameters now hold their gradients
///
/// Without a tape nothing is recorded and nothing is saved: evaluation needs no special mode. Tapes nest; the innermost records.
/// Everything a tape holds lives in the host pool, so that a training loop allocates nothing once warm.
class Tape {
 public:
  Tape();
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;
  /// Tapes end in the reverse order of their beginnings, which blocks keep to and the heap would not.
  static void* operator new(std::size_t) = delete;

  /// Sweeps from `loss` (one element, gradient 1). Gradients of leaves add to what they hold; each record is used up: a tape
  /// is swept once, and a second call throws. So do a constant, a loss of several elements, and one that is neither an output
  /// recorded here nor a leaf: another tape's.
  void backward(const Variable& loss);
  /// The same from any output with the given cotangent of its shape and type, where it is.
  void backward(const Variable& output, Tensor cotangent);

  std::size_t records() const { return records_.size(); }
  /// Of all tapes of the process only this one's, from 1.
  std::uint64_t serial() const { return serial_; }

  /// The tape that records on this thread, or null.
  static Tape* current();

 private:
  friend class NoGrad;
  template <typename Backward>
  friend Variable record(Tensor, std::initializer_list<const Variable*>, Backward);

  /// One operation: its output's gradient and what to do with it.
  struct Record {
    GradientSlot output;
    explicit Record(GradientSlot slot) : output(std::move(slot)) {}
    Record(const Record&) = delete;
    Record& operator=(const Record&) = delete;
    virtual void run(Tensor gradient) = 0;
    virtual void destroy() noexcept = 0;

   protected:
    ~Record() = default;
  };

  template <typename Backward>
  struct RecordOf final : Record {  // NOLINT(cppcoreguidelines-virtual-class-destructor): destroy() is it
    Backward backward;
    RecordOf(GradientSlot slot, Backward closure) : Record(std::move(slot)), backward(std::move(closure)) {}
    void run(Tensor gradient) override { backward(std::move(gradient)); }
    void destroy() noexcept override {
      this->~RecordOf();
      pool_free(Device::kCpu, this, sizeof(RecordOf));
    }
  };

  template <typename Backward>
  void push(GradientSlot output, Backward backward) {
    void* place = pool_allocate(Device::kCpu, sizeof(RecordOf<Backward>));
    records_.push_back(new (place) RecordOf<Backward>(std::move(output), std::move(backward)));
  }

  std::vector<Record*, PoolAllocator<Record*>> records_;
  std::uint64_t serial_;
  Tape* outer_;
  bool swept_ = false;
};

/// Stops recording on this thread while it lives.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;
  static void* operator new(std::size_t) = delete;

 private:
  Tape* suspended_;
};

/// Ends every differentiable op: wraps `value` and, if a tape records and one of the inputs needs a gradient, keeps
/// backward(gradient of value) for the sweep. The closure owns what it needs: slots of the inputs, and only the tensors that its
/// formula reads. An undefined input is an absent option. Throws Error(kMisuse) for an input that another tape recorded: no sweep
/// would take the gradient on to what it was computed from.
template <typename Backward>
Variable record(Tensor value, std::initializer_list<const Variable*> inputs, Backward backward) {
  Tape* tape = Tape::current();
  bool needed = false;
  for (const Variable* input : inputs) needed = needed || input->requires_grad();
  if (tape == nullptr || !needed) return {std::move(value)};
  for (const Variable* input : inputs) {
    check(!input->requires_grad() || input->slot().is_of(tape->serial()), "record: an input of shape ", input->shape(),
          " was recorded on another tape");
  }
  GradientSlot slot = GradientSlot::on(tape->serial());
  tape->push(slot, std::move(backward));
  return {std::move(value), std::move(slot)};
}

}  // namespace tapestry::autograd
