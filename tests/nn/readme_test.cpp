// The example of nn/README.md.
#include <gtest/gtest.h>

#include <filesystem>

#include "nn/layers.h"
#include "nn/safetensors.h"
#include "tests/support/snippet.h"
#include "tests/support/temp_folder.h"

namespace tapestry {
namespace {

TEST(NnReadmeTest, ExampleWorks) {
  const tests::TempFolder folder;
  const std::filesystem::path path = folder.path() / "model.safetensors";
  // clang-format off: as wide as the document
  nn::Initializer init(/*seed=*/1);
  nn::Sequential model;
  model.add<nn::Linear>(8, 16, init, Activation::kTanh);  // parameters "0.weight" [16, 8] and "0.bias" [16]
  model.add<nn::Dropout>(0.5);
  model.add<nn::Linear>(16, 1, init);  // "2.weight", "2.bias"

  const Tensor x = Tensor::full({4, 8}, 0.5);
  const autograd::Variable trained = model.forward(x, RandomStream{1, Purpose::kTest, /*step=*/0});  // drops units
  const autograd::Variable y = model.forward(x);  // without a stream nothing is random: evaluation

  nn::save_module(model, path, {{"made by", "README.md"}});
  nn::Sequential copy;
  nn::Initializer other(2);
  copy.add<nn::Linear>(8, 16, other, Activation::kTanh);
  copy.add<nn::Dropout>(0.5);
  copy.add<nn::Linear>(16, 1, other);
  nn::load_module(copy, path);  // throws unless names, shapes and types are the model's
  // clang-format on
  EXPECT_EQ(model.named_parameters()[2].name, "2.weight");
  for (std::int64_t row = 0; row < 4; ++row) {
    EXPECT_EQ(copy.forward(x).value().data<float>()[row], y.value().data<float>()[row]);
    EXPECT_NE(trained.value().data<float>()[row], y.value().data<float>()[row]);
  }
}

TEST(NnReadmeTest, ShowsThisExample) {
  const auto blocks = tests::code_blocks(TAPESTRY_SOURCE_DIR "/nn/README.md");
  ASSERT_EQ(blocks.size(), 1u);
  EXPECT_TRUE(tests::is_compiled_in(blocks[0], TAPESTRY_SOURCE_DIR "/tests/nn/readme_test.cpp"));
  EXPECT_FALSE(tests::is_compiled_in(blocks[0] + "x\n", TAPESTRY_SOURCE_DIR "/tests/nn/readme_test.cpp"));
}

}  // namespace
}  // namespace tapestry
