#include "recsys/recommenders/krylov_basis.h"

#include <cmath>
#include <optional>

#include "tensor/memory.h"
#include "tensor/ops.h"

namespace tapestry::recsys {

using block::Columns;

HostBasis::HostBasis(const CsrMatrix& matrix, std::int64_t count, std::int64_t width, const RandomStream& stream)
    : gram_(matrix), width_(width), random_(stream), basis_(matrix.cols(), count) {}

void HostBasis::fill_random(Eigen::Ref<Eigen::VectorXd> column) {
  for (std::int64_t i = 0; i < column.size(); ++i) column[i] = random_.normal();
}

void HostBasis::fill_random(std::int64_t begin) {
  for (std::int64_t c = begin; c < begin + width_; ++c) fill_random(basis_.col(c));
}

void HostBasis::apply(std::int64_t from, std::int64_t to) {
  basis_.middleCols(to, width_) = gram_.apply(basis_.middleCols(from, width_));
}

Columns HostBasis::project(std::int64_t begin) {
  const auto before = basis_.leftCols(begin);
  const Columns coefficients = block::inner(before, basis_.middleCols(begin, width_));
  block::subtract_product(before, coefficients, basis_.middleCols(begin, width_));
  return coefficients;
}

Columns HostBasis::orthonormalise(std::int64_t begin, double null_norm) {
  return block::orthonormalise(basis_.middleCols(begin, width_), null_norm,
                               [this](const Eigen::Ref<Eigen::VectorXd>& column) { fill_random(column); });
}

void HostBasis::rotate(const Columns& turn) { block::rotate(basis_.leftCols(turn.rows()), turn); }

void HostBasis::copy(std::int64_t from, std::int64_t to) {
  basis_.middleCols(to, width_) = basis_.middleCols(from, width_).eval();
}

namespace {

/// A pivot of W^T W that is this share of its diagonal entry has lost half its digits: what is left of the vector is a rest of
/// 1e-4 of it, which the second pass sets right.
constexpr double kSmallestPivot = 1e-8;

/// R with R^T R = gram, upper triangular; nothing when a vector has no more than null_norm, or too few digits, of its own.
std::optional<Columns> cholesky(const Columns& gram, double null_norm) {
  const std::int64_t n = gram.cols();
  Columns r = Columns::Zero(n, n);
  for (std::int64_t c = 0; c < n; ++c) {
    for (std::int64_t k = 0; k < c; ++k) r(k, c) = (gram(k, c) - r.col(k).head(k).dot(r.col(c).head(k))) / r(k, k);
    const double pivot = gram(c, c) - r.col(c).head(c).squaredNorm();
    if (!(pivot > kSmallestPivot * gram(c, c)) || !(std::sqrt(pivot) > null_norm)) return std::nullopt;
    r(c, c) = std::sqrt(pivot);
  }
  return r;
}

/// A matrix of the host, column by column there, on the device by rows.
Tensor to_device(const Columns& matrix, Device device) {
  const block::Rows rows = matrix;
  return Tensor::from<double>(std::span(rows.data(), static_cast<std::size_t>(rows.size())), {rows.rows(), rows.cols()}, device);
}

Columns to_host(const Tensor& matrix) {
  const Tensor host = matrix.to(Device::kCpu);
  return Eigen::Map<const block::Rows>(host.data<double>(), host.rows(), host.cols());
}

/// Sparse products in float64 need values in float64.
CsrMatrix in_float64(const CsrMatrix& matrix) {
  return matrix.has_values() ? matrix.with_values(matrix.values().to(DType::kFloat64)) : matrix;
}

}  // namespace

DeviceBasis::DeviceBasis(const CsrMatrix& matrix, std::int64_t count, std::int64_t width, const RandomStream& stream,
                         Device device)
    : matrix_(in_float64(matrix).to(device)),
      transpose_(in_float64(matrix.transpose()).to(device)),
      width_(width),
      random_(stream),
      basis_(Tensor::empty({count, matrix.cols()}, DType::kFloat64, device)),
      eye_(to_device(Columns::Identity(width, width), device)) {}

void DeviceBasis::fill_random(Eigen::Ref<Eigen::VectorXd> column) {
  for (std::int64_t i = 0; i < column.size(); ++i) column[i] = random_.normal();
}

void DeviceBasis::fill_random(std::int64_t begin) {
  const Tensor host = Tensor::empty({width_, basis_.cols()}, DType::kFloat64);
  for (double& number : host.span<double>()) number = random_.normal();
  copy_into(vectors(begin), host);
}

void DeviceBasis::apply(std::int64_t from, std::int64_t to) {
  // Sparse products take vectors as columns. Products with the identity turn them round, exactly.
  const Tensor x = matmul(vectors(from), eye_, /*transpose_a=*/true);                    // [n, width]
  const Tensor y = csr_matmul(transpose_, csr_matmul(matrix_, x));                       // [n, width]
  copy_into(vectors(to), matmul(eye_, y, /*transpose_a=*/false, /*transpose_b=*/true));  // [width, n]
}

Columns DeviceBasis::project(std::int64_t begin) {
  const Tensor before = basis_.slice_rows(0, begin);
  const Tensor coefficients = matmul(before, vectors(begin), false, /*transpose_b=*/true);  // [begin, width]
  matmul_accumulate(linear_combination({{-1.0, coefficients}}), before, /*transpose_a=*/true, false, vectors(begin));
  return to_host(coefficients);
}

Columns DeviceBasis::orthonormalise(std::int64_t begin, double null_norm) {
  const Tensor w = vectors(begin);
  Columns triangle = Columns::Identity(width_, width_);
  for (int pass = 0; pass < 2; ++pass) {
    const std::optional<Columns> r = cholesky(to_host(matmul(w, w, false, /*transpose_b=*/true)), null_norm);
    if (!r) {
      const Tensor host = w.to(Device::kCpu);  // row by row, and so column by column of [n, width]
      const Columns rest = block::orthonormalise(Eigen::Map<Columns>(host.data<double>(), w.cols(), width_), null_norm,
                                                 [this](const Eigen::Ref<Eigen::VectorXd>& column) { fill_random(column); });
      copy_into(w, host);
      return rest * triangle;
    }
    // W R^-1 for vectors in columns: R^-T times the rows.
    const Columns inverse = r->triangularView<Eigen::Upper>().solve(Columns::Identity(width_, width_));
    copy_into(w, matmul(to_device(inverse, w.device()), w, /*transpose_a=*/true));
    triangle = *r * triangle;
  }
  return triangle;
}

void DeviceBasis::rotate(const Columns& turn) {
  const Tensor turned = matmul(to_device(turn, basis_.device()), basis_.slice_rows(0, turn.rows()), /*transpose_a=*/true);
  copy_into(basis_.slice_rows(0, turn.cols()), turned);
}

void DeviceBasis::copy(std::int64_t from, std::int64_t to) { copy_into(vectors(to), vectors(from).clone()); }

Columns DeviceBasis::leading(std::int64_t count) const { return to_host(basis_.slice_rows(0, count)).transpose(); }

}  // namespace tapestry::recsys
