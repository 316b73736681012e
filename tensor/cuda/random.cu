#include "tensor/cuda/launch.cuh"
#include "tensor/kernels.h"
#include "tensor/philox.h"

namespace tapestry {
namespace {

/// Four numbers of a row, 16 columns apart: what one Philox block gives.
struct Numbers {
  float value[4];
};

__device__ Numbers uniforms(const philox::Words& words) {
  return {{philox::uniform(words.word[0]), philox::uniform(words.word[1]), philox::uniform(words.word[2]),
           philox::uniform(words.word[3])}};
}

__device__ Numbers normals(const philox::Words& words) {
  const philox::Pair low = philox::normal_pair(words.word[0], words.word[1]);
  const philox::Pair high = philox::normal_pair(words.word[2], words.word[3]);
  return {{low.first, low.second, high.first, high.second}};
}

/// body(row, words, first column) for every Philox block that a matrix with `cols` columns needs, one thread each.
template <typename Body>
void for_philox_blocks(std::int64_t rows, std::int64_t cols, const RandomStream& stream, const std::int32_t* row_ids,
                       const Body& body) {
  const std::int64_t per_row = (cols + philox::kGroup - 1) / philox::kGroup * philox::kBlocksPerGroup;
  cuda::for_each(rows * per_row, [=] __device__(std::int64_t i) {
    const auto [row, block] = cuda::place_of(i, per_row);
    const std::int64_t first = block / philox::kBlocksPerGroup * philox::kGroup + block % philox::kBlocksPerGroup;
    if (first >= cols) return;
    const auto id = static_cast<std::uint32_t>(row_ids == nullptr ? row : row_ids[row]);
    body(row, first, philox::block(philox::counter(stream, id, static_cast<std::uint32_t>(block)), stream.seed));
  });
}

/// Stores numbers 16 columns apart, as far as there are columns.
template <typename T>
struct Affine {
  std::int64_t cols;
  T offset;
  T factor;
  T* y;

  __device__ void operator()(std::int64_t row, std::int64_t first, const Numbers& numbers) const {
    for (int i = 0; i < 4; ++i) {
      const std::int64_t col = first + i * philox::kBlocksPerGroup;
      if (col < cols) y[row * cols + col] = std::fma(factor, static_cast<T>(numbers.value[i]), offset);
    }
  }
};

template <typename T>
struct StoreUniforms {
  Affine<T> store;
  __device__ void operator()(std::int64_t row, std::int64_t first, const philox::Words& words) const {
    store(row, first, uniforms(words));
  }
};

template <typename T>
struct StoreNormals {
  Affine<T> store;
  __device__ void operator()(std::int64_t row, std::int64_t first, const philox::Words& words) const {
    store(row, first, normals(words));
  }
};

/// As they are, without Affine: what it adds would lose the sign of a zero.
template <typename T>
struct StoreGumbels {
  std::int64_t cols;
  T* y;

  __device__ void operator()(std::int64_t row, std::int64_t first, const philox::Words& words) const {
    for (int i = 0; i < 4; ++i) {
      const std::int64_t col = first + i * philox::kBlocksPerGroup;
      if (col < cols) y[row * cols + col] = static_cast<T>(philox::gumbel(words.word[i]));
    }
  }
};

template <typename T>
struct Drop {
  std::int64_t cols;
  const T* x;
  float p;
  T scale;
  T* y;

  __device__ void operator()(std::int64_t row, std::int64_t first, const philox::Words& words) const {
    for (int i = 0; i < 4; ++i) {
      const std::int64_t col = first + i * philox::kBlocksPerGroup;
      if (col >= cols) break;
      const std::int64_t at = row * cols + col;
      y[at] = philox::keeps(words.word[i], p) ? x[at] * scale : T(0);
    }
  }
};

}  // namespace

template <typename T>
void CudaKernels<T>::random_uniform(std::int64_t rows, std::int64_t cols, const RandomStream& stream, const std::int32_t* row_ids,
                                    T low, T high, T* y) {
  for_philox_blocks(rows, cols, stream, row_ids, StoreUniforms<T>{{cols, low, high - low, y}});
}

template <typename T>
void CudaKernels<T>::random_normal(std::int64_t rows, std::int64_t cols, const RandomStream& stream, const std::int32_t* row_ids,
                                   T mean, T deviation, T* y) {
  for_philox_blocks(rows, cols, stream, row_ids, StoreNormals<T>{{cols, mean, deviation, y}});
}

template <typename T>
void CudaKernels<T>::random_gumbel(std::int64_t rows, std::int64_t cols, const RandomStream& stream, const std::int32_t* row_ids,
                                   T* y) {
  for_philox_blocks(rows, cols, stream, row_ids, StoreGumbels<T>{cols, y});
}

template <typename T>
void CudaKernels<T>::dropout(std::int64_t rows, std::int64_t cols, const T* x, T p, const RandomStream& stream,
                             const std::int32_t* row_ids, T* y) {
  for_philox_blocks(rows, cols, stream, row_ids, Drop<T>{cols, x, static_cast<float>(p), T(1) / (T(1) - p), y});
}

template struct CudaKernels<float>;
template struct CudaKernels<double>;

}  // namespace tapestry
