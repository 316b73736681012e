#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/reference_kernels.h"

namespace tapestry::tests {
namespace {

/// Where category k of column j stands in a row of categories.
std::int64_t at_category(const CategoryPlanes& planes, std::int64_t j, std::int64_t k) {
  return j + (k > 0 ? planes.columns : 0) + (k > 1 ? planes.two : 0);
}

std::int64_t category_count(const CategoryPlanes& planes, std::int64_t j) {
  return 1 + (j < planes.two ? 1 : 0) + (j < planes.three ? 1 : 0);
}

/// The logits of column j of a row of differences.
template <typename T>
std::vector<double> logits_of(const CategoryPlanes& planes, const T* d, std::int64_t j) {
  std::vector<double> logits = {0};
  for (std::int64_t k = 1; k < category_count(planes, j); ++k) logits.push_back(d[at_category(planes, j, k) - planes.columns]);
  return logits;
}

std::vector<double> softmax(std::vector<double> logits) {
  double largest = logits[0];
  for (const double logit : logits) largest = std::max(largest, logit);
  double total = 0;
  for (double& logit : logits) total += logit = std::exp(logit - largest);
  for (double& share : logits) share /= total;
  return logits;
}

template <typename T>
double is_target(const CsrView<T>& target, std::int64_t row, std::int64_t column) {
  for (std::int64_t at = target.offsets[row]; at < target.offsets[row + 1]; ++at) {
    if (target.columns[at] == column) return 1;
  }
  return 0;
}

}  // namespace

template <typename T>
void ReferenceKernels<T>::category_softmax(std::int64_t rows, const CategoryPlanes& planes, const T* d, const T* noise,
                                           T temperature, T* y) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t j = 0; j < planes.columns; ++j) {
      std::vector<double> logits = logits_of(planes, d + row * planes.differences(), j);
      for (std::size_t k = 0; k < logits.size(); ++k) {
        const std::int64_t at = row * planes.categories() + at_category(planes, j, static_cast<std::int64_t>(k));
        logits[k] = (logits[k] + noise[at]) / temperature;
      }
      const std::vector<double> shares = softmax(logits);
      for (std::size_t k = 0; k < shares.size(); ++k) {
        y[row * planes.categories() + at_category(planes, j, static_cast<std::int64_t>(k))] = static_cast<T>(shares[k]);
      }
    }
  }
}

template <typename T>
void ReferenceKernels<T>::category_softmax_backward(std::int64_t rows, const CategoryPlanes& planes, const T* y, const T* dy,
                                                    T temperature, T* dd) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const T* p = y + row * planes.categories();
    const T* up = dy + row * planes.categories();
    for (std::int64_t j = 0; j < planes.columns; ++j) {
      double mean = 0;
      for (std::int64_t k = 0; k < category_count(planes, j); ++k) {
        mean += static_cast<double>(p[at_category(planes, j, k)]) * up[at_category(planes, j, k)];
      }
      for (std::int64_t k = 1; k < category_count(planes, j); ++k) {
        const std::int64_t at = at_category(planes, j, k);
        dd[row * planes.differences() + at - planes.columns] = static_cast<T>(p[at] * (up[at] - mean) / temperature);
      }
    }
  }
}

template <typename T>
void ReferenceKernels<T>::category_cross_entropy(std::int64_t rows, const CategoryPlanes& planes, const T* d,
                                                 const CsrView<T>& target, T* loss) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const T* in = d + row * planes.differences();
    double total = 0;
    for (std::int64_t j = 0; j < planes.columns; ++j) total -= std::log(softmax(logits_of(planes, in, j))[0]);
    for (std::int64_t at = target.offsets[row]; at < target.offsets[row + 1]; ++at) total -= in[target.columns[at]];
    loss[row] = static_cast<T>(total);
  }
}

template <typename T>
void ReferenceKernels<T>::category_cross_entropy_backward(std::int64_t rows, const CategoryPlanes& planes, const T* d,
                                                          const CsrView<T>& target, const T* scale, T* dd) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t j = 0; j < planes.two; ++j) {
      const std::vector<double> shares = softmax(logits_of(planes, d + row * planes.differences(), j));
      for (std::size_t k = 1; k < shares.size(); ++k) {
        const std::int64_t at = at_category(planes, j, static_cast<std::int64_t>(k)) - planes.columns;
        // In place: all of a column's logits were read before any is written.
        dd[row * planes.differences() + at] = static_cast<T>(*scale * (shares[k] - is_target(target, row, at)));
      }
    }
  }
}

template <typename T>
void ReferenceKernels<T>::category_choice(std::int64_t rows, const CategoryPlanes& planes, const T* scores,
                                          const CategoryMeaning& meaning, T* x) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const T* in = scores + row * planes.categories();
    for (std::int64_t j = 0; j < planes.columns; ++j) {
      std::vector<std::int64_t> best = {at_category(planes, j, 0)};  // all with the largest score
      for (std::int64_t k = 1; k < category_count(planes, j); ++k) {
        const std::int64_t at = at_category(planes, j, k);
        if (in[at] > in[best[0]]) best.clear();
        if (best.empty() || in[at] == in[best[0]]) best.push_back(at);
      }
      std::int64_t first = best[0];
      for (const std::int64_t at : best) first = meaning.order[at] < meaning.order[first] ? at : first;
      T chosen = static_cast<T>(meaning.values[first]);
      for (std::int64_t k = 0; k < category_count(planes, j); ++k) {
        if (!std::isfinite(in[at_category(planes, j, k)])) chosen = std::numeric_limits<T>::quiet_NaN();
      }
      x[row * planes.columns + meaning.places[j]] = chosen;
    }
  }
}

template <typename T>
void ReferenceKernels<T>::category_odds(std::int64_t rows, const CategoryPlanes& planes, const T* scores,
                                        const CategoryMeaning& meaning, std::int32_t value, T* x) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t j = 0; j < planes.columns; ++j) {
      double own = 0, others = 0;
      for (std::int64_t k = 0; k < category_count(planes, j); ++k) {
        const std::int64_t at = at_category(planes, j, k);
        (meaning.values[at] == value ? own : others) += std::exp(static_cast<double>(scores[row * planes.categories() + at]));
      }
      const double odds = own == 0 ? -1e30 : others == 0 ? 1e30 : std::log(own) - std::log(others);
      x[row * planes.columns + meaning.places[j]] = static_cast<T>(odds);
    }
  }
}

template struct ReferenceKernels<float>;
template struct ReferenceKernels<double>;

}  // namespace tapestry::tests
