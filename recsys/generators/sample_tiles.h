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

/// Fills `made` [R, N] by tiles of `tile` rows, the last one shorter: compute(ids) gives the rows with these numbers, int32 [n],
/// as [n, N]. On a GPU whole tiles are repeated as a CUDA graph, so compute keeps to what tensor/step_graph.h asks of a step.
template <typename Compute>
void sample_tiles(const Tensor& made, std::int64_t tile, const Compute& compute, const std::function<void(double)>& progress) {
  const std::int64_t rows = made.rows(), most = std::min(tile, rows);
  const Tensor next = row_numbers(0, most, made.device());
  const Tensor of_tile = Tensor::empty({most, made.cols()}, made.dtype(), made.device());
  StepGraph graph(made.device());
  for (std::int64_t begin = 0; begin < rows; begin += tile) {
    const std::int64_t count = std::min(tile, rows - begin);
    graph.run(count, [&] {
      copy_into(of_tile.slice_rows(0, count), compute(next.slice_rows(0, count)));
      add_integer(next, static_cast<std::int32_t>(tile));
    });
    copy_into(made.slice_rows(begin, begin + count), of_tile.slice_rows(0, count));
    if (progress) progress(static_cast<double>(begin + count) / static_cast<double>(rows));
  }
}

}  // namespace tapestry::recsys
