#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "tensor/philox.h"
#include "tests/support/reference_kernels.h"

namespace tapestry::tests {
namespace {

template <typename T>
double log_sum_exp(std::int64_t cols, const T* x) {
  const double largest = *std::max_element(x, x + cols);
  double total = 0;
  for (std::int64_t col = 0; col < cols; ++col) total += std::exp(x[col] - largest);
  return largest + std::log(total);
}

/// body(row, column, position, value) for every stored entry.
template <typename T, typename Body>
void for_entries(const CsrView<T>& x, const Body& body) {
  for (std::int64_t row = 0; row < x.rows; ++row) {
    for (std::int64_t at = x.offsets[row]; at < x.offsets[row + 1]; ++at) {
      body(row, std::int64_t{x.columns[at]}, at, x.values == nullptr ? 1.0 : static_cast<double>(x.values[at]));
    }
  }
}

}  // namespace

template <typename T>
void ReferenceKernels<T>::log_softmax(std::int64_t rows, std::int64_t cols, const T* x, T* y) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const double lse = log_sum_exp(cols, x + row * cols);
    for (std::int64_t col = 0; col < cols; ++col) y[row * cols + col] = static_cast<T>(x[row * cols + col] - lse);
  }
}

template <typename T>
void ReferenceKernels<T>::log_softmax_backward(std::int64_t rows, std::int64_t cols, const T* y, const T* dy, T* dx) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const double total = std::accumulate(dy + row * cols, dy + (row + 1) * cols, 0.0);
    for (std::int64_t at = row * cols; at < (row + 1) * cols; ++at) {
      dx[at] = static_cast<T>(dy[at] - std::exp(static_cast<double>(y[at])) * total);
    }
  }
}

template <typename T>
void ReferenceKernels<T>::multinomial_nll(const T* logits, const CsrView<T>& target, T* lse, T* loss) {
  std::vector<double> total(static_cast<std::size_t>(target.rows), 0.0), exact(static_cast<std::size_t>(target.rows));
  for (std::int64_t row = 0; row < target.rows; ++row) {
    exact[static_cast<std::size_t>(row)] = log_sum_exp(target.cols, logits + row * target.cols);
    lse[row] = static_cast<T>(exact[static_cast<std::size_t>(row)]);
  }
  for_entries(target, [&](std::int64_t row, std::int64_t col, std::int64_t, double value) {
    total[static_cast<std::size_t>(row)] -= value * (logits[row * target.cols + col] - exact[static_cast<std::size_t>(row)]);
  });
  for (std::int64_t row = 0; row < target.rows; ++row) loss[row] = static_cast<T>(total[static_cast<std::size_t>(row)]);
}

template <typename T>
void ReferenceKernels<T>::multinomial_nll_backward(const T* logits, const CsrView<T>& target, const T* lse, const T* scale,
                                                   T* dlogits) {
  const auto cols = target.cols;
  std::vector<double> weight(static_cast<std::size_t>(target.rows), 0.0);
  std::vector<double> stored(static_cast<std::size_t>(target.rows * cols), 0.0);
  for_entries(target, [&](std::int64_t row, std::int64_t col, std::int64_t, double value) {
    weight[static_cast<std::size_t>(row)] += value;
    stored[static_cast<std::size_t>(row * cols + col)] = value;
  });
  for (std::int64_t row = 0; row < target.rows; ++row) {
    for (std::int64_t at = row * cols; at < (row + 1) * cols; ++at) {
      const double softmax = std::exp(static_cast<double>(logits[at]) - lse[row]);
      dlogits[at] =
          static_cast<T>(*scale * (weight[static_cast<std::size_t>(row)] * softmax - stored[static_cast<std::size_t>(at)]));
    }
  }
}

template <typename T>
void ReferenceKernels<T>::score_matching(std::int64_t n, const T* s, const T* z0, T inverse, T* loss, T* moments) {
  double mean = 0, squares = 0, spread = 0;
  for (std::int64_t i = 0; i < n; ++i) mean += (static_cast<double>(s[i]) - z0[i]) / static_cast<double>(n);
  for (std::int64_t i = 0; i < n; ++i) {
    const double r = static_cast<double>(s[i]) - z0[i];
    const double a = s[n + i], b = s[2 * n + i];
    squares += std::pow(inverse * (b - a) - r, 2) + std::pow(r - a, 2);
    spread += (r - mean) * (r - mean);
  }
  const double numerator = squares / (2 * static_cast<double>(n));
  const double denominator = 1e-8 + spread / static_cast<double>(n - 1);
  moments[0] = static_cast<T>(mean);
  moments[1] = static_cast<T>(numerator);
  moments[2] = static_cast<T>(denominator);
  *loss = static_cast<T>(numerator / denominator);
}

template <typename T>
void ReferenceKernels<T>::score_matching_backward(std::int64_t n, const T* s, const T* z0, T inverse, const T* moments,
                                                  const T* scale, T* ds) {
  const double count = static_cast<double>(n), denominator = moments[2];
  for (std::int64_t i = 0; i < n; ++i) {
    const double r = static_cast<double>(s[i]) - z0[i];
    const double a = s[n + i], b = s[2 * n + i];
    const double curvature = (inverse * (b - a) - r) / count / denominator;
    const double fit = (r - a) / count / denominator;
    const double spread = moments[1] / (denominator * denominator) * 2 * (r - moments[0]) / (count - 1);
    ds[i] = static_cast<T>(*scale * (fit - curvature - spread));
    ds[n + i] = static_cast<T>(*scale * (-inverse * curvature - fit));
    ds[2 * n + i] = static_cast<T>(*scale * inverse * curvature);
  }
}

template <typename T>
void ReferenceKernels<T>::gaussian_nll(std::int64_t rows, std::int64_t cols, const T* output, const T* y, T limit, T* loss) {
  for (std::int64_t row = 0; row < rows; ++row) {
    double total = 0;
    for (std::int64_t col = 0; col < cols; ++col) {
      const double mean = output[row * 2 * cols + col];
      const double v = std::clamp<double>(output[row * 2 * cols + cols + col], -limit, limit);
      total += (v + std::exp(-v) * std::pow(y[row * cols + col] - mean, 2)) / 2;
    }
    loss[row] = static_cast<T>(total);
  }
}

template <typename T>
void ReferenceKernels<T>::gaussian_nll_backward(std::int64_t rows, std::int64_t cols, const T* output, const T* y, T limit,
                                                const T* scale, T* doutput) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t col = 0; col < cols; ++col) {
      const std::int64_t at = row * 2 * cols + col;
      const double gap = static_cast<double>(y[row * cols + col]) - output[at];
      const double raw = output[at + cols];
      const double v = std::clamp<double>(raw, -limit, limit);
      doutput[at] = static_cast<T>(-*scale * std::exp(-v) * gap);
      doutput[at + cols] = static_cast<T>(raw == v ? *scale * (1 - std::exp(-v) * gap * gap) / 2 : 0);
    }
  }
}

/// Keeps the logits [B, I] and every row's log sum exp [B].
template <typename T>
void ReferenceKernels<T>::linear_multinomial_nll(std::int64_t hidden, const T* h, const T* w, const T* bias,
                                                 const CsrView<T>& target, T* kept, T* loss, T* /*workspace*/) {
  for (std::int64_t row = 0; row < target.rows; ++row) {
    for (std::int64_t item = 0; item < target.cols; ++item) {
      double total = bias[item];
      for (std::int64_t k = 0; k < hidden; ++k) total += static_cast<double>(h[row * hidden + k]) * w[item * hidden + k];
      kept[row * target.cols + item] = static_cast<T>(total);
    }
  }
  multinomial_nll(kept, target, kept + target.rows * target.cols, loss);
}

template <typename T>
void ReferenceKernels<T>::linear_multinomial_nll_backward(std::int64_t hidden, const T* h, const T* w, const CsrView<T>& target,
                                                          T* kept, const T* scale, T* dw, T* dbias, T* dh, T* /*workspace*/) {
  multinomial_nll_backward(kept, target, kept + target.rows * target.cols, scale, kept);
  std::vector<double> weight_sum(static_cast<std::size_t>(target.cols * hidden)), bias_sum(static_cast<std::size_t>(target.cols));
  for (std::int64_t row = 0; row < target.rows; ++row) {
    std::vector<double> hidden_sum(static_cast<std::size_t>(hidden));
    for (std::int64_t item = 0; item < target.cols; ++item) {
      const double gradient = kept[row * target.cols + item];
      bias_sum[static_cast<std::size_t>(item)] += gradient;
      for (std::int64_t k = 0; k < hidden; ++k) {
        weight_sum[static_cast<std::size_t>(item * hidden + k)] += gradient * h[row * hidden + k];
        hidden_sum[static_cast<std::size_t>(k)] += gradient * w[item * hidden + k];
      }
    }
    std::copy(hidden_sum.begin(), hidden_sum.end(), dh + row * hidden);
  }
  std::copy(weight_sum.begin(), weight_sum.end(), dw);
  std::copy(bias_sum.begin(), bias_sum.end(), dbias);
}

template <typename T>
LinearMultinomialRoom ReferenceKernels<T>::linear_multinomial_room(std::int64_t rows, std::int64_t items,
                                                                   std::int64_t /*hidden*/) {
  return {rows * items + rows, 0, 0};
}

// --- matrix product ----------------------------------------------------------------------------------------------------------

template <typename T>
void ReferenceKernels<T>::matmul(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a,
                                 std::int64_t lda, const T* b, std::int64_t ldb, bool accumulate, T* c, std::int64_t ldc) {
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      double total = accumulate ? c[i * ldc + j] : 0.0;
      for (std::int64_t l = 0; l < k; ++l) {
        total +=
            static_cast<double>(transpose_a ? a[l * lda + i] : a[i * lda + l]) * (transpose_b ? b[j * ldb + l] : b[l * ldb + j]);
      }
      c[i * ldc + j] = static_cast<T>(total);
    }
  }
}

// --- sparse ------------------------------------------------------------------------------------------------------------------

template <typename T>
void ReferenceKernels<T>::csr_matmul(const CsrView<T>& x, std::int64_t n, const T* w, T* y) {
  std::vector<double> total(static_cast<std::size_t>(x.rows * n), 0.0);
  for_entries(x, [&](std::int64_t row, std::int64_t col, std::int64_t, double value) {
    for (std::int64_t j = 0; j < n; ++j) total[static_cast<std::size_t>(row * n + j)] += value * w[col * n + j];
  });
  for (std::int64_t i = 0; i < x.rows * n; ++i) y[i] = static_cast<T>(total[static_cast<std::size_t>(i)]);
}

template <typename T>
void ReferenceKernels<T>::csr_transpose_matmul(const CsrView<T>& x, std::int64_t n, const T* dy, T* y) {
  std::vector<double> total(static_cast<std::size_t>(x.cols * n), 0.0);
  for_entries(x, [&](std::int64_t row, std::int64_t col, std::int64_t, double value) {
    for (std::int64_t j = 0; j < n; ++j) total[static_cast<std::size_t>(col * n + j)] += value * dy[row * n + j];
  });
  for (std::int64_t i = 0; i < x.cols * n; ++i) y[i] = static_cast<T>(total[static_cast<std::size_t>(i)]);
}

template <typename T>
void ReferenceKernels<T>::value_linear(const CsrView<T>& x, std::int64_t width, std::int64_t n, const T* table, const T* w,
                                       const T* total, T* y) {
  for (std::int64_t row = 0; row < x.rows; ++row) {
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (std::int64_t k = 0; k < width; ++k) {
        sum += static_cast<double>(table[k]) * total[k * n + j];
        for (std::int64_t at = x.offsets[row]; at < x.offsets[row + 1]; ++at) {
          sum += (static_cast<double>(table[width + k]) - table[k]) * w[(x.columns[at] * width + k) * n + j];
        }
      }
      y[row * n + j] = static_cast<T>(sum);
    }
  }
}

template <typename T>
void ReferenceKernels<T>::value_linear_backward(const CsrView<T>& x, std::int64_t width, std::int64_t n, const T* w, const T* dy,
                                                T* by_row) {
  for (std::int64_t row = 0; row < x.rows; ++row) {
    for (std::int64_t k = 0; k < width; ++k) {
      double sum = 0;
      for (std::int64_t at = x.offsets[row]; at < x.offsets[row + 1]; ++at) {
        for (std::int64_t j = 0; j < n; ++j) {
          sum += static_cast<double>(w[(x.columns[at] * width + k) * n + j]) * dy[row * n + j];
        }
      }
      by_row[row * width + k] = static_cast<T>(sum);
    }
  }
}

template <typename T>
void ReferenceKernels<T>::value_linear_adam(std::int64_t items, std::int64_t width, std::int64_t n, const T* table, const T* all,
                                            const T* seen, const T* factors, T* w, T* first, T* second, T* total, T*) {
  std::vector<T> dw(static_cast<std::size_t>(items * width * n));
  for (std::int64_t i = 0; i < items; ++i) {
    for (std::int64_t k = 0; k < width; ++k) {
      for (std::int64_t j = 0; j < n; ++j) {
        dw[static_cast<std::size_t>((i * width + k) * n + j)] = static_cast<T>(
            static_cast<double>(table[k]) * all[j] + (static_cast<double>(table[width + k]) - table[k]) * seen[i * n + j]);
      }
    }
  }
  const ParameterView<T> parameter = {w, dw.data(), first, second, items * width * n};
  adam_prepared(&parameter, 1, factors);
  for (std::int64_t at = 0; at < width * n; ++at) {
    double sum = 0;
    for (std::int64_t i = 0; i < items; ++i) sum += w[i * width * n + at];
    total[at] = static_cast<T>(sum);
  }
}

template <typename T>
void ReferenceKernels<T>::csr_transpose_matmul_add(const CsrView<T>& x, std::int64_t n, const T* dy, T* y) {
  std::vector<double> total(y, y + x.cols * n);
  for_entries(x, [&](std::int64_t row, std::int64_t col, std::int64_t, double value) {
    for (std::int64_t i = 0; i < n; ++i) total[static_cast<std::size_t>(col * n + i)] += value * dy[row * n + i];
  });
  for (std::size_t i = 0; i < total.size(); ++i) y[i] = static_cast<T>(total[i]);
}

template <typename T>
void ReferenceKernels<T>::csr_normalize_rows(const CsrView<T>& x, T epsilon, T* out) {
  std::vector<double> squares(static_cast<std::size_t>(x.rows), 0.0);
  for_entries(x, [&](std::int64_t row, std::int64_t, std::int64_t, double value) {
    squares[static_cast<std::size_t>(row)] += value * value;
  });
  for_entries(x, [&](std::int64_t row, std::int64_t, std::int64_t at, double value) {
    const double norm = std::sqrt(squares[static_cast<std::size_t>(row)]);
    out[at] = static_cast<T>(value / std::max(norm, static_cast<double>(epsilon)));
  });
}

template <typename T>
void ReferenceKernels<T>::csr_dropout(const CsrView<T>& x, T p, const RandomStream& stream, const std::int32_t* row_ids, T* out) {
  for_entries(x, [&](std::int64_t row, std::int64_t col, std::int64_t at, double value) {
    const auto id = static_cast<std::uint32_t>(row_ids == nullptr ? row : row_ids[row]);
    const std::uint32_t word = philox::word_at(stream, id, static_cast<std::uint32_t>(col));
    out[at] = philox::keeps(word, static_cast<float>(p)) ? static_cast<T>(value / (1.0 - p)) : T(0);
  });
}

template <typename T>
void ReferenceKernels<T>::csr_dense(const CsrView<T>& x, T* y) {
  std::fill_n(y, x.rows * x.cols, T(0));
  for_entries(
      x, [&](std::int64_t row, std::int64_t col, std::int64_t, double value) { y[row * x.cols + col] = static_cast<T>(value); });
}

template <typename T>
void ReferenceKernels<T>::gather_rows(std::int64_t n, std::int64_t cols, const T* table, const std::int32_t* index, T* y) {
  for (std::int64_t i = 0; i < n * cols; ++i) y[i] = table[index[i / cols] * cols + i % cols];
}

template <typename T>
void ReferenceKernels<T>::scatter_add_rows(std::int64_t n, std::int64_t cols, const T* x, const std::int32_t* index, T* y) {
  for (std::int64_t i = 0; i < n * cols; ++i) y[index[i / cols] * cols + i % cols] += x[i];
}

template struct ReferenceKernels<float>;
template struct ReferenceKernels<double>;

}  // namespace tapestry::tests
