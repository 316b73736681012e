// The example of optim/README.md.
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/loss.h"
#include "autograd/matrix.h"
#include "autograd/tape.h"
#include "optim/adam.h"
#include "optim/schedule.h"
#include "tests/support/snippet.h"

namespace tapestry {
namespace {

TEST(OptimReadmeTest, ExampleWorks) {
  const autograd::Variable w = autograd::Variable::parameter(Tensor::zeros({2, 1}));
  const Tensor x = Tensor::from<float>({1, 0, 0, 1, 1, 1}, {3, 2});
  const Tensor y = Tensor::from<float>({2, -1, 1}, {3, 1});  // x times (2, -1)

  optim::Adam adam({w}, {.decoupled = 1e-4});
  for (int step = 0; step < 300; ++step) {
    adam.clear_gradients();
    autograd::Tape tape;  // records until the end of the scope
    const autograd::Variable loss = autograd::mse(autograd::matmul(x, w), y);
    tape.backward(loss);
    optim::clip_gradient_norm(adam.parameters(), 5.0);
    adam.step(optim::cosine_rate(0.1, step, 300));
  }
  EXPECT_FALSE(!(std::abs(w.value().data<float>()[0] - 2) <= 1e-2)) << w.value().data<float>()[0];
  EXPECT_FALSE(!(std::abs(w.value().data<float>()[1] + 1) <= 1e-2)) << w.value().data<float>()[1];
}

TEST(OptimReadmeTest, ShowsThisExample) {
  const auto blocks = tests::code_blocks(TAPESTRY_SOURCE_DIR "/optim/README.md");
  ASSERT_EQ(blocks.size(), 1u);
  EXPECT_TRUE(tests::is_compiled_in(blocks[0], TAPESTRY_SOURCE_DIR "/tests/optim/readme_test.cpp"));
}

}  // namespace
}  // namespace tapestry
