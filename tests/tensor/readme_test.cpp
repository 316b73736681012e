// What tensor/README.md shows, compiled and run.
#include <gtest/gtest.h>

#include "tensor/csr.h"
#include "tensor/ops.h"
#include "tests/support/snippet.h"

namespace tapestry {
namespace {

TEST(TensorReadme, ShowsCodeThatRuns) {
  const std::string root = TAPESTRY_SOURCE_DIR;
  const std::vector<std::string> blocks = tests::code_blocks(root + "/tensor/README.md");
  EXPECT_EQ(blocks.size(), 2U);
  for (const std::string& block : blocks)
    EXPECT_TRUE(tests::is_compiled_in(block, root + "/tests/tensor/readme_test.cpp")) << block;
}

TEST(TensorReadme, Tensors) {
  const Tensor x = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  const Tensor bias = Tensor::full({3}, 0.5);
  const Tensor y = binary(BinaryOp::kAdd, x, bias);  // [2, 3]: the bias is added to each row
  const Tensor last = y.slice_rows(1, 2);            // shares y's storage
  const Tensor product = matmul(x, y, false, true);  // x y^T: [2, 2]
  const CsrMatrix seen = CsrMatrix::from_rows(3, {{0, 2}, {1}});
  const Tensor picked = csr_matmul(seen, y.reshape({3, 2}));  // [2, 3] sparse by [3, 2]
  EXPECT_EQ(last.span<float>()[2], 6.5f);
  EXPECT_EQ(product.span<float>()[0], 1 * 1.5f + 2 * 2.5f + 3 * 3.5f);
  EXPECT_EQ(picked.span<float>()[0], 1.5f + 5.5f);
}

TEST(TensorReadme, Streams) {
  const RandomStream stream = {/*seed=*/7, Purpose::kTest, /*step=*/0};
  const Tensor noise = random_normal({4, 100}, stream);
  const Tensor rows = Tensor::from<std::int32_t>({3, 1}, {2});
  const Tensor same = random_normal({2, 100}, stream, 0, 1, DType::kFloat32, Device::kCpu, rows);  // rows 3 and 1 of `noise`
  EXPECT_EQ(same.span<float>()[42], noise.span<float>()[342]);
}

}  // namespace
}  // namespace tapestry
