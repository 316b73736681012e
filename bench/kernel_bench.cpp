// Times the operations that training and sampling live on, at the sizes of the paper's models.
#include <functional>
#include <iomanip>
#include <iostream>
#include <optional>

#include "bench/benches.h"
#include "bench/blas.h"
#include "bench/record.h"
#include "tensor/cuda/cuda_memory.h"
#include "tensor/ops.h"
#include "tensor/parallel.h"

namespace tapestry::bench {
namespace {

/// One operation, with the arithmetic it does and the bytes it has to read and write at least.
struct Operation {
  std::string name;
  double flops;
  double bytes;
  std::function<void()> run;
};

/// SDRM's score step at ml-100k/SVD: batches of 550 rows, three passes, K = 830; MultiVAE's at 780 users by 1,008 items, H = 930.
std::vector<Operation> operations(Device device) {
  constexpr RandomStream kStream = {1, Purpose::kTest, 1};
  const auto random = [=](const Shape& shape, std::uint32_t step) {
    return random_normal(shape, kStream.at(step), 0, 1, DType::kFloat32, device);
  };
  const Tensor x = random({1650, 830}, 1);
  const Tensor y = random({1650, 830}, 8);
  const Tensor w = random({830, 830}, 2);
  const Tensor z0 = random({550, 830}, 3);
  const Tensor bias = random({830}, 4);
  const Tensor logits = random({780, 1008}, 5);
  const Tensor hidden = random({780, 930}, 6);
  const Tensor encoder = random({1008, 930}, 7);
  std::vector<std::vector<std::int32_t>> rows(780);
  RandomSequence sequence(kStream);
  for (std::vector<std::int32_t>& row : rows) {
    for (std::int32_t col = 0; col < 1008; ++col) {
      if (sequence.below(1000) < 57) row.push_back(col);
    }
  }
  const CsrMatrix users = CsrMatrix::from_rows(1008, rows).to(device);
  const auto nnz = static_cast<double>(users.nnz());
  const std::vector<std::int64_t> lengths(780, 57);
  const double rows_k = 1650.0 * 830;
  return {
      {"matmul [1650, 830] x [830, 830]^T", 2 * rows_k * 830, 4 * (2 * rows_k + 830.0 * 830), [=] { matmul(x, w, false, true); }},
      {"matmul [1650, 830]^T x [1650, 830]", 2 * rows_k * 830, 4 * (2 * rows_k + 830.0 * 830),
       [=] { matmul(x, x, true, false); }},
      {"add [1650, 830]", rows_k, 12 * rows_k, [=] { binary(BinaryOp::kAdd, x, y); }},
      {"tanh [1650, 830]", rows_k, 8 * rows_k, [=] { unary(UnaryOp::kTanh, x); }},
      {"bias and tanh in place [1650, 830]", rows_k, 8 * rows_k, [=] { bias_activation(Activation::kTanh, x, bias, Tensor()); }},
      {"dropout [1650, 830]", rows_k, 8 * rows_k, [=] { dropout(x, 0.5, kStream); }},
      {"normal numbers [550, 830]", rows_k / 3, 4 * rows_k / 3, [=] { random(z0.shape(), 8); }},
      {"column sums [1650, 830]", rows_k, 4 * rows_k, [=] { column_sum(x); }},
      {"score matching [550, 830]", 4 * rows_k, 4 * (rows_k + rows_k / 3), [=] { score_matching(x, z0, 1e4); }},
      {"log-softmax [780, 1008]", 3 * 780.0 * 1008, 8 * 780.0 * 1008, [=] { log_softmax(logits); }},
      {"multinomial loss [780, 1008]", 2 * 780.0 * 1008, 4 * (780.0 * 1008 + nnz), [=] { multinomial_nll(logits, users); }},
      {"output layer and loss [780, 930] x [1008, 930]^T", 2 * 780.0 * 1008 * 930,
       4 * (780.0 * 930 + 1008.0 * 930 + 2 * 780.0 * 1008),
       [=] { linear_multinomial_nll(hidden, encoder, Tensor::zeros({1008}, DType::kFloat32, device), users); }},
      {"sparse [780, 1008] x [1008, 930]", 2 * nnz * 930, 4 * (1008.0 * 930 + 780.0 * 930 + nnz),
       [=] { csr_matmul(users, encoder); }},
      {"sparse [780, 1008]^T x [780, 930]", 2 * nnz * 930, 4 * (1008.0 * 930 + 780.0 * 930 + nnz),
       [=] { csr_transpose_matmul(users, hidden); }},
      {"best 50 of each row, some masked [780, 1008]", 780.0 * 1008, 4 * (780.0 * 1008 + nnz + 780 * 50),
       [=] { rank_rows(logits, users, 50); }},
      {"best 57 of each row as ones [780, 1008]", 780.0 * 1008, 4 * 780.0 * 1008, [=] { top_lengths_rows(logits, lengths); }},
      {"first of 786,240 that is not finite", 780.0 * 1008, 4 * 780.0 * 1008, [=] { first_not_finite(logits); }},
      {"39,312th largest of 786,240", 780.0 * 1008, 4 * 780.0 * 1008, [=] { kth_largest(logits, 39312); }},
      {"ones at the largest 2 % of 786,240", 780.0 * 1008, 4 * (780.0 * 1008 + 0.02 * 780 * 1008),
       [=] {
         const AtLeast found = count_at_least(logits, 1, 2);
         const Tensor places = Tensor::empty({found.count}, DType::kInt64, device);
         take_at_least(logits, found, {}, 0, {}, places);
         places_to_csr(780, 1008, places);
       }},
  };
}

/// The first of them by a BLAS, which shows what our own product is worth on this processor. Nothing where there is none.
std::optional<Operation> product_by_blas() {
  const std::int64_t m = 1650, n = 830, k = 830;
  const Tensor x = random_normal({m, k}, {1, Purpose::kTest, 1});
  const Tensor w = random_normal({n, k}, {1, Purpose::kTest, 2});
  const Tensor y = Tensor::empty({m, n});
  const auto run = [=] { return blas_product(m, n, k, x.data<float>(), w.data<float>(), y.data<float>(), num_threads()); };
  if (!run()) return std::nullopt;
  return Operation{"matmul [1650, 830] x [830, 830]^T, " + blas_name(), 2 * 1650.0 * 830 * 830,
                   4 * (2 * 1650.0 * 830 + 830.0 * 830), run};
}

}  // namespace

std::vector<double> call_seconds(const std::function<void()>& run) {
  const auto batch_of = [&](int calls) {
    cuda_synchronize();
    return seconds([&] {
             for (int call = 0; call < calls; ++call) run();
             cuda_synchronize();
           }) /
           calls;
  };
  batch_of(1);
  const int calls = batch_of(1) > 0.01 ? 1 : 20;
  batch_of(1);
  std::vector<double> times;
  while (!enough(times, 15)) times.push_back(batch_of(calls));
  return times;
}

void kernels() {
  std::vector<Operation> timed = operations(record().device);
  if (record().device == Device::kCpu) {
    // Behind all of ours: a BLAS's threads may look out for work a while longer, and would slow what comes next.
    if (const auto by_blas = product_by_blas()) timed.push_back(*by_blas);
  }
  std::cout << std::fixed;
  for (const Operation& operation : timed) {
    std::vector<double> times;
    record().attempt(operation.name, [&] { times = call_seconds(operation.run); });
    if (times.empty()) continue;
    const double time = 1e6 * median(times);
    std::cout << "  " << std::left << std::setw(58) << operation.name << std::right << std::setprecision(1) << std::setw(9)
              << time << " us " << std::setprecision(0) << std::setw(8) << 1e-3 * operation.flops / time << " GFLOP/s "
              << std::setw(6) << 1e-3 * operation.bytes / time << " GB/s" << std::endl;
    record().add({.part = "kernels",
                  .name = operation.name,
                  .seconds = 1e-6 * time,
                  .times = static_cast<int>(times.size()),
                  .work = {operation.flops, operation.bytes}});
  }
}

}  // namespace tapestry::bench
