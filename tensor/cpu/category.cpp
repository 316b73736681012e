#include <algorithm>
#include <cmath>

#include "tensor/category_rows.h"
#include "tensor/cpu/loops.h"
#include "tensor/kernels.h"

namespace tapestry {
namespace {

using category::category_row;
using category::difference_row;
using category::largest_of_three;
using category::Planes;
using category::Shares;
using category::softmax_of_three;

}  // namespace

template <typename T>
void CpuKernels<T>::category_softmax(std::int64_t rows, const CategoryPlanes& planes, const T* d, const T* noise, T temperature,
                                     T* y) {
  const T inverse = T(1) / temperature;
  for_rows(rows, planes.categories(), [=](std::int64_t row) {
    const Planes<const T> in = difference_row(planes, d, row);
    const Planes<const T> g = category_row(planes, noise, row);
    const Planes<T> out = category_row(planes, y, row);
#pragma omp simd
    for (std::int64_t j = 0; j < planes.three; ++j) {
      const T a = (in.one[j] + g.one[j] - g.zero[j]) * inverse;
      const T b = (in.two[j] + g.two[j] - g.zero[j]) * inverse;
      const Shares<T> p = softmax_of_three(a, b);
      out.zero[j] = p.zero;
      out.one[j] = p.one;
      out.two[j] = p.two;
    }
#pragma omp simd
    for (std::int64_t j = planes.three; j < planes.two; ++j) {
      const T a = (in.one[j] + g.one[j] - g.zero[j]) * inverse;
      out.zero[j] = scalar::sigmoid(-a);
      out.one[j] = scalar::sigmoid(a);
    }
    std::fill(out.zero + planes.two, out.zero + planes.columns, T(1));
  });
}

template <typename T>
void CpuKernels<T>::category_softmax_backward(std::int64_t rows, const CategoryPlanes& planes, const T* y, const T* dy,
                                              T temperature, T* dd) {
  const T inverse = T(1) / temperature;
  for_rows(rows, planes.categories(), [=](std::int64_t row) {
    const Planes<const T> p = category_row(planes, y, row);
    const Planes<const T> up = category_row(planes, dy, row);
    const Planes<T> out = difference_row(planes, dd, row);
#pragma omp simd
    for (std::int64_t j = 0; j < planes.three; ++j) {
      const T mean = p.zero[j] * up.zero[j] + p.one[j] * up.one[j] + p.two[j] * up.two[j];
      out.one[j] = inverse * p.one[j] * (up.one[j] - mean);
      out.two[j] = inverse * p.two[j] * (up.two[j] - mean);
    }
#pragma omp simd
    for (std::int64_t j = planes.three; j < planes.two; ++j) {
      // dy_1 - <y, dy> = y_0 (dy_1 - dy_0), without the cancellation
      out.one[j] = inverse * p.one[j] * p.zero[j] * (up.one[j] - up.zero[j]);
    }
  });
}

template <typename T>
void CpuKernels<T>::category_cross_entropy(std::int64_t rows, const CategoryPlanes& planes, const T* d, const CsrView<T>& target,
                                           T* loss) {
  for_rows(rows, planes.differences(), [&](std::int64_t row) {
    const Planes<const T> in = difference_row(planes, d, row);
    T total = 0;
#pragma omp simd reduction(+ : total)
    for (std::int64_t j = 0; j < planes.three; ++j) {
      const T largest = largest_of_three(in.one[j], in.two[j]);
      total += largest + scalar::log(scalar::exp(-largest) + scalar::exp(in.one[j] - largest) + scalar::exp(in.two[j] - largest));
    }
#pragma omp simd reduction(+ : total)
    for (std::int64_t j = planes.three; j < planes.two; ++j) total += scalar::softplus(in.one[j]);
    for (std::int64_t at = target.offsets[row]; at < target.offsets[row + 1]; ++at) total -= in.one[target.columns[at]];
    loss[row] = total;
  });
}

template <typename T>
void CpuKernels<T>::category_cross_entropy_backward(std::int64_t rows, const CategoryPlanes& planes, const T* d,
                                                    const CsrView<T>& target, const T* scale, T* dd) {
  const T factor = *scale;
  for_rows(rows, planes.differences(), [&](std::int64_t row) {
    const Planes<const T> in = difference_row(planes, d, row);
    const Planes<T> out = difference_row(planes, dd, row);
#pragma omp simd
    for (std::int64_t j = 0; j < planes.three; ++j) {
      const Shares<T> p = softmax_of_three(in.one[j], in.two[j]);
      out.one[j] = factor * p.one;
      out.two[j] = factor * p.two;
    }
#pragma omp simd
    for (std::int64_t j = planes.three; j < planes.two; ++j) out.one[j] = factor * scalar::sigmoid(in.one[j]);
    for (std::int64_t at = target.offsets[row]; at < target.offsets[row + 1]; ++at) out.one[target.columns[at]] -= factor;
  });
}

template <typename T>
void CpuKernels<T>::category_choice(std::int64_t rows, const CategoryPlanes& planes, const T* scores,
                                    const CategoryMeaning& meaning, T* x) {
  for_rows(rows, planes.categories(), [=](std::int64_t row) {
    const T* in = scores + row * planes.categories();
    T* out = x + row * planes.columns;
    for (std::int64_t j = 0; j < planes.columns; ++j) {
      out[meaning.places[j]] = category::chosen_value(planes, meaning, in, j);
    }
  });
}

template <typename T>
void CpuKernels<T>::category_odds(std::int64_t rows, const CategoryPlanes& planes, const T* scores,
                                  const CategoryMeaning& meaning, std::int32_t value, T* x) {
  for_rows(rows, planes.categories(), [=](std::int64_t row) {
    const T* in = scores + row * planes.categories();
    T* out = x + row * planes.columns;
    for (std::int64_t j = 0; j < planes.columns; ++j) {
      out[meaning.places[j]] = category::value_odds(planes, meaning, in, value, j);
    }
  });
}

template struct CpuKernels<float>;
template struct CpuKernels<double>;

}  // namespace tapestry
