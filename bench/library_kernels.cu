// Our CUDA kernels beside those of NVIDIA's libraries that do the same, at the sizes of the paper's models: cuSPARSE for products
// with a batch of users, CUB for sums, sorting and selection. tensor/cuda has its own in both places; this bench says at what
// price, or gain. A library's preparations that a new batch would need every time (handles, buffers, cusparseSpMM_bufferSize) are
// not timed, in its favour.
#include <cusparse.h>

#include <cmath>
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_reduce.cuh>
#include <cub/device/device_segmented_radix_sort.cuh>
#include <cub/device/device_segmented_reduce.cuh>
#include <iomanip>
#include <iostream>
#include <limits>
#include <memory>

#include "bench/benches.h"
#include "bench/record.h"
#include "tensor/cuda/cuda_device.h"
#include "tensor/cuda/runtime.h"
#include "tensor/ops.h"

namespace tapestry::bench {
namespace {

constexpr Device kGpu = Device::kCuda;

using Call = std::function<Tensor()>;

/// Two ways to one tensor; a library may have several of its own, by name, of which the fastest counts. Each of them is prepared
/// when its turn comes: one that this version of the library does not have is left out alone.
struct Pair {
  std::string name;
  Call ours;
  std::vector<std::pair<std::string, std::function<Call()>>> theirs;
};

void check(cusparseStatus_t status) {
  if (status != CUSPARSE_STATUS_SUCCESS) fail(ErrorKind::kDevice, "cuSPARSE: ", cusparseGetErrorString(status));
}

Tensor random(const Shape& shape, std::uint32_t step) {
  return random_normal(shape, {1, Purpose::kTest, step}, 0, 1, DType::kFloat32, kGpu);
}

/// Room for `bytes` bytes on the GPU.
Tensor room(std::size_t bytes) { return Tensor::empty({static_cast<std::int64_t>(bytes / 4 + 1)}, DType::kInt32, kGpu); }

/// y = op(x) w by one of cuSPARSE's algorithms, x all ones with 32-bit offsets, all matrices row by row.
class SparseProduct {
 public:
  SparseProduct(const CsrMatrix& x, const Tensor& w, bool transpose, cusparseSpMMAlg_t algorithm)
      : w_(w), transpose_(transpose), algorithm_(algorithm) {
    std::vector<std::int32_t> offsets;
    const Tensor starts = x.offsets().to(Device::kCpu);
    for (const std::int64_t offset : starts.span<std::int64_t>()) {
      offsets.push_back(static_cast<std::int32_t>(offset));
    }
    offsets_ = Tensor::from<std::int32_t>(offsets, {x.rows() + 1}, kGpu);
    columns_ = x.columns();
    values_ = Tensor::full({x.nnz()}, 1, DType::kFloat32, kGpu);
    y_ = Tensor::empty({transpose ? x.cols() : x.rows(), w.cols()}, DType::kFloat32, kGpu);
    check(cusparseCreate(&handle_));
    check(cusparseSetStream(handle_, cuda::context().stream()));
    check(cusparseCreateCsr(&sparse_, x.rows(), x.cols(), x.nnz(), offsets_.raw_data(), columns_.raw_data(), values_.raw_data(),
                            CUSPARSE_INDEX_32I, CUSPARSE_INDEX_32I, CUSPARSE_INDEX_BASE_ZERO, CUDA_R_32F));
    check(cusparseCreateDnMat(&right_, w_.rows(), w_.cols(), w_.cols(), w_.raw_data(), CUDA_R_32F, CUSPARSE_ORDER_ROW));
    check(cusparseCreateDnMat(&result_, y_.rows(), y_.cols(), y_.cols(), y_.raw_data(), CUDA_R_32F, CUSPARSE_ORDER_ROW));
    std::size_t bytes = 0;
    check(cusparseSpMM_bufferSize(handle_, operation(), CUSPARSE_OPERATION_NON_TRANSPOSE, &one_, sparse_, right_, &zero_, result_,
                                  CUDA_R_32F, algorithm_, &bytes));
    buffer_ = room(bytes);
  }
  ~SparseProduct() {
    cusparseDestroyDnMat(result_);
    cusparseDestroyDnMat(right_);
    cusparseDestroySpMat(sparse_);
    cusparseDestroy(handle_);
  }
  SparseProduct(const SparseProduct&) = delete;
  SparseProduct& operator=(const SparseProduct&) = delete;

  Tensor run() const {
    check(cusparseSpMM(handle_, operation(), CUSPARSE_OPERATION_NON_TRANSPOSE, &one_, sparse_, right_, &zero_, result_,
                       CUDA_R_32F, algorithm_, buffer_.raw_data()));
    return y_;
  }

 private:
  cusparseOperation_t operation() const { return transpose_ ? CUSPARSE_OPERATION_TRANSPOSE : CUSPARSE_OPERATION_NON_TRANSPOSE; }

  Tensor w_;
  bool transpose_;
  cusparseSpMMAlg_t algorithm_;
  Tensor offsets_, columns_, values_, y_, buffer_;
  float one_ = 1, zero_ = 0;
  cusparseHandle_t handle_ = nullptr;
  cusparseSpMatDescr_t sparse_ = nullptr;
  cusparseDnMatDescr_t right_ = nullptr, result_ = nullptr;
};

Call sparse_call(const CsrMatrix& x, const Tensor& w, bool transpose, cusparseSpMMAlg_t algorithm) {
  return [product = std::make_shared<SparseProduct>(x, w, transpose, algorithm)] { return product->run(); };
}

/// A CUB algorithm with its working memory: `call(memory, bytes)` as CUB's interfaces want it.
template <typename Algorithm>
Call cub_call(const Tensor& result, const Algorithm& call) {
  std::size_t bytes = 0;
  cuda::check(call(nullptr, bytes), "CUB");
  const Tensor memory = room(bytes);
  return [=] {
    std::size_t given = bytes;
    cuda::check(call(memory.raw_data(), given), "CUB");
    return result;
  };
}

void add_sparse(std::vector<Pair>& pairs, const std::string& name, std::int64_t users, std::int64_t items, double density,
                std::int64_t hidden) {
  const CsrMatrix x = random_rows(users, items, density, 1).to(kGpu);
  const Tensor w = random({items, hidden}, 2), dy = random({users, hidden}, 3);
  const std::string sizes = concat("[", users, ", ", items, "]");
  Pair forward = {concat("sparse ", sizes, " x [", items, ", ", hidden, "], ", name), [=] { return csr_matmul(x, w); }, {}};
  Pair backward = {
      concat("sparse ", sizes, "^T x [", users, ", ", hidden, "], ", name), [=] { return csr_transpose_matmul(x, dy); }, {}};
  // Which is best depends on the layout and the sizes; the third cannot transpose.
  const std::pair<const char*, cusparseSpMMAlg_t> algorithms[] = {
      {"default", CUSPARSE_SPMM_ALG_DEFAULT}, {"CSR_ALG2", CUSPARSE_SPMM_CSR_ALG2}, {"CSR_ALG3", CUSPARSE_SPMM_CSR_ALG3}};
  for (const auto& [algorithm, number] : algorithms) {
    forward.theirs.emplace_back(algorithm, [=, number = number] { return sparse_call(x, w, false, number); });
    if (number == CUSPARSE_SPMM_CSR_ALG3) continue;
    backward.theirs.emplace_back(algorithm, [=, number = number] { return sparse_call(x, dy, true, number); });
  }
  pairs.push_back(std::move(forward));
  pairs.push_back(std::move(backward));
}

std::vector<Pair> all_pairs() {
  std::vector<Pair> pairs;
  add_sparse(pairs, "ml-100k/SVD", 780, 1008, 0.0575, 930);
  add_sparse(pairs, "ml-1m/SVD", 190, 3125, 0.03, 600);
  add_sparse(pairs, "ADM/SVD", 380, 8582, 0.0012, 210);

  const Tensor x = random({1650, 830}, 4);
  const Tensor total = Tensor::empty({}, DType::kFloat32, kGpu), totals = Tensor::empty({1650}, DType::kFloat32, kGpu);
  const auto sum_by_cub = [=] {
    return cub_call(total, [=](void* memory, std::size_t& bytes) {
      return cub::DeviceReduce::Sum(memory, bytes, x.data<float>(), total.data<float>(), x.numel(), cuda::context().stream());
    });
  };
  pairs.push_back({"sum of [1650, 830]", [=] { return sum(x); }, {{"CUB", sum_by_cub}}});

  std::vector<std::int32_t> starts;
  for (std::int32_t row = 0; row <= 1650; ++row) starts.push_back(830 * row);
  const Tensor begins = Tensor::from<std::int32_t>(starts, {1651}, kGpu);
  const auto row_sums_by_cub = [=] {
    return cub_call(totals, [=](void* memory, std::size_t& bytes) {
      const std::int32_t* first = begins.data<std::int32_t>();
      return cub::DeviceSegmentedReduce::Sum(memory, bytes, x.data<float>(), totals.data<float>(), 1650, first, first + 1,
                                             cuda::context().stream());
    });
  };
  pairs.push_back({"row sums of [1650, 830]", [=] { return row_sum(x); }, {{"CUB", row_sums_by_cub}}});

  // Selection: CUB has sorting, whose 50 or 39,312 first are what is wanted.
  const Tensor logits = random({780, 1008}, 5);
  const Tensor sorted = Tensor::empty(logits.shape(), DType::kFloat32, kGpu);
  const auto sorted_by_cub = [=]() -> Call {
    const Call sort = cub_call(sorted, [=](void* memory, std::size_t& bytes) {
      return cub::DeviceRadixSort::SortKeysDescending(memory, bytes, logits.data<float>(), sorted.data<float>(), logits.numel(),
                                                      0, 32, cuda::context().stream());
    });
    return [=] { return sort().reshape({logits.numel()}).slice_rows(39311, 39312); };
  };
  pairs.push_back({"39,312th largest of 786,240 (CUB: all sorted)",
                   [=] { return Tensor::full({1}, kth_largest(logits, 39312), DType::kFloat32, kGpu); },
                   {{"CUB", sorted_by_cub}}});
  starts.clear();
  for (std::int32_t row = 0; row <= 780; ++row) starts.push_back(1008 * row);
  const Tensor rows = Tensor::from<std::int32_t>(starts, {781}, kGpu);
  std::vector<std::int32_t> numbers;
  for (int row = 0; row < 780; ++row) {
    for (std::int32_t col = 0; col < 1008; ++col) numbers.push_back(col);
  }
  const Tensor columns = Tensor::from<std::int32_t>(numbers, {780, 1008}, kGpu);
  const Tensor ranked = Tensor::empty({780, 1008}, DType::kInt32, kGpu);
  const CsrMatrix nothing = CsrMatrix::from_rows(1008, std::vector<std::vector<std::int32_t>>(780)).to(kGpu);  // masks nothing
  const auto rows_sorted_by_cub = [=] {
    return cub_call(ranked, [=](void* memory, std::size_t& bytes) {
      const std::int32_t* first = rows.data<std::int32_t>();
      return cub::DeviceSegmentedRadixSort::SortPairsDescending(
          memory, bytes, logits.data<float>(), sorted.data<float>(), columns.data<std::int32_t>(), ranked.data<std::int32_t>(),
          logits.numel(), 780, first, first + 1, 0, 32, cuda::context().stream());
    });
  };
  pairs.push_back({"best 50 of each row [780, 1008] (CUB: rows sorted)",
                   [=] { return rank_rows(logits, nothing, 50); },
                   {{"CUB", rows_sorted_by_cub}}});
  return pairs;
}

/// A matrix of float32 or int32 on the host.
std::vector<double> numbers_of(const Tensor& matrix) {
  const Tensor here = matrix.to(Device::kCpu);
  std::vector<double> numbers;
  if (here.dtype() == DType::kInt32) {
    for (const std::int32_t number : here.span<std::int32_t>()) numbers.push_back(number);
  } else {
    for (const float number : here.span<float>()) numbers.push_back(number);
  }
  return numbers;
}

/// The largest difference over the columns that both have.
double largest_difference(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = numbers_of(a), y = numbers_of(b);
  double largest = 0;
  for (std::int64_t row = 0; row < a.rows(); ++row) {
    for (std::int64_t col = 0; col < std::min(a.cols(), b.cols()); ++col) {
      const auto at_x = static_cast<std::size_t>(row * a.cols() + col), at_y = static_cast<std::size_t>(row * b.cols() + col);
      largest = std::max(largest, std::abs(x[at_x] - y[at_y]));
    }
  }
  return largest;
}

void measure(const Pair& pair) {
  const double ours = 1e6 * median(call_seconds([&] { pair.ours(); }));
  double theirs = std::numeric_limits<double>::infinity(), difference = 0;
  std::string fastest;
  for (const auto& [name, prepare] : pair.theirs) {
    record().attempt(pair.name + ", " + name, [&, &name = name, &prepare = prepare] {
      const Call run = prepare();
      difference = std::max(difference, largest_difference(pair.ours(), run()));
      const double one = 1e6 * median(call_seconds([&] { run(); }));
      if (one < theirs) {
        theirs = one;
        fastest = name;
      }
    });
  }
  if (fastest.empty()) return;  // why, each of them has said
  std::cout << "  " << std::left << std::setw(60) << pair.name << std::right << std::fixed << std::setprecision(1) << std::setw(9)
            << ours << " us, library (" << fastest << ") " << std::setw(9) << theirs << " us, " << std::setprecision(2)
            << theirs / ours << " times ours; largest difference " << std::scientific << difference << std::endl;
}

}  // namespace

void library_kernels() {
  if (!cuda_report().usable) {
    std::cout << "  for a GPU only: " << cuda_report().reason << std::endl;
    return;
  }
  for (const Pair& pair : all_pairs()) record().attempt(pair.name, [&] { measure(pair); });
}

}  // namespace tapestry::bench
