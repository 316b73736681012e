// The kernels of a GPU in a build without CUDA: each says so.
#include "tensor/error.h"
#include "tensor/kernels.h"

namespace tapestry {
namespace {

[[noreturn]] void no_cuda(const char* what) {
  fail(ErrorKind::kDevice, what, ": this build has no CUDA; configure with -DTAPESTRY_CUDA=ON or use the CPU");
}

}  // namespace

template <typename T>
void CudaKernels<T>::fill(std::int64_t, T, T*) {
  no_cuda("fill");
}

template <typename T>
void CudaKernels<T>::convert(std::int64_t, const T*, float*) {
  no_cuda("convert");
}

template <typename T>
void CudaKernels<T>::convert(std::int64_t, const T*, double*) {
  no_cuda("convert");
}

template <typename T>
void CudaKernels<T>::unary(UnaryOp, std::int64_t, const T*, T, T*) {
  no_cuda("unary");
}

template <typename T>
void CudaKernels<T>::unary_backward(UnaryOp, std::int64_t, const T*, T, const T*, T*) {
  no_cuda("unary_backward");
}

template <typename T>
void CudaKernels<T>::binary(BinaryOp, std::int64_t, std::int64_t, const T*, std::int64_t, std::int64_t, const T*, std::int64_t,
                            std::int64_t, T*) {
  no_cuda("binary");
}

template <typename T>
void CudaKernels<T>::linear_combination(std::int64_t, int, const T*, const T* const*, T*) {
  no_cuda("linear_combination");
}

template <typename T>
void CudaKernels<T>::prelu(std::int64_t, const T*, const T*, T*) {
  no_cuda("prelu");
}

template <typename T>
void CudaKernels<T>::prelu_backward(std::int64_t, const T*, const T*, const T*, T*, T*) {
  no_cuda("prelu_backward");
}

template <typename T>
void CudaKernels<T>::bce_with_logits(std::int64_t, const T*, const T*, T*) {
  no_cuda("bce_with_logits");
}

template <typename T>
void CudaKernels<T>::bce_with_logits_backward(std::int64_t, const T*, const T*, const T*, T*) {
  no_cuda("bce_with_logits_backward");
}

template <typename T>
void CudaKernels<T>::bias_activation(Activation, std::int64_t, std::int64_t, const T*, const T*, T*, T*) {
  no_cuda("bias_activation");
}

template <typename T>
void CudaKernels<T>::row_sum(std::int64_t, std::int64_t, const T*, bool, T*) {
  no_cuda("row_sum");
}

template <typename T>
void CudaKernels<T>::column_sum(std::int64_t, std::int64_t, const T*, T*) {
  no_cuda("column_sum");
}

template <typename T>
void CudaKernels<T>::sum(std::int64_t, const T*, T*) {
  no_cuda("sum");
}

template <typename T>
void CudaKernels<T>::sum_squares(std::int64_t, const T*, const T*, T*) {
  no_cuda("sum_squares");
}

template <typename T>
void CudaKernels<T>::log_softmax(std::int64_t, std::int64_t, const T*, T*) {
  no_cuda("log_softmax");
}

template <typename T>
void CudaKernels<T>::log_softmax_backward(std::int64_t, std::int64_t, const T*, const T*, T*) {
  no_cuda("log_softmax_backward");
}

template <typename T>
void CudaKernels<T>::multinomial_nll(const T*, const CsrView<T>&, T*, T*) {
  no_cuda("multinomial_nll");
}

template <typename T>
void CudaKernels<T>::multinomial_nll_backward(const T*, const CsrView<T>&, const T*, const T*, T*) {
  no_cuda("multinomial_nll_backward");
}

template <typename T>
void CudaKernels<T>::matmul(bool, bool, std::int64_t, std::int64_t, std::int64_t, const T*, std::int64_t, const T*, std::int64_t,
                            bool, T*, std::int64_t) {
  no_cuda("matmul");
}

template <typename T>
void CudaKernels<T>::csr_matmul(const CsrView<T>&, std::int64_t, const T*, T*) {
  no_cuda("csr_matmul");
}

template <typename T>
void CudaKernels<T>::csr_transpose_matmul(const CsrView<T>&, std::int64_t, const T*, T*) {
  no_cuda("csr_transpose_matmul");
}

template <typename T>
void CudaKernels<T>::csr_normalize_rows(const CsrView<T>&, T, T*) {
  no_cuda("csr_normalize_rows");
}

template <typename T>
void CudaKernels<T>::csr_dropout(const CsrView<T>&, T, const RandomStream&, const std::int32_t*, T*) {
  no_cuda("csr_dropout");
}

template <typename T>
void CudaKernels<T>::csr_dense(const CsrView<T>&, T*) {
  no_cuda("csr_dense");
}

template <typename T>
void CudaKernels<T>::gather_rows(std::int64_t, std::int64_t, const T*, const std::int32_t*, T*) {
  no_cuda("gather_rows");
}

template <typename T>
void CudaKernels<T>::scatter_add_rows(std::int64_t, std::int64_t, const T*, const std::int32_t*, T*) {
  no_cuda("scatter_add_rows");
}

template <typename T>
void CudaKernels<T>::random_uniform(std::int64_t, std::int64_t, const RandomStream&, const std::int32_t*, T, T, T*) {
  no_cuda("random_uniform");
}

template <typename T>
void CudaKernels<T>::random_normal(std::int64_t, std::int64_t, const RandomStream&, const std::int32_t*, T, T, T*) {
  no_cuda("random_normal");
}

template <typename T>
void CudaKernels<T>::dropout(std::int64_t, std::int64_t, const T*, T, const RandomStream&, const std::int32_t*, T*) {
  no_cuda("dropout");
}

template <typename T>
void CudaKernels<T>::value_linear(const CsrView<T>&, std::int64_t, std::int64_t, const T*, const T*, const T*, T*) {
  no_cuda("value_linear");
}

template <typename T>
void CudaKernels<T>::value_linear_backward(const CsrView<T>&, std::int64_t, std::int64_t, const T*, const T*, T*) {
  no_cuda("value_linear_backward");
}

template <typename T>
void CudaKernels<T>::value_linear_adam(std::int64_t, std::int64_t, std::int64_t, const T*, const T*, const T*, const T*, T*, T*,
                                       T*, T*, T*) {
  no_cuda("value_linear_adam");
}

template <typename T>
void CudaKernels<T>::gaussian_nll(std::int64_t, std::int64_t, const T*, const T*, T, T*) {
  no_cuda("gaussian_nll");
}

template <typename T>
void CudaKernels<T>::gaussian_nll_backward(std::int64_t, std::int64_t, const T*, const T*, T, const T*, T*) {
  no_cuda("gaussian_nll_backward");
}

template <typename T>
void CudaKernels<T>::sgd(const ParameterView<T>*, int, double, double, double) {
  no_cuda("sgd");
}

template <typename T>
void CudaKernels<T>::copy_block(std::int64_t, std::int64_t, const T*, std::int64_t, bool, T*, std::int64_t) {
  no_cuda("copy_block");
}

template <typename T>
void CudaKernels<T>::linear_multinomial_nll(std::int64_t, const T*, const T*, const T*, const CsrView<T>&, T*, T*, T*) {
  no_cuda("linear_multinomial_nll");
}

template <typename T>
void CudaKernels<T>::linear_multinomial_nll_backward(std::int64_t, const T*, const T*, const CsrView<T>&, T*, const T*, T*, T*,
                                                     T*, T*) {
  no_cuda("linear_multinomial_nll_backward");
}

template <typename T>
LinearMultinomialRoom CudaKernels<T>::linear_multinomial_room(std::int64_t, std::int64_t, std::int64_t) {
  no_cuda("linear_multinomial_room");
}

template <typename T>
void CudaKernels<T>::score_matching(std::int64_t, const T*, const T*, T, T*, T*) {
  no_cuda("score_matching");
}

template <typename T>
void CudaKernels<T>::score_matching_backward(std::int64_t, const T*, const T*, T, const T*, const T*, T*) {
  no_cuda("score_matching_backward");
}

template <typename T>
void CudaKernels<T>::category_softmax(std::int64_t, const CategoryPlanes&, const T*, const T*, T, T*) {
  no_cuda("category_softmax");
}

template <typename T>
void CudaKernels<T>::category_softmax_backward(std::int64_t, const CategoryPlanes&, const T*, const T*, T, T*) {
  no_cuda("category_softmax_backward");
}

template <typename T>
void CudaKernels<T>::category_cross_entropy(std::int64_t, const CategoryPlanes&, const T*, const CsrView<T>&, T*) {
  no_cuda("category_cross_entropy");
}

template <typename T>
void CudaKernels<T>::category_cross_entropy_backward(std::int64_t, const CategoryPlanes&, const T*, const CsrView<T>&, const T*,
                                                     T*) {
  no_cuda("category_cross_entropy_backward");
}

template <typename T>
void CudaKernels<T>::category_choice(std::int64_t, const CategoryPlanes&, const T*, const CategoryMeaning&, T*) {
  no_cuda("category_choice");
}

template <typename T>
void CudaKernels<T>::category_odds(std::int64_t, const CategoryPlanes&, const T*, const CategoryMeaning&, std::int32_t, T*) {
  no_cuda("category_odds");
}

template <typename T>
void CudaKernels<T>::csr_transpose_matmul_add(const CsrView<T>&, std::int64_t, const T*, T*) {
  no_cuda("csr_transpose_matmul_add");
}

template <typename T>
void CudaKernels<T>::random_gumbel(std::int64_t, std::int64_t, const RandomStream&, const std::int32_t*, T*) {
  no_cuda("random_gumbel");
}

template <typename T>
void CudaKernels<T>::adam_rows(std::int64_t, std::int64_t, const std::int32_t*, const std::int32_t*, const T*,
                               const std::int32_t*, const T*, T*, T*, T*) {
  no_cuda("adam_rows");
}

template <typename T>
void CudaKernels<T>::gather_integers(std::int64_t, std::int64_t, const std::int32_t*, const std::int32_t*, std::int32_t*) {
  no_cuda("gather_integers");
}

template <typename T>
void CudaKernels<T>::add_integer(std::int64_t, std::int32_t, std::int32_t*) {
  no_cuda("add_integer");
}

template <typename T>
void CudaKernels<T>::weighted_sum(std::int64_t, int, const T*, const T* const*, T*) {
  no_cuda("weighted_sum");
}

template <typename T>
void CudaKernels<T>::replace_rows(std::int64_t, std::int64_t, const std::int32_t*, const std::int32_t*, const T*, T*) {
  no_cuda("replace_rows");
}

template <typename T>
void CudaKernels<T>::csr_gather_rows(const CsrView<T>&, std::int64_t, const std::int32_t*, std::int64_t*, std::int32_t*, T*) {
  no_cuda("csr_gather_rows");
}

template <typename T>
void CudaKernels<T>::adam_prepared(const ParameterView<T>*, int, const T*) {
  no_cuda("adam_prepared");
}

template <typename T>
void CudaKernels<T>::adamax_prepared(const ParameterView<T>*, int, const T*) {
  no_cuda("adamax_prepared");
}

template <typename T>
void CudaKernels<T>::step_probabilities(std::int64_t, const T*, const std::int32_t*, double*, double*) {
  no_cuda("step_probabilities");
}

template <typename T>
void CudaKernels<T>::draw_steps(std::int64_t, std::int64_t, const double*, const double*, const double*, std::int32_t*, T*) {
  no_cuda("draw_steps");
}

template <typename T>
void CudaKernels<T>::record_losses(std::int64_t, std::int64_t, const std::int32_t*, const T*, T*, std::int32_t*) {
  no_cuda("record_losses");
}

template <typename T>
void CudaKernels<T>::rank_rows(const CsrView<T>&, const T*, std::int64_t, T*, std::int32_t*) {
  no_cuda("rank_rows");
}

template <typename T>
void CudaKernels<T>::top_lengths_rows(std::int64_t, std::int64_t, const T*, const std::int64_t*, std::int32_t*) {
  no_cuda("top_lengths_rows");
}

template <typename T>
void CudaKernels<T>::first_not_finite(std::int64_t, const T*, std::int64_t*) {
  no_cuda("first_not_finite");
}

template <typename T>
void CudaKernels<T>::smallest(std::int64_t, const T*, T*) {
  no_cuda("smallest");
}

template <typename T>
void CudaKernels<T>::count_at_least(std::int64_t, const T*, T, T, std::int64_t*) {
  no_cuda("count_at_least");
}

template <typename T>
void CudaKernels<T>::take_at_least(std::int64_t, const T*, T, T, const std::int64_t*, const std::int64_t*, std::int64_t, T*,
                                   std::int64_t*) {
  no_cuda("take_at_least");
}

template <typename T>
void CudaKernels<T>::kth_largest(std::int64_t, const T*, std::int64_t, T*, std::int64_t*) {
  no_cuda("kth_largest");
}

template <typename T>
void CudaKernels<T>::places_to_csr(std::int64_t, std::int64_t, std::int64_t, const std::int64_t*, std::int64_t*, std::int32_t*) {
  no_cuda("places_to_csr");
}

template struct CudaKernels<float>;
template struct CudaKernels<double>;

}  // namespace tapestry
