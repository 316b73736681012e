#include "tests/sdrm/sdrm_support.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "autograd/tape.h"
#include "tensor/random.h"

namespace tapestry::tests {

Golden golden_file(const std::string& name) { return Golden(std::string(TAPESTRY_SOURCE_DIR) + "/tests/golden/" + name); }

double relative_error(const Tensor& ours, const Tensor& expected) {
  check(ours.numel() == expected.numel(), "relative_error: ", ours.shape(), " and ", expected.shape());
  const Tensor a = ours.to(DType::kFloat64);
  const Tensor b = expected.to(DType::kFloat64);
  double difference = 0;
  double norm = 0;
  for (std::int64_t i = 0; i < a.numel(); ++i) {
    const double delta = a.data<double>()[i] - b.data<double>()[i];
    difference += delta * delta;
    norm += b.data<double>()[i] * b.data<double>()[i];
  }
  return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

double golden_tolerance(DType dtype) { return dtype == DType::kFloat64 ? 1e-10 : 1e-5; }

::testing::AssertionResult matches_golden(const Golden& golden, const std::string& name, const Tensor& ours) {
  const Tensor expected = golden.tensor(name);
  if (!ours.defined()) return ::testing::AssertionFailure() << name << " is undefined";
  if (ours.numel() != expected.numel()) {
    return ::testing::AssertionFailure() << name << " has shape " << ours.shape() << ", recorded " << expected.shape();
  }
  const double error = relative_error(ours, expected);
  if (!(error <= golden_tolerance(ours.dtype()))) {
    return ::testing::AssertionFailure() << name << " (" << ours.dtype() << ") is off by " << error << " of its norm";
  }
  return ::testing::AssertionSuccess();
}

void load_initial(const Golden& golden, const nn::Module& module, DType dtype) {
  std::vector<std::pair<std::string, Tensor>> state;
  for (const nn::NamedParameter& parameter : module.named_parameters()) {
    state.emplace_back(parameter.name, golden.tensor("initial." + parameter.name, dtype).reshape(parameter.variable.shape()));
  }
  ASSERT_EQ(state.size(), golden.names_under("initial.").size());
  module.load_state(state);
}

Tensor repeated(std::int64_t count, std::int32_t value) {
  return Tensor::from<std::int32_t>(std::vector<std::int32_t>(static_cast<std::size_t>(count), value), {count});
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         (a.bytes() == 0 || std::memcmp(a.raw_data(), b.raw_data(), static_cast<std::size_t>(a.bytes())) == 0);
}

bool same_state(const nn::Module& a, const nn::Module& b) {
  const auto first = a.state();
  const auto second = b.state();
  bool same = first.size() == second.size();
  for (std::size_t i = 0; same && i < first.size(); ++i) {
    same = first[i].first == second[i].first && same_bits(first[i].second.to(Device::kCpu), second[i].second.to(Device::kCpu));
  }
  return same;
}

double worst_gradient_error(const nn::Module& module, const std::function<autograd::Variable()>& loss) {
  module.clear_gradients();
  {
    autograd::Tape tape;
    tape.backward(loss());
  }
  constexpr double kStep = 1e-5;
  double worst = 0;
  for (const nn::NamedParameter& parameter : module.named_parameters()) {
    const Tensor& value = parameter.variable.value();
    check(parameter.variable.gradient().defined(), "worst_gradient_error: ", parameter.name, " got no gradient");
    const Tensor numeric = Tensor::empty(value.shape(), DType::kFloat64);
    for (std::int64_t i = 0; i < value.numel(); ++i) {
      double& element = value.data<double>()[i];
      const double original = element;
      element = original + kStep;
      const double above = loss().value().item();
      element = original - kStep;
      const double below = loss().value().item();
      element = original;
      numeric.data<double>()[i] = (above - below) / (2 * kStep);
    }
    const double error = relative_error(parameter.variable.gradient(), numeric);
    if (!(error <= worst)) worst = error;
    if (std::isnan(worst)) break;
  }
  module.clear_gradients();
  return worst;
}

CsrMatrix grouped_matrix(std::int64_t rows, std::int64_t cols, int groups, std::uint64_t seed) {
  RandomSequence random({seed, Purpose::kTest, 7});
  std::vector<std::vector<std::int32_t>> pattern(static_cast<std::size_t>(rows));
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t col = 0; col < cols; ++col) {
      const double chance = row % groups == col % groups ? 0.7 : 0.05;
      if (random.uniform() < chance) pattern[static_cast<std::size_t>(row)].push_back(static_cast<std::int32_t>(col));
    }
  }
  return CsrMatrix::from_rows(cols, pattern);
}

}  // namespace tapestry::tests
