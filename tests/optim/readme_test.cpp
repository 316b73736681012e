// The examples of optim/README.md, and its rules for what is forgotten.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>

#include "autograd/loss.h"
#include "autograd/matrix.h"
#include "autograd/reduction.h"
#include "autograd/tape.h"
#include "nn/safetensors.h"
#include "optim/adam.h"
#include "optim/schedule.h"
#include "optim/sgd.h"
#include "tests/support/snippet.h"
#include "tests/support/temp_folder.h"

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

autograd::Variable one(double value) { return autograd::Variable::parameter(Tensor::full({1}, value)); }

/// A sweep that leaves the gradient 1.
void sweep(const autograd::Variable& w) {
  autograd::Tape tape;
  tape.backward(autograd::sum(w));
}

TEST(OptimReadmeTest, AStateComesBackFromAFile) {
  const tests::TempFolder folder;
  const std::filesystem::path path = folder.path() / "adam.safetensors";
  const autograd::Variable w = one(2), v = one(2);
  optim::Adam adam({w}), continued({v});
  sweep(w);
  adam.step(0.1);
  // clang-format off: as wide as the document
  nn::TensorFile file;
  for (const auto& [name, moment] : adam.state()) file.tensors[name] = moment;
  file.metadata["steps"] = std::to_string(adam.steps());
  nn::save_tensors(path, file);

  const nn::TensorFile kept = nn::load_tensors(path);
  continued.load_state({kept.tensors.begin(), kept.tensors.end()}, std::stoll(kept.metadata.at("steps")));
  // clang-format on
  EXPECT_EQ(continued.steps(), 1);
  copy_into(v.value(), w.value());  // the parameters are the model's to save
  for (const autograd::Variable& parameter : {w, v}) {
    parameter.clear_gradient();
    sweep(parameter);
  }
  adam.step(0.1);
  continued.step(0.1);
  EXPECT_EQ(v.value().item(), w.value().item());
}

TEST(OptimReadmeTest, WithoutASweepAStepCountsAndChangesNothing) {
  const autograd::Variable w = one(2);
  optim::Adam adam({w}, {.decoupled = 0.5});
  adam.clear_gradients();
  adam.step(0.1);
  EXPECT_EQ(w.value().item(), 2);
  EXPECT_EQ(adam.steps(), 1);
}

TEST(OptimReadmeTest, AGradientThatIsNotClearedAppliesAgain) {
  const autograd::Variable w = one(2);
  optim::Sgd sgd({w});
  sweep(w);
  sgd.step(0.25);
  sgd.step(0.25);  // no sweep in between
  EXPECT_EQ(w.value().item(), 1.5);
  sweep(w);  // on top of the old one
  EXPECT_EQ(w.gradient().item(), 2);
}

TEST(OptimReadmeTest, ShowsTheseExamples) {
  const auto blocks = tests::code_blocks(TAPESTRY_SOURCE_DIR "/optim/README.md");
  ASSERT_EQ(blocks.size(), 2u);
  EXPECT_TRUE(tests::is_compiled_in(blocks[0], TAPESTRY_SOURCE_DIR "/tests/optim/readme_test.cpp"));
  EXPECT_TRUE(tests::is_compiled_in(blocks[1], TAPESTRY_SOURCE_DIR "/tests/optim/readme_test.cpp"));
}

}  // namespace
}  // namespace tapestry
