#include "tensor/category_rows.h"
#include "tensor/cuda/reduce.cuh"
#include "tensor/kernels.h"

namespace tapestry {
namespace {

using cuda::block_reduce;
using cuda::for_each;
using cuda::for_rows;
using cuda::place_of;

using category::category_row;
using category::difference_row;
using category::largest_of_three;
using category::Planes;
using category::Shares;
using category::softmax_of_three;

}  // namespace

template <typename T>
void CudaKernels<T>::category_softmax(std::int64_t rows, const CategoryPlanes& planes, const T* d, const T* noise, T temperature,
                                      T* y) {
  const T inverse = T(1) / temperature;
  for_each(rows * planes.columns, [=] __device__(std::int64_t i) {
    const auto [row, j] = place_of(i, planes.columns);
    const Planes<const T> in = difference_row(planes, d, row);
    const Planes<const T> g = category_row(planes, noise, row);
    const Planes<T> out = category_row(planes, y, row);
    if (j >= planes.two) {
      out.zero[j] = T(1);
      return;
    }
    const T a = (in.one[j] + g.one[j] - g.zero[j]) * inverse;
    if (j >= planes.three) {
      out.zero[j] = scalar::sigmoid(-a);
      out.one[j] = scalar::sigmoid(a);
      return;
    }
    const Shares<T> p = softmax_of_three(a, (in.two[j] + g.two[j] - g.zero[j]) * inverse);
    out.zero[j] = p.zero;
    out.one[j] = p.one;
    out.two[j] = p.two;
  });
}

template <typename T>
void CudaKernels<T>::category_softmax_backward(std::int64_t rows, const CategoryPlanes& planes, const T* y, const T* dy,
                                               T temperature, T* dd) {
  const T inverse = T(1) / temperature;
  for_each(rows * planes.two, [=] __device__(std::int64_t i) {
    const auto [row, j] = place_of(i, planes.two);
    const Planes<const T> p = category_row(planes, y, row);
    const Planes<const T> up = category_row(planes, dy, row);
    const Planes<T> out = difference_row(planes, dd, row);
    if (j >= planes.three) {
      // dy_1 - <y, dy> = y_0 (dy_1 - dy_0), without the cancellation
      out.one[j] = inverse * p.one[j] * p.zero[j] * (up.one[j] - up.zero[j]);
      return;
    }
    const T mean = p.zero[j] * up.zero[j] + p.one[j] * up.one[j] + p.two[j] * up.two[j];
    out.one[j] = inverse * p.one[j] * (up.one[j] - mean);
    out.two[j] = inverse * p.two[j] * (up.two[j] - mean);
  });
}

template <typename T>
void CudaKernels<T>::category_cross_entropy(std::int64_t rows, const CategoryPlanes& planes, const T* d, const CsrView<T>& target,
                                            T* loss) {
  for_rows(rows, planes.two, [=] __device__(std::int64_t row) {
    const Planes<const T> in = difference_row(planes, d, row);
    T total = 0;
    for (std::int64_t j = threadIdx.x; j < planes.two; j += blockDim.x) {
      if (j >= planes.three) {
        total += scalar::softplus(in.one[j]);
        continue;
      }
      const T largest = largest_of_three(in.one[j], in.two[j]);
      total += largest + scalar::log(scalar::exp(-largest) + scalar::exp(in.one[j] - largest) + scalar::exp(in.two[j] - largest));
    }
    for (std::int64_t at = target.offsets[row] + threadIdx.x; at < target.offsets[row + 1]; at += blockDim.x) {
      total -= in.one[target.columns[at]];
    }
    total = block_reduce(total, cuda::Add());
    if (threadIdx.x == 0) loss[row] = total;
  });
}

template <typename T>
void CudaKernels<T>::category_cross_entropy_backward(std::int64_t rows, const CategoryPlanes& planes, const T* d,
                                                     const CsrView<T>& target, const T* scale, T* dd) {
  for_rows(rows, planes.two, [=] __device__(std::int64_t row) {
    const T factor = *scale;
    const Planes<const T> in = difference_row(planes, d, row);
    const Planes<T> out = difference_row(planes, dd, row);
    for (std::int64_t j = threadIdx.x; j < planes.two; j += blockDim.x) {
      if (j >= planes.three) {
        out.one[j] = factor * scalar::sigmoid(in.one[j]);
        continue;
      }
      const Shares<T> p = softmax_of_three(in.one[j], in.two[j]);
      out.one[j] = factor * p.one;
      out.two[j] = factor * p.two;
    }
    __syncthreads();  // the row is complete before its targets are taken off
    for (std::int64_t at = target.offsets[row] + threadIdx.x; at < target.offsets[row + 1]; at += blockDim.x) {
      out.one[target.columns[at]] -= factor;
    }
  });
}

template <typename T>
void CudaKernels<T>::category_choice(std::int64_t rows, const CategoryPlanes& planes, const T* scores,
                                     const CategoryMeaning& meaning, T* x) {
  for_each(rows * planes.columns, [=] __device__(std::int64_t i) {
    const auto [row, j] = place_of(i, planes.columns);
    const T* in = scores + row * planes.categories();
    x[row * planes.columns + meaning.places[j]] = category::chosen_value(planes, meaning, in, j);
  });
}

template <typename T>
void CudaKernels<T>::category_odds(std::int64_t rows, const CategoryPlanes& planes, const T* scores,
                                   const CategoryMeaning& meaning, std::int32_t value, T* x) {
  for_each(rows * planes.columns, [=] __device__(std::int64_t i) {
    const auto [row, j] = place_of(i, planes.columns);
    const T* in = scores + row * planes.categories();
    x[row * planes.columns + meaning.places[j]] = category::value_odds(planes, meaning, in, value, j);
  });
}

template struct CudaKernels<float>;
template struct CudaKernels<double>;

}  // namespace tapestry
