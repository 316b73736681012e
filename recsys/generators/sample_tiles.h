#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>

#include "tensor/memory.h"
#include "tensor/ops.h"
#include "tensor/step_graph.h"

namespace tapestry::recsys {

/// int32 [end - begin] on the device: begin, begin + 1, ...
inline Tensor row_numbers(std::int64_t begin, std::int64_t end, Device device) {
  const Tensor ids = Tensor::empty({end - begin}, DType::kInt32);
  std::iota(ids.span<std::int32_t>().begin(), ids.span<std::int32_t>().end(), static_cast<std::int32_t>(begin));
  return ids.to(device);
}

/// Makes `rows` rows by tiles of T, the last one shorter, in of_tile [T, N], T <= rows: compute(ids) gives the rows with these
/// numbers, int32 [n], as [n, N]; take(end, tile) is then handed them, the last being row end - 1, before the next tile is
/// written over them. On a GPU whole tiles are repeated as a CUDA graph, so compute keeps to what tensor/step_graph.h asks of a
/// step.
template <typename Compute, typename Take>
void for_sampled_tiles(std::int64_t rows, const Tensor& of_tile, const Compute& compute, const Take& take) {
  const std::int64_t most = of_tile.rows();
  const Tensor next = row_numbers(0, most, of_tile.device());
  StepGraph graph(of_tile.device());
  for (std::int64_t begin = 0; begin < rows; begin += most) {
    const std::int64_t count = std::min(most, rows - begin);
    const Tensor tile = of_tile.slice_rows(0, count);
    graph.run(count, [&] {
      copy_into(tile, compute(next.slice_rows(0, count)));
      add_integer(next, static_cast<std::int32_t>(most));
    });
    take(begin + count, tile);
  }
}

/// Fills `made` [R, N] by tiles of `tile` rows, the last one shorter: compute(ids) as above.
template <typename Compute>
void sample_tiles(const Tensor& made, std::int64_t tile, const Compute& compute, const std::function<void(double)>& progress) {
  const std::int64_t rows = made.rows();
  const Tensor of_tile = Tensor::empty({std::min(tile, rows), made.cols()}, made.dtype(), made.device());
  for_sampled_tiles(rows, of_tile, compute, [&](std::int64_t end, const Tensor& part) {
    copy_into(made.slice_rows(end - part.rows(), end), part);
    if (progress) progress(static_cast<double>(end) / static_cast<double>(rows));
  });
}

}  // namespace tapestry::recsys
