// A training step asks for no memory once it is warm: neither the pool from the system, nor anything by operator new.
#include <gtest/gtest.h>

#include <new>
#include <vector>

#include "autograd/loss.h"
#include "autograd/tape.h"
#include "nn/layers.h"
#include "optim/adam.h"
#include "tensor/memory.h"
#include "tests/support/counted_new.h"
#include "tests/support/device.h"
#include "tests/support/random_data.h"

namespace tapestry::optim {
namespace {

using tests::counted_new;
using tests::test_device;

class AllocationTest : public tests::DeviceTest {};

/// Runs five steps to get warm, then counts what five more ask for.
template <typename Step>
void expect_no_allocation(const Step& step) {
  for (std::uint32_t i = 0; i < 5; ++i) step(i);
  const std::int64_t host = pool_stats(Device::kCpu).system_allocations;
  const std::int64_t device = pool_stats(test_device()).system_allocations;
  const std::int64_t before = counted_new();
  for (std::uint32_t i = 5; i < 10; ++i) step(i);
  const std::int64_t after = counted_new();
  EXPECT_EQ(after - before, 0) << "calls of operator new in five steps";
  EXPECT_EQ(pool_stats(Device::kCpu).system_allocations, host);
  EXPECT_EQ(pool_stats(test_device()).system_allocations, device);
}

/// Every form is called by its name: a vector that nobody reads may be left out, as Clang does.
TEST_F(AllocationTest, TheCounterCountsEveryForm) {
  constexpr std::align_val_t kAlignment{256};
  const std::int64_t before = counted_new();
  ::operator delete(::operator new(100));
  EXPECT_EQ(counted_new() - before, 1);
  ::operator delete[](::operator new[](100));
  EXPECT_EQ(counted_new() - before, 2);
  ::operator delete(::operator new(100, std::nothrow));
  EXPECT_EQ(counted_new() - before, 3);
  ::operator delete[](::operator new[](100, std::nothrow));
  EXPECT_EQ(counted_new() - before, 4);
  ::operator delete(::operator new(100, kAlignment), kAlignment);
  EXPECT_EQ(counted_new() - before, 5);
  ::operator delete[](::operator new[](100, kAlignment), kAlignment);
  EXPECT_EQ(counted_new() - before, 6);
}

TEST_F(AllocationTest, DenseTrainingStep) {
  nn::Initializer init(1, DType::kFloat32, test_device());
  nn::Sequential model;
  model.add<nn::Linear>(30, 20, init, Activation::kPrelu);
  model.add<nn::Dropout>(0.5);
  model.add<nn::Linear>(20, 20, init, Activation::kTanh);
  model.add<nn::Linear>(20, 10, init);
  Adam adam(model.parameters(), {.l2 = 0.01});
  const Tensor x = tests::random_tensor({64, 30}, 2, -1, 1, DType::kFloat32, test_device());
  const Tensor y = tests::random_tensor({64, 10}, 3, -1, 1, DType::kFloat32, test_device());
  expect_no_allocation([&](std::uint32_t step) {
    adam.clear_gradients();
    autograd::Tape tape;
    tape.backward(autograd::mse(model.forward(x, RandomStream{1, Purpose::kTest, step}), y));
    clip_gradient_norm(adam.parameters(), 0.1);
    adam.step(0.01);
  });
}

// As MultiVAE takes its batches: rows of a sparse matrix, normalised, with dropout, against the multinomial likelihood.
TEST_F(AllocationTest, SparseTrainingStep) {
  nn::Initializer init(1, DType::kFloat32, test_device());
  const nn::SparseLinear encoder(50, 20, init, Activation::kTanh, nn::LinearInit::kMultiVae);
  const nn::Linear decoder(20, 50, init);
  std::vector<autograd::Variable> parameters = encoder.parameters();
  for (const autograd::Variable& parameter : decoder.parameters()) parameters.push_back(parameter);
  Adam adam(std::move(parameters));
  const CsrMatrix users = tests::random_csr(200, 50, 4, false, DType::kFloat32, Device::kCpu);
  const std::vector<std::int32_t> rows = tests::random_indices(32, 200, 5);
  expect_no_allocation([&](std::uint32_t step) {
    adam.clear_gradients();
    const CsrMatrix batch = users.gather_rows(rows).to(test_device());
    const CsrMatrix input = dropout(normalize_rows(batch, DType::kFloat32), 0.5, {1, Purpose::kTest, step});
    autograd::Tape tape;
    tape.backward(autograd::multinomial_nll(decoder.forward(encoder.forward(input)), batch));
    adam.step(0.01);
  });
}

}  // namespace
}  // namespace tapestry::optim
