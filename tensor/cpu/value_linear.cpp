#include <algorithm>
#include <cmath>

#include "tensor/cpu/loops.h"
#include "tensor/update_factors.h"

namespace tapestry {
namespace {

/// Columns that are added up at a time: a few vector registers.
constexpr std::int64_t kTile = 64;

/// out[j] += sum_k factor(k) w[k, j] for `count` columns; rows of w are `stride` apart.
template <typename T, typename Factor>
void add_weighted_rows(std::int64_t width, const Factor& factor, const T* w, std::int64_t stride, std::int64_t count, T* out) {
  for (std::int64_t k = 0; k < width; ++k) {
    const T weight = factor(k);
    const T* in = w + k * stride;
#pragma omp simd
    for (std::int64_t j = 0; j < count; ++j) out[j] += weight * in[j];
  }
}

/// The same for all n columns, tile by tile: a tile's sums stay in registers while the K rows pass.
template <typename T, typename Factor>
void add_weighted(std::int64_t width, std::int64_t n, const Factor& factor, const T* w, T* out) {
  std::int64_t begin = 0;
  for (; begin + kTile <= n; begin += kTile) {
    T sums[kTile];
    std::copy_n(out + begin, kTile, sums);
    add_weighted_rows(width, factor, w + begin, n, kTile, sums);
    std::copy_n(sums, kTile, out + begin);
  }
  add_weighted_rows(width, factor, w + begin, n, n - begin, out + begin);
}

template <typename T>
T dot(std::int64_t n, const T* a, const T* b) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t j = 0; j < n; ++j) sum += a[j] * b[j];
  return sum;
}

}  // namespace

template <typename T>
void CpuKernels<T>::value_linear(const CsrView<T>& x, std::int64_t width, std::int64_t n, const T* table, const T* w,
                                 const T* total, T* y) {
  const auto base = [=](std::int64_t k) { return table[k]; };
  const auto extra = [=](std::int64_t k) { return table[width + k] - table[k]; };
#pragma omp parallel for schedule(dynamic, 1) if (x.offsets[x.rows] * width * n >= kParallelElements)
  for (std::int64_t row = 0; row < x.rows; ++row) {
    T* out = y + row * n;
    std::fill_n(out, n, T(0));
    for (std::int64_t at = x.offsets[row]; at < x.offsets[row + 1]; ++at) {
      add_weighted(width, n, extra, w + x.columns[at] * width * n, out);
    }
    add_weighted(width, n, base, total, out);
  }
}

template <typename T>
void CpuKernels<T>::value_linear_backward(const CsrView<T>& x, std::int64_t width, std::int64_t n, const T* w, const T* dy,
                                          T* by_row) {
#pragma omp parallel for schedule(dynamic, 1) if (x.offsets[x.rows] * width * n >= kParallelElements)
  for (std::int64_t row = 0; row < x.rows; ++row) {
    T* sums = by_row + row * width;
    std::fill_n(sums, width, T(0));
    for (std::int64_t at = x.offsets[row]; at < x.offsets[row + 1]; ++at) {
      const T* item = w + x.columns[at] * width * n;
      for (std::int64_t k = 0; k < width; ++k) sums[k] += dot(n, item + k * n, dy + row * n);
    }
  }
}

template <typename T>
void CpuKernels<T>::value_linear_adam(std::int64_t items, std::int64_t width, std::int64_t n, const T* table, const T* all,
                                      const T* seen, const T* factors, T* w, T* first, T* second, T* total, T* workspace) {
  const AdamFactors<T> f = *reinterpret_cast<const AdamFactors<T>*>(factors);
  const std::int64_t blocks = value_blocks(items);
  const std::int64_t size = width * n;
  // One pass over w and its moments: the gradient is made on the way and never stored, and the sums of the new values that the
  // next forward pass needs are taken while these are at hand.
#pragma omp parallel for schedule(static) if (items * size >= kParallelElements)
  for (std::int64_t block = 0; block < blocks; ++block) {
    T* sums = workspace + block * size;
    std::fill_n(sums, size, T(0));
    for (std::int64_t i = block * kValueBlock; i < std::min(items, (block + 1) * kValueBlock); ++i) {
      const T* own = seen + i * n;
      for (std::int64_t k = 0; k < width; ++k) {
        const T base = table[k];
        const T extra = table[width + k] - table[k];
        T* value = w + i * size + k * n;
        T* m = first + i * size + k * n;
        T* v = second + i * size + k * n;
        T* sum = sums + k * n;
#pragma omp simd
        for (std::int64_t j = 0; j < n; ++j) {
          // adam_prepared's formula (tensor/cpu/update.cpp) without its weight decay, written out: how a compiler joins its terms
          // depends on the loop they stand in, and each of the two keeps its bits.
          const T gradient = base * all[j] + extra * own[j];
          const T moment1 = f.beta1 * m[j] + f.rest1 * gradient;
          const T moment2 = f.beta2 * v[j] + f.rest2 * gradient * gradient;
          m[j] = moment1;
          v[j] = moment2;
          value[j] -= f.rate * moment1 / (std::sqrt(moment2) * f.root2 + f.epsilon);
          sum[j] += value[j];
        }
      }
    }
  }
  for_column_ranges(size, blocks * size, [=](std::int64_t begin, std::int64_t end) {
    std::fill(total + begin, total + end, T(0));
    for (std::int64_t block = 0; block < blocks; ++block) {
      for (std::int64_t at = begin; at < end; ++at) total[at] += workspace[block * size + at];
    }
  });
}

template struct CpuKernels<float>;
template struct CpuKernels<double>;

}  // namespace tapestry
