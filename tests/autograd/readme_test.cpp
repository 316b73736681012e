// What autograd/README.md shows, compiled and run.
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/elementwise.h"
#include "autograd/gradient_check.h"
#include "autograd/loss.h"
#include "autograd/matrix.h"
#include "autograd/reduction.h"
#include "autograd/tape.h"
#include "tests/support/snippet.h"

namespace tapestry::autograd {
namespace {

TEST(AutogradReadme, ShowsCodeThatRuns) {
  const std::string root = TAPESTRY_SOURCE_DIR;
  const std::vector<std::string> blocks = tests::code_blocks(root + "/autograd/README.md");
  ASSERT_EQ(blocks.size(), 3U);
  EXPECT_TRUE(tests::is_compiled_in(blocks[0], root + "/tests/autograd/readme_test.cpp")) << blocks[0];
  EXPECT_TRUE(tests::is_compiled_in(blocks[1], root + "/autograd/elementwise.cpp")) << blocks[1];
  EXPECT_TRUE(tests::is_compiled_in(blocks[2], root + "/tests/autograd/readme_test.cpp")) << blocks[2];
}

TEST(AutogradReadme, Example) {
  const Variable weight = Variable::parameter(random_normal({3, 5}, {7, Purpose::kTest, 0}));
  const Tensor x = random_normal({8, 5}, {7, Purpose::kTest, 1});
  const Tensor target = random_normal({8, 3}, {7, Purpose::kTest, 2});

  Tape tape;                                                             // from here on this thread records
  const Variable h = linear(x, weight, /*bias=*/{}, Activation::kTanh);  // a Tensor is a constant
  const Variable loss = mse(h, target);
  tape.backward(loss);
  const Tensor& gradient = weight.gradient();  // [3, 5]; stays until clear_gradient()
  EXPECT_EQ(gradient.shape(), Shape({3, 5}));
  EXPECT_TRUE(std::isfinite(sum(gradient).item()));
}

TEST(AutogradReadme, Check) {
  const Tensor x = random_normal({4, 3}, {7, Purpose::kTest, 0}, 0, 1, DType::kFloat64);
  const GradientCheck result = check_gradients([](const std::vector<Variable>& in) { return square(in[0]); }, {x});
  EXPECT_TRUE(result.within(1e-6)) << result.location;
}

}  // namespace
}  // namespace tapestry::autograd
