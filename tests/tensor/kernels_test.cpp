// Every kernel against its reference, in both precisions and awkward sizes, between guard bytes; and every kernel with one, two
// and three threads, which must not show in a single bit.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <span>

#include "tensor/ops.h"
#include "tensor/parallel.h"
#include "tests/support/compare.h"
#include "tests/support/device.h"
#include "tests/support/reference_kernels.h"
#include "tests/tensor/kernel_cases_matrix.h"

namespace tapestry::tests {
namespace {

struct Size {
  std::int64_t rows, cols;
};

/// No multiples of a vector or a warp, nothing, a single row or column, and enough elements (from 16384) to use all threads.
constexpr Size kSizes[] = {{0, 5},  {3, 0},   {1, 1},    {2, 1},     {1, 3},     {3, 17},   {17, 63},
                           {5, 65}, {2, 129}, {7, 1001}, {131, 257}, {1, 20011}, {20011, 1}};

/// Sizes whose kernels run on several threads.
constexpr Size kParallelSizes[] = {{131, 257}, {20011, 1}};

/// Products m, n, k that are cut into strips by rows and columns, several with a small rest behind the last full strip.
constexpr std::int64_t kProducts[][3] = {{49, 49, 3400},  {97, 97, 1000}, {200, 97, 500}, {301, 1031, 130},
                                         {1031, 301, 37}, {97, 1, 90000}, {50, 3, 60000}};

/// The reference of multinomial_nll adds up a full row of entries one after the other, which no tolerance for shorter rows
/// allows.
bool too_wide_for(const std::string& name, const Size& size) { return size.cols > 10000 && name.starts_with("multinomial"); }

/// The emulated device gets a twentieth of the largest sizes, still more than a block's threads.
Size fitting(const Size& size) {
  if (!device_is_emulated()) return size;
  const auto shorter = [](std::int64_t length) { return length > 10000 ? length / 19 : length; };
  return {shorter(size.rows), shorter(size.cols)};
}

template <typename T>
void compare(const KernelCall<T>& fast, const KernelCall<T>& reference, const std::string& what) {
  const auto expected = reference.outputs();
  for (const auto& [name, values] : fast.outputs()) {
    const Allowed allowed = reference.allowed(name);
    const std::vector<double>& wanted = expected.at(name);
    ASSERT_EQ(values.size(), wanted.size()) << what << " output " << name;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double bound =
          allowed.units * static_cast<double>(std::numeric_limits<T>::epsilon()) * std::max(allowed.scale, std::abs(wanted[i]));
      if (!(std::abs(values[i] - wanted[i]) <= bound)) {
        FAIL() << what << " output " << name << "[" << i << "] is " << values[i] << ", reference " << wanted[i] << ", allowed "
               << bound;
      }
    }
  }
}

template <typename Kernels>
void compare_at(const Size& size, const KernelCase<Kernels>& fast,
                const KernelCase<ReferenceKernels<typename Kernels::Scalar>>& reference) {
  using T = typename Kernels::Scalar;
  KernelCall<T> tested(size.rows, size.cols, test_device());
  KernelCall<T> wanted(size.rows, size.cols, Device::kCpu);
  fast.run(tested);
  reference.run(wanted);
  const std::string what = concat(fast.name, " ", kDTypeOf<T>, " [", size.rows, ", ", size.cols, "]");
  EXPECT_EQ(wanted.damaged(), "") << what << " (reference)";
  EXPECT_EQ(tested.damaged(), "") << what << " wrote outside its outputs";
  compare(tested, wanted, what);
}

template <typename Kernels>
void compare_with_reference(std::size_t index) {
  using T = typename Kernels::Scalar;
  const KernelCase<Kernels> fast = kernel_cases<Kernels>()[index];
  const KernelCase<ReferenceKernels<T>> reference = kernel_cases<ReferenceKernels<T>>()[index];
  for (const Size& listed : kSizes) {
    const Size size = fitting(listed);
    if (too_wide_for(fast.name, size) || (size.cols == 0 && !fast.empty_rows)) continue;
    compare_at(size, fast, reference);
  }
}

/// Wider or more than a GPU's block or launch takes, which would be too much at all sizes.
template <typename K>
std::vector<KernelCase<K>> large_cases() {
  using T = typename K::Scalar;
  using Call = KernelCall<T>;
  constexpr std::int64_t kWide = 1100, kOutputs = 300, kWidth = 2, kCount = 3;
  return {
      {"csr_transpose_matmul_of_1100",
       [](Call& c) {
         K::csr_transpose_matmul(c.csr(true), kWide, c.input('d', c.rows * kWide), c.output('y', c.cols * kWide, {4, 20}));
       }},
      {"value_linear_of_300",
       [](Call& c) {
         K::value_linear(c.csr(false), kWidth, kOutputs, c.input('t', 2 * kWidth), c.input('w', c.cols * kWidth * kOutputs),
                         c.input('s', kWidth * kOutputs), c.output('y', c.rows * kOutputs, {8, 120}));
       }},
      {"adam_of_many",
       [](Call& c) {
         std::array<ParameterView<T>, 70> parameters;
         const auto all = kCount * static_cast<std::int64_t>(parameters.size());
         T* value = c.in_out('p', all, {16, 1});
         const T* gradient = c.input('g', all);
         T* first = c.in_out('m', all, {16, 1});
         T* second = c.in_out('v', all, {16, 1}, 0, 1);
         for (std::size_t i = 0; i < parameters.size(); ++i) {
           const std::int64_t at = kCount * static_cast<std::int64_t>(i);
           parameters[i] = {value + at, gradient + at, first + at, second + at, kCount};
         }
         const std::vector<T> factors = {T(0.9), T(0.999), T(0.1), T(0.001), T(0.3), T(1), T(0.037), T(18.3), T(1e-8)};
         K::adam_prepared(parameters.data(), static_cast<int>(parameters.size()), c.given('z', factors));
       }},
  };
}

template <typename Kernels>
void compare_large_cases() {
  const auto fast = large_cases<Kernels>();
  const auto reference = large_cases<ReferenceKernels<typename Kernels::Scalar>>();
  for (std::size_t i = 0; i < fast.size(); ++i) compare_at({5, 7}, fast[i], reference[i]);
}

template <typename Kernels>
void compare_thread_counts(std::size_t index) {
  using T = typename Kernels::Scalar;
  const KernelCase<Kernels> kernel = kernel_cases<Kernels>()[index];
  for (const Size& size : kParallelSizes) {
    if (too_wide_for(kernel.name, size)) continue;
    std::map<char, std::vector<double>> alone;
    for (const int threads : {1, 2, 3}) {
      set_num_threads(threads);
      KernelCall<T> call(size.rows, size.cols, test_device());
      kernel.run(call);
      if (threads == 1) alone = call.outputs();
      EXPECT_EQ(alone, call.outputs()) << kernel.name << " " << kDTypeOf<T> << " [" << size.rows << ", " << size.cols << "] on "
                                       << threads << " threads";
    }
    set_num_threads(0);
  }
}

class ProductTest : public DeviceTest {};

class LargeKernelTest : public DeviceTest {};

class KernelTest : public DeviceTest, public ::testing::WithParamInterface<std::size_t> {};

TEST_P(KernelTest, MatchesReference) {
  if (test_device() == Device::kCpu) {
    compare_with_reference<CpuKernels<float>>(GetParam());
    compare_with_reference<CpuKernels<double>>(GetParam());
  } else {
    compare_with_reference<CudaKernels<float>>(GetParam());
    compare_with_reference<CudaKernels<double>>(GetParam());
  }
}

TEST_F(LargeKernelTest, MatchesReference) {
  if (test_device() == Device::kCpu) {
    compare_large_cases<CpuKernels<float>>();
    compare_large_cases<CpuKernels<double>>();
  } else {
    compare_large_cases<CudaKernels<float>>();
    compare_large_cases<CudaKernels<double>>();
  }
}

TEST_P(KernelTest, IgnoresThreadCount) {
  if (test_device() != Device::kCpu) GTEST_SKIP() << "threads are the CPU's";
  compare_thread_counts<CpuKernels<float>>(GetParam());
  compare_thread_counts<CpuKernels<double>>(GetParam());
}

TEST_F(ProductTest, ProductsIgnoreThreadCount) {
  if (test_device() != Device::kCpu) GTEST_SKIP() << "threads are the CPU's";
  for (const auto& [m, n, k] : kProducts) {
    for (const bool transpose : {false, true}) {
      const Tensor a = random_tensor(transpose ? Shape{k, m} : Shape{m, k}, 1, -2, 2, DType::kFloat32);
      const Tensor b = random_tensor(transpose ? Shape{n, k} : Shape{k, n}, 2, -2, 2, DType::kFloat32);
      set_num_threads(1);
      const Tensor alone = matmul(a, b, transpose, transpose);
      for (const int threads : {2, 3, 4}) {
        set_num_threads(threads);
        const Tensor shared = matmul(a, b, transpose, transpose);
        EXPECT_TRUE(same_bits(alone, shared))
            << m << " x " << n << " x " << k << (transpose ? " transposed" : "") << " on " << threads << " threads";
      }
      set_num_threads(0);
    }
  }
}

std::string case_name(const ::testing::TestParamInfo<std::size_t>& info) {
  return kernel_cases<CpuKernels<float>>()[info.param].name;
}

INSTANTIATE_TEST_SUITE_P(All, KernelTest, ::testing::Range<std::size_t>(0, kernel_cases<CpuKernels<float>>().size()), case_name);

}  // namespace
}  // namespace tapestry::tests
