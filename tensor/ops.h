#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "tensor/csr.h"
#include "tensor/kernels.h"
#include "tensor/tensor.h"

/// Operations on tensors, without gradients: each checks its operands, allocates its result and calls the kernel of the
/// operands' device. Everything throws Error(kMisuse) naming the operation and the shapes when operands do not fit, or live on
/// different devices or types. [B, N] below is any shape seen as rows() x cols().
namespace tapestry {

// Elementwise.

/// a op b with broadcasting of rows and columns: operands are [B, N], [1, N] or [N], [B, 1], or one element.
Tensor binary(BinaryOp op, const Tensor& a, const Tensor& b);
/// f(x), any shape; `parameter` is the slope of kLeakyRelu.
Tensor unary(UnaryOp op, const Tensor& x, double parameter = 0);
/// dy * f'(saved); writes over dy when nobody else holds it.
Tensor unary_backward(UnaryOp op, const Tensor& saved, Tensor dy, double parameter = 0);
/// sum_i coefficient_i * term_i over one to four tensors of one shape.
Tensor linear_combination(std::initializer_list<std::pair<double, Tensor>> terms);
/// factor * x.
inline Tensor scaled(const Tensor& x, double factor) { return linear_combination({{factor, x}}); }
/// linear_combination with the coefficients where the terms are: weights [n], one for each term. On the CPU the same bits.
Tensor weighted_sum(const Tensor& weights, std::initializer_list<Tensor> terms);
/// x for x > 0, slope * x otherwise, slope [1].
Tensor prelu(const Tensor& x, const Tensor& slope);
/// {dx, dslope [1]} of PReLU; writes over dy when nobody else holds it.
std::pair<Tensor, Tensor> prelu_backward(const Tensor& x, const Tensor& slope, Tensor dy);
/// Binary cross-entropy of sigmoid(x) against target, elementwise, same shapes; finite for any finite x.
Tensor bce_with_logits(const Tensor& x, const Tensor& target);
Tensor bce_with_logits_backward(const Tensor& x, const Tensor& target, const Tensor& dy);
/// target += source, same shapes: for gradients that arrive in parts.
void add_in_place(const Tensor& target, const Tensor& source);
/// h [B, N] += bias [N] (undefined: none) in place; returns activation(h), which is h itself unless kPrelu.
Tensor bias_activation(Activation activation, const Tensor& h, const Tensor& bias, const Tensor& slope = {});

// Rowwise and reductions.

Tensor row_sum(const Tensor& x, bool squared = false);  ///< [B, N] -> [B]
Tensor column_sum(const Tensor& x);                     ///< [B, N] -> [N]
Tensor sum(const Tensor& x);                            ///< scalar []
/// Sum of (x - shift)^2 over all elements, shift a scalar or undefined (0): scalar [].
Tensor sum_squares(const Tensor& x, const Tensor& shift = {});
Tensor log_softmax(const Tensor& x);  ///< by row, [B, N] -> [B, N]
/// dy - exp(y) * (row sums of dy); writes over dy when nobody else holds it.
Tensor log_softmax_backward(const Tensor& y, Tensor dy);
/// Multinomial negative log-likelihood by row of logits [B, I] against sparse targets; see kernel_contract.inc.
struct MultinomialNll {
  Tensor loss;  ///< [B]
  Tensor lse;   ///< [B] log sum exp of the logits
};
MultinomialNll multinomial_nll(const Tensor& logits, const CsrMatrix& target);
/// dlogits [B, I] when every row's loss counts scale [1] times.
Tensor multinomial_nll_backward(const Tensor& logits, const CsrMatrix& target, const Tensor& lse, const Tensor& scale);

// Products.

/// A' B' of two matrices, each transposed on request: [m, k] [k, n] -> [m, n].
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false);
/// c [m, n] += A' B'.
void matmul_accumulate(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b, const Tensor& c);
Tensor csr_matmul(const CsrMatrix& x, const Tensor& w);             ///< x w: [B, I] [I, N] -> [B, N]
Tensor csr_transpose_matmul(const CsrMatrix& x, const Tensor& dy);  ///< x^T dy: [B, I]^T [B, N] -> [I, N]
/// y += x^T dy.
void csr_transpose_matmul_add(const CsrMatrix& x, const Tensor& dy, const Tensor& y);

// Sparse rows.

/// x written out, zeros and all, in the type `dtype`: [B, I] on x's device.
Tensor dense(const CsrMatrix& x, DType dtype);
/// Every row divided by max(its L2 norm, 1e-12): an empty row stays empty. Values of type `dtype`. In float32 the sum of squares
/// ends the range: a row whose norm is above 1.8e19 becomes zeros.
CsrMatrix normalize_rows(const CsrMatrix& x, DType dtype);
/// Dropout of the stored values. Row r draws from row row_ids[r] of the stream (int32 [B], undefined: r).
CsrMatrix dropout(const CsrMatrix& x, double p, const RandomStream& stream, const Tensor& row_ids = {});

// Moving rows and columns.

/// target = source, entry by entry: two tensors of one size and type, on any devices; the shapes may differ, such as [] and [1].
/// Throws where they are views that overlap in part.
void copy_into(const Tensor& target, const Tensor& source);
Tensor concat_columns(const std::vector<Tensor>& parts);  ///< [B, N_p] each -> [B, sum of N_p]
Tensor concat_rows(const std::vector<Tensor>& parts);     ///< [B_p, N] each -> [sum of B_p, N]
/// Columns begin..end-1: [B, N] -> [B, end - begin]. (Rows are a view: Tensor::slice_rows.)
Tensor slice_columns(const Tensor& x, std::int64_t begin, std::int64_t end);
/// target[:, begin:begin + N) += x.
void add_to_columns(const Tensor& x, const Tensor& target, std::int64_t begin);
/// [R, N], int32 [n] -> [n, N]. A table of numbers or of int32. Throws on an index outside (on a GPU the caller vouches for it).
Tensor gather_rows(const Tensor& table, const Tensor& index);
/// Rows index[0..n) (int32 on the matrix's device) in that order, in buffers with room for `room` entries: the batch of a step
/// that is repeated with other rows (StepGraph). Throws when they have more, or on an index outside; on a GPU the caller vouches
/// for both. What the kernels read is the batch; nnz() of it says `room`, and transpose() refuses it.
CsrMatrix gather_rows(const CsrMatrix& x, const Tensor& index, std::int64_t room);
/// target[index[i], :] += x[i, :]: x [n, N], index int32 [n], target [R, N]. Throws on an index outside, as gather_rows.
void scatter_add_rows(const Tensor& x, const Tensor& index, const Tensor& target);
/// target[r, :] = x[r, :] in the rows with level[r] >= bound[r], int32 [B] each.
void replace_rows(const Tensor& level, const Tensor& bound, const Tensor& x, const Tensor& target);
/// target += amount, int32.
void add_integer(const Tensor& target, std::int32_t amount);

// Random numbers. row_ids as in kernel_contract.inc: int32 [B] or undefined.

Tensor random_uniform(const Shape& shape, const RandomStream& stream, double low, double high, DType dtype = DType::kFloat32,
                      Device device = Device::kCpu, const Tensor& row_ids = {});
Tensor random_normal(const Shape& shape, const RandomStream& stream, double mean = 0, double deviation = 1,
                     DType dtype = DType::kFloat32, Device device = Device::kCpu, const Tensor& row_ids = {});
/// -ln(-ln u): the noise that makes argmax(logits + noise) a draw from softmax(logits).
Tensor random_gumbel(const Shape& shape, const RandomStream& stream, DType dtype = DType::kFloat32, Device device = Device::kCpu,
                     const Tensor& row_ids = {});
Tensor dropout(const Tensor& x, double p, const RandomStream& stream, const Tensor& row_ids = {});

// Selection.

/// Columns of the k largest entries of each row outside `masked` [B, N], which is on the device of x: best first, ties by lower
/// column, NaN last, -1 where they run out. int32 [B, k] for any k.
Tensor rank_rows(const Tensor& x, const CsrMatrix& masked, std::int64_t k);
/// Ones at the lengths[r] largest entries of each row r, ties by lower column: [B, N] on the device of x.
CsrMatrix top_lengths_rows(const Tensor& x, std::span<const std::int64_t> lengths);

/// The smallest of those entries that are numbers, infinity if none is: scalar [], where x is.
Tensor smallest(const Tensor& x);
/// The first entry of x that is infinite or NaN, or x.numel().
std::int64_t first_not_finite(const Tensor& x);
/// How many entries have sign x >= bound (sign 1 or -1), and before which chunk how many: what take_at_least needs to know.
struct AtLeast {
  double sign;
  double bound;  ///< a number of x's type
  Tensor starts;
  std::int64_t count;
};
AtLeast count_at_least(const Tensor& x, double sign, double bound);
/// Writes those entries of the x that was counted, in their order: sign x to values [count] (or undefined), and to places [count]
/// int64 first + i for entry i, or from[i] where `from` is defined.
void take_at_least(const Tensor& x, const AtLeast& found, const Tensor& from, std::int64_t first, const Tensor& values,
                   const Tensor& places);
/// The k-th largest entry, 1 <= k <= x.numel() < 2^32.
double kth_largest(const Tensor& x, std::int64_t k);
/// Ones at places row * cols + column (int64, ascending): [rows, cols] on their device.
CsrMatrix places_to_csr(std::int64_t rows, std::int64_t cols, const Tensor& places);
/// Ones where sign x >= bound (as in count_at_least): [B, N] on the device of x [B, N].
CsrMatrix ones_at_least(const Tensor& x, double sign, double bound);

// The rest is fused for one model each.

// MultiVAE's output layer.

/// multinomial_nll behind an output layer, logits = h w^T + bias, in one pass over blocks of items: h [B, H], w [I, H], bias [I].
struct LinearMultinomialNll {
  Tensor loss;  ///< [B]
  Tensor kept;  ///< for the backward pass, the kernel's own affair
};
LinearMultinomialNll linear_multinomial_nll(const Tensor& h, const Tensor& w, const Tensor& bias, const CsrMatrix& target);
struct LinearMultinomialGradients {
  Tensor dh;     ///< [B, H]
  Tensor dw;     ///< [I, H]
  Tensor dbias;  ///< [I]
};
/// Writes over forward.kept: once only.
LinearMultinomialGradients linear_multinomial_nll_backward(const Tensor& h, const Tensor& w, const CsrMatrix& target,
                                                           const LinearMultinomialNll& forward, const Tensor& scale);

// SDRM's objective.

/// SDRM's published objective on stacked outputs s [3 B, K] and clean latents z0 [B, K]; see kernel_contract.inc.
struct ScoreMatching {
  Tensor loss;     ///< []
  Tensor moments;  ///< [3]
};
/// Throws where z0 is one number, which has no variance.
ScoreMatching score_matching(const Tensor& s, const Tensor& z0, double inverse);
Tensor score_matching_backward(const Tensor& s, const Tensor& z0, double inverse, const Tensor& moments, const Tensor& scale);

// CODIGEM's loss.

/// Gaussian negative log-likelihood by row of y [B, N] under output [B, 2 N] = [mean, log-variance]; see kernel_contract.inc.
Tensor gaussian_nll(const Tensor& output, const Tensor& y, double limit);  ///< [B]
Tensor gaussian_nll_backward(const Tensor& output, const Tensor& y, double limit, const Tensor& scale);

// Tables of categories, of CTGAN and TVAE.

/// Softmax within columns of categories: differences d [B, D], noise [B, C]; see kernel_contract.inc. [B, C]
Tensor category_softmax(const CategoryPlanes& planes, const Tensor& d, const Tensor& noise, double temperature);
Tensor category_softmax_backward(const CategoryPlanes& planes, const Tensor& y, const Tensor& dy, double temperature);
/// Cross-entropy over all columns against the target's entries [B, D]: [B].
Tensor category_cross_entropy(const CategoryPlanes& planes, const Tensor& d, const CsrMatrix& target);
/// dd [B, D] when every row's loss counts scale [1] times.
Tensor category_cross_entropy_backward(const CategoryPlanes& planes, const Tensor& d, const CsrMatrix& target,
                                       const Tensor& scale);
/// What the categories stand for: int32 [C], [C] and [columns], where the scores are; see CategoryMeaning in kernels.h.
struct CategoryTable {
  Tensor values, order, places;
};
/// The values of the categories with the largest scores [B, C]: [B, columns], NaN in a column with a score that is infinite or
/// NaN. Throws on a place outside (on a GPU the caller vouches for it).
Tensor category_choice(const CategoryPlanes& planes, const Tensor& scores, const CategoryTable& table);
/// The log-odds of a value in each column, from the scores as logits of a softmax [B, C]: [B, columns], +-1e30 where a column
/// leaves no choice. Throws as category_choice.
Tensor category_odds(const CategoryPlanes& planes, const Tensor& scores, const CategoryTable& table, std::int32_t value);
/// Adam on rows index (int32 [n], none twice, negative: none) of a table [R, N] with moments of its shape; see
/// kernel_contract.inc. done int32 [n]: how many steps each row has had, of the count (int32 [1]) that have been made; factors
/// [steps, kAdamFactors]; gradient [n, N] of one more step, or undefined. On a GPU the caller vouches for index and counts.
void adam_rows(const Tensor& index, const Tensor& done, const Tensor& factors, const Tensor& count, const Tensor& gradient,
               const Tensor& value, const Tensor& first, const Tensor& second);

// DiffRec's diffusion steps, drawn by their recent losses without asking the host: see kernel_contract.inc.

/// The last losses of steps t = 1..T: [T, kRecentLosses], and how many each has had, int32 [T]; none at first.
struct LossHistory {
  LossHistory(std::int64_t steps, DType dtype, Device device);
  Tensor recent;
  Tensor seen;
};
struct StepProbabilities {
  Tensor p;      ///< float64 [T]
  Tensor until;  ///< float64 [T] its running sums
};
StepProbabilities step_probabilities(const LossHistory& history);
struct DrawnSteps {
  Tensor t;        ///< int32 [n] in 1..T
  Tensor divisor;  ///< [n, 1] p_t T
};
/// One step for each number of u, float64 [n] in [0, 1).
DrawnSteps draw_steps(const StepProbabilities& probabilities, const Tensor& u, DType dtype);
/// losses [n] or [n, 1] at steps t int32 [n], in their order. Throws on a step outside (on a GPU the caller vouches for it).
void record_losses(const Tensor& t, const Tensor& losses, const LossHistory& history);

// MLP's layer behind a table of two vectors, for rows of zeros and ones (kernel_contract.inc, "value embedding"): x [B, I] ones
// at the stored entries, table [2, K], w [I, K, N], total [K, N] = sum_i w_i.

/// sum_i table[x_i] w_i: [B, N].
Tensor value_linear(const CsrMatrix& x, const Tensor& table, const Tensor& w, const Tensor& total);
/// The gradients of that. dw is left in factors: it is as large as w, and every entry of it is needed just once.
struct ValueLinearGradients {
  Tensor dtable;  ///< [2, K]
  Tensor all;     ///< [N] column sums of dy
  Tensor seen;    ///< [I, N] x^T dy
};
ValueLinearGradients value_linear_backward(const CsrMatrix& x, const Tensor& w, const Tensor& total, const Tensor& dy);
/// An Adam step for w with moments first and second, in place; `total` becomes that of the new w. `table` is the one of the
/// forward pass, factors [kAdamFactors] a row of Adam::prepare (optim/adam.h), without weight decay, where w is.
void value_linear_adam(const Tensor& table, const ValueLinearGradients& gradients, const Tensor& factors, const Tensor& w,
                       const Tensor& first, const Tensor& second, const Tensor& total);

}  // namespace tapestry
