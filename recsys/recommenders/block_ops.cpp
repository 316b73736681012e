#include "recsys/recommenders/block_ops.h"

#include <algorithm>
#include <vector>

#include "tensor/parallel.h"

namespace tapestry::recsys::block {
namespace {

constexpr std::int64_t kRowChunk = 256;  // rows per task and per partial sum of inner(): part of the result's definition
constexpr int kLanes = 8;                // blocks are padded to a multiple of this many columns

std::int64_t chunk_count(std::int64_t rows) { return (rows + kRowChunk - 1) / kRowChunk; }

/// body(chunk, first row, rows) for each chunk of `rows` rows, in parallel. Eigen's products ask for memory: parallel_for hands
/// what they throw on, where an OpenMP region of our own would end the program.
template <typename Body>
void for_each_chunk(std::int64_t rows, const Body& body) {
  parallel_for(chunk_count(rows), [&](std::int64_t chunk) {
    const std::int64_t begin = chunk * kRowChunk;
    body(chunk, begin, std::min(kRowChunk, rows - begin));
  });
}

/// out[0..kWidth) = sum over a row's entries (c, value) of value * x[c * stride ...], summed in registers. `values` is null when
/// all entries are one.
template <int kWidth>
void gather_sum(std::span<const std::int32_t> columns, const double* values, const double* x, std::int64_t stride, double* out) {
  using Lanes = Eigen::Array<double, kWidth, 1>;
  Lanes sum = Lanes::Zero();
  if (values) {
    for (std::size_t e = 0; e < columns.size(); ++e) sum += values[e] * Eigen::Map<const Lanes>(x + columns[e] * stride);
  } else {
    for (const std::int32_t column : columns) sum += Eigen::Map<const Lanes>(x + column * stride);
  }
  Eigen::Map<Lanes> target(out);
  target = sum;
}

/// One row of matrix * x, its `width` (a multiple of kLanes) columns in groups that fit the registers.
void multiply_row(std::span<const std::int32_t> columns, const double* values, const double* x, std::int64_t width, double* out) {
  std::int64_t lane = 0;
  for (; width - lane >= 3 * kLanes; lane += 3 * kLanes) gather_sum<3 * kLanes>(columns, values, x + lane, width, out + lane);
  for (; lane < width; lane += kLanes) gather_sum<kLanes>(columns, values, x + lane, width, out + lane);
}

/// matrix * x with x [cols, b], b a multiple of kLanes.
Rows multiply(const CsrMatrix& matrix, const Rows& x) {
  Rows out(matrix.rows(), x.cols());
  const Tensor values = matrix.has_values() ? matrix.values().to(DType::kFloat64) : Tensor();
  const double* entries = values.defined() ? values.data<double>() : nullptr;
  const std::int64_t* offsets = matrix.offsets().data<std::int64_t>();
#pragma omp parallel for schedule(dynamic, 64)
  for (std::int64_t r = 0; r < matrix.rows(); ++r) {
    multiply_row(matrix.row(r), entries ? entries + offsets[r] : nullptr, x.data(), x.cols(), out.data() + r * x.cols());
  }
  return out;
}

/// Takes the part of `column` that lies in the space of `done` off, adding what was taken to `coefficients`.
template <typename Done, typename Column, typename Coefficients>
void take_off(const Done& done, Column& column, Coefficients&& coefficients) {
  if (done.cols() == 0) return;
  for (int pass = 0; pass < 2; ++pass) {
    const Eigen::VectorXd shares = done.transpose() * column;
    column.noalias() -= done * shares;
    coefficients.head(done.cols()) += shares;
  }
}

}  // namespace

GramOperator::GramOperator(const CsrMatrix& matrix) : matrix_(matrix), transpose_(matrix.transpose()) {}

Columns GramOperator::apply(const ConstColumnsView& x) const {
  const std::int64_t padded = (x.cols() + kLanes - 1) / kLanes * kLanes;
  Rows narrow = Rows::Zero(x.rows(), padded);
  narrow.leftCols(x.cols()) = x;
  return multiply(transpose_, multiply(matrix_, narrow)).leftCols(x.cols());
}

Columns GramOperator::dense() const {
  Columns gram = apply(Columns::Identity(size(), size()));
  return 0.5 * (gram + gram.transpose());
}

Columns inner(const ConstColumnsView& a, const ConstColumnsView& b) {
  std::vector<Columns> partial(static_cast<std::size_t>(chunk_count(a.rows())));
  for_each_chunk(a.rows(), [&](std::int64_t chunk, std::int64_t begin, std::int64_t rows) {
    partial[static_cast<std::size_t>(chunk)].noalias() = a.middleRows(begin, rows).transpose() * b.middleRows(begin, rows);
  });
  Columns sum = Columns::Zero(a.cols(), b.cols());
  for (const Columns& part : partial) sum += part;
  return sum;
}

void subtract_product(const ConstColumnsView& a, const Columns& c, ColumnsView b) {
  for_each_chunk(a.rows(), [&](std::int64_t /*chunk*/, std::int64_t begin, std::int64_t rows) {
    b.middleRows(begin, rows).noalias() -= a.middleRows(begin, rows) * c;
  });
}

void rotate(ColumnsView a, const Columns& c) {
  for_each_chunk(a.rows(), [&](std::int64_t /*chunk*/, std::int64_t begin, std::int64_t rows) {
    const Columns turned = a.middleRows(begin, rows) * c;
    a.block(begin, 0, rows, c.cols()) = turned;
  });
}

Columns orthonormalise(ColumnsView w, double null_norm, const std::function<void(Eigen::Ref<Eigen::VectorXd>)>& fill) {
  Columns triangle = Columns::Zero(w.cols(), w.cols());
  for (std::int64_t c = 0; c < w.cols(); ++c) {
    auto column = w.col(c);
    const auto done = w.leftCols(c);
    take_off(done, column, triangle.col(c));
    double norm = column.norm();
    const bool null = !(norm > null_norm);
    if (null) {
      fill(column);
      Eigen::VectorXd ignored = Eigen::VectorXd::Zero(w.cols());
      take_off(done, column, ignored);
      norm = column.norm();
    }
    column /= norm;
    triangle(c, c) = null ? 0.0 : norm;
  }
  return triangle;
}

}  // namespace tapestry::recsys::block
