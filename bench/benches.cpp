#include "bench/benches.h"

#include <cmath>
#include <iomanip>
#include <iostream>

#include "tensor/ops.h"

namespace tapestry::bench {

CsrMatrix random_rows(std::int64_t rows, std::int64_t cols, double density, std::uint64_t seed) {
  RandomSequence random({seed, Purpose::kTest, 0});
  std::vector<std::vector<std::int32_t>> lists(static_cast<std::size_t>(rows));
  for (std::vector<std::int32_t>& list : lists) {
    for (std::int32_t col = 0; col < cols; ++col) {
      // Popular items come first, as in real data: density falls with the item's rank.
      if (random.uniform() < 2 * density * (1 - static_cast<double>(col) / static_cast<double>(cols))) list.push_back(col);
    }
  }
  return CsrMatrix::from_rows(cols, lists);
}

void elementwise_rates() {
  const std::int64_t n = 1 << 22;
  const Tensor x = random_normal({n / 256, 256}, {1, Purpose::kTest, 5});
  const auto report = [&](const std::string& name, const std::function<void()>& work) {
    std::vector<double> times;
    for (int repeat = 0; repeat < 15; ++repeat) times.push_back(seconds(work));
    std::cout << "  " << std::left << std::setw(24) << name << std::right << std::fixed << std::setprecision(2) << std::setw(8)
              << 1e9 * median(times) / static_cast<double>(n) << " ns per element\n";
  };
  report("copy", [&] { x.clone(); });
  report("exp", [&] { unary(UnaryOp::kExp, x); });
  report("tanh", [&] { unary(UnaryOp::kTanh, x); });
  report("log-softmax", [&] { log_softmax(x); });
  report("uniform numbers", [&] { random_uniform(x.shape(), {1, Purpose::kTest, 6}, 0, 1); });
  report("normal numbers", [&] { random_normal(x.shape(), {1, Purpose::kTest, 6}); });
  report("dropout", [&] { dropout(x, 0.5, {1, Purpose::kTest, 6}); });
  // The same through the C library, one element at a time.
  report("exp, C library", [&] {
    Tensor y = Tensor::empty(x.shape());
    for (std::int64_t i = 0; i < n; ++i) y.data<float>()[i] = std::exp(x.data<float>()[i]);
  });
}

std::vector<Bench> all() {
  return {{"kernels", "the operations of training and sampling, one by one", kernels, true},
#ifdef TAPESTRY_BENCH_LIBRARIES
          {"libraries", "our CUDA kernels beside cuSPARSE's and CUB's", library_kernels, true},
#endif
          {"elementwise", "vectorised functions and random numbers", elementwise_rates},
          {"steps", "milliseconds of training steps, sampling, decoding and SVD (bench/pytorch has most)", sdrm_steps, true},
          {"recommenders", "training steps and epochs of MLP and NeuMF, ranking (bench/pytorch has the same)",
           [] {
             recommender_steps();
             recommender_epochs();
           },
           true}};
}

}  // namespace tapestry::bench
