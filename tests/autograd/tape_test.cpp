// What a tape records, how gradients gather, and that gradients which share memory are never overwritten.
#include "autograd/tape.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "autograd/elementwise.h"
#include "autograd/gradient_check.h"
#include "autograd/loss.h"
#include "autograd/matrix.h"
#include "autograd/reduction.h"
#include "tests/support/device.h"
#include "tests/support/misuse.h"
#include "tests/support/random_data.h"

namespace tapestry::tests {
namespace {

using namespace autograd;

class TapeTest : public DeviceTest {
 protected:
  static Tensor values(std::initializer_list<double> numbers) {
    return Tensor::from<double>(numbers, {static_cast<std::int64_t>(numbers.size())}, test_device());
  }
  static std::vector<double> host(const Tensor& x) {
    const Tensor on_host = x.to(Device::kCpu);
    return {on_host.span<double>().begin(), on_host.span<double>().end()};
  }
  static Tensor data(const Shape& shape, std::uint64_t seed) {
    return random_tensor(shape, seed, -1, 1, DType::kFloat64, test_device());
  }
};

TEST_F(TapeTest, RecordsOnlyWhatNeedsAGradient) {
  const Variable x = Variable::parameter(values({1, 2}));
  EXPECT_EQ(Tape::current(), nullptr);
  EXPECT_FALSE(square(x).requires_grad()) << "no tape";
  Tape tape;
  EXPECT_TRUE(square(x).requires_grad());
  EXPECT_EQ(tape.records(), 1U);
  EXPECT_FALSE(square(Variable(values({1, 2}))).requires_grad()) << "a constant";
  {
    const NoGrad no_grad;
    EXPECT_EQ(Tape::current(), nullptr);
    EXPECT_FALSE(square(x).requires_grad());
  }
  EXPECT_EQ(tape.records(), 1U);
  EXPECT_EQ(Tape::current(), &tape);
}

template <typename T>
concept LivesOnTheHeap = requires {
  new T;
};
static_assert(LivesOnTheHeap<int> && !LivesOnTheHeap<Tape> && !LivesOnTheHeap<NoGrad>);

TEST_F(TapeTest, AnotherThreadHasItsOwn) {
  const Tape tape;
  bool recorded = true;
  std::thread([&] { recorded = Tape::current() != nullptr; }).join();
  EXPECT_FALSE(recorded);
}

TEST_F(TapeTest, Nests) {
  const Variable x = Variable::parameter(values({3}));
  Tape outer;
  const Variable y = square(x);
  {
    Tape inner;
    const Variable z = scale(x, 5);
    EXPECT_EQ(inner.records(), 1U);
    inner.backward(z);
    EXPECT_EQ(host(x.gradient()), std::vector<double>{5});
  }
  EXPECT_EQ(Tape::current(), &outer);
  EXPECT_EQ(outer.records(), 1U);
  x.clear_gradient();
  outer.backward(y);
  EXPECT_EQ(host(x.gradient()), std::vector<double>{6});
}

TEST_F(TapeTest, GradientsGatherOverTapesUntilCleared) {
  const Variable x = Variable::parameter(values({1, 2}));
  const auto sweep = [&] {
    Tape tape;
    tape.backward(autograd::sum(square(x)));
  };
  EXPECT_FALSE(x.gradient().defined());
  sweep();
  const Tensor first = x.gradient();
  EXPECT_EQ(host(first), (std::vector<double>{2, 4}));
  sweep();
  EXPECT_EQ(host(x.gradient()), (std::vector<double>{4, 8}));
  EXPECT_EQ(host(first), (std::vector<double>{2, 4})) << "a gradient somebody holds was changed";
  x.clear_gradient();
  EXPECT_FALSE(x.gradient().defined());
  sweep();
  EXPECT_EQ(host(x.gradient()), (std::vector<double>{2, 4}));
}

TEST_F(TapeTest, RefusesMisuse) {
  const Variable x = Variable::parameter(values({1, 2}));
  const Variable too_early = autograd::sum(x);
  Tape tape;
  expect_misuse([&] { tape.backward(too_early); },
                {"does not depend on any parameter", "was the tape made before the forward pass?"});
  const Variable y = square(x);
  EXPECT_THROW(tape.backward(y), Error) << "two elements need a cotangent";
  EXPECT_THROW(tape.backward(y, values({1, 2, 3})), Error);
  EXPECT_THROW(tape.backward(Variable(values({1}))), Error);
  EXPECT_THROW(tape.backward(y, Tensor::full({2}, 1.0, DType::kFloat32, test_device())), Error) << "of another type";
  tape.backward(y, values({1, 1}));
  EXPECT_THROW(tape.backward(y, values({1, 1})), Error) << "a second sweep";
  EXPECT_THROW(Variable(values({1})).gradient(), Error);
}

TEST_F(TapeTest, RefusesWhatAnotherTapeRecordedAndLeavesItAlone) {
  const Variable x = Variable::parameter(values({1, 2}));
  Variable gone;
  {
    const Tape tape;
    gone = autograd::sum(x);
  }
  Tape outer;
  const Variable y = autograd::sum(square(x));
  {
    Tape inner;
    const Variable z = scale(x, 5);
    EXPECT_THROW(inner.backward(y), Error);
    EXPECT_FALSE(y.gradient().defined());
    inner.backward(z, values({1, 1}));  // what was refused does not count as its sweep
  }
  EXPECT_THROW(outer.backward(gone), Error);
  x.clear_gradient();
  outer.backward(y);
  EXPECT_EQ(host(x.gradient()), (std::vector<double>{2, 4}));
}

TEST_F(TapeTest, RefusesAnInputThatAnotherTapeRecorded) {
  const Variable x = Variable::parameter(values({3}));
  Variable gone;
  {
    const Tape tape;
    gone = square(x);
  }
  Tape outer;
  const Variable y = scale(x, 2);
  {
    const Tape inner;
    EXPECT_THROW(scale(y, 5), Error) << "the 5 would stay in y's slot for the outer sweep";
    EXPECT_THROW(add(x, y), Error);
    EXPECT_NO_THROW(scale(Variable(y.value()), 5)) << "a constant";
  }
  EXPECT_THROW(multiply(gone, x), Error) << "the gradient would go nowhere";
  const Variable parameter = Variable::parameter(values({3}).reshape({1, 1})), lost(gone.value().reshape({1, 1}), gone.slot());
  for (const std::vector<Variable>& parts : {std::vector{lost, parameter}, std::vector{parameter, lost}}) {
    EXPECT_THROW(concat_columns(parts), Error) << "wherever it stands among the parts";
    EXPECT_THROW(concat_rows(parts), Error);
    const NoGrad no_grad;
    EXPECT_NO_THROW(concat_rows(parts)) << "nothing is recorded";
  }
  const std::size_t before = outer.records();
  outer.backward(y);
  EXPECT_EQ(before, 1U);
  EXPECT_EQ(host(x.gradient()), std::vector<double>{2});
}

TEST_F(TapeTest, ConcatenationKeepsNoValues) {
  const Variable x = Variable::parameter(values({1, 2}).reshape({1, 2}));
  const Tape tape;
  const Variable y = square(x);  // keeps x
  const Variable both = autograd::concat_columns({y, square(x)}), rows = autograd::concat_rows({y, y});
  EXPECT_TRUE(y.value().sole_owner());
  EXPECT_THROW(autograd::concat_columns({}), Error);
  EXPECT_THROW(autograd::concat_rows({}), Error);
}

TEST_F(TapeTest, ALeafIsItsOwnGradient) {
  const Variable x = Variable::parameter(values({3}));
  Tape().backward(x);
  EXPECT_EQ(host(x.gradient()), std::vector<double>{1});
}

TEST_F(TapeTest, CombinationsHaveOneToFourTermsAndAWeightForEach) {
  const Variable x = Variable::parameter(values({3}));
  const Tape tape;
  EXPECT_THROW(autograd::linear_combination({}), Error);
  EXPECT_THROW(autograd::linear_combination({{1, x}, {1, x}, {1, x}, {1, x}, {1, x}}), Error);
  const Tensor weights = values({2, 3});
  EXPECT_EQ(autograd::weighted_sum(weights, x, x).value().item(), 15);
  expect_misuse([&] { autograd::weighted_sum(weights.reshape({1, 2}), x, x); }, {"weighted_sum", "[1, 2]", "[2]"});
}

TEST_F(TapeTest, AnEmptyBatchAddsNothingToABroadcastOperand) {
  const Variable x = Variable::parameter(Tensor::empty({0, 2}, DType::kFloat64, test_device()));
  const Variable bias = Variable::parameter(values({1, 2}));
  Tape tape;
  tape.backward(autograd::sum(add(x, bias)));
  EXPECT_EQ(host(bias.gradient()), (std::vector<double>{0, 0}));
  EXPECT_EQ(x.gradient().shape(), Shape({0, 2}));
}

TEST_F(TapeTest, ABranchThatIsNotUsedGetsNothing) {
  const Variable x = Variable::parameter(values({1, 2}));
  const Variable other = Variable::parameter(values({1, 2}));
  Tape tape;
  const Variable unused = square(other);
  tape.backward(autograd::sum(x));
  EXPECT_FALSE(other.gradient().defined());
  EXPECT_EQ(host(x.gradient()), (std::vector<double>{1, 1}));
}

TEST_F(TapeTest, TheSweepRecordsNothing) {
  const Variable x = Variable::parameter(values({1, 2}));
  Tape tape;
  // A closure that is written with variables would record.
  const Variable y =
      record(x.value().clone(), {&x}, [x](const Tensor& dy) { x.slot().accumulate(multiply(x, Variable(dy)).value()); });
  const std::size_t before = tape.records();
  tape.backward(y, values({1, 1}));
  EXPECT_EQ(tape.records(), before);
  EXPECT_EQ(host(x.gradient()), (std::vector<double>{1, 2}));
}

TEST_F(TapeTest, ACotangentOfTheCallerIsNotWrittenOver) {
  const Variable x = Variable::parameter(values({0.5, -1}));
  const Tensor cotangent = values({1, 2});
  Tape tape;
  tape.backward(autograd::tanh(square(x)), cotangent);
  EXPECT_EQ(host(cotangent), (std::vector<double>{1, 2}));
}

TEST_F(TapeTest, OneGradientHandedToTwoIsNotWrittenOver) {
  // add gives both operands the same tensor; tanh's and relu's backward would like to write over theirs.
  const Variable a = Variable::parameter(values({0.5, -1}));
  const Variable b = Variable::parameter(values({2, 3}));
  const Variable direct = Variable::parameter(values({7, 7}));
  Tape tape;
  const Variable sum = add(add(autograd::tanh(a), relu(b)), direct);
  tape.backward(sum, values({1, 10}));
  EXPECT_EQ(host(direct.gradient()), (std::vector<double>{1, 10}));
  EXPECT_EQ(host(b.gradient()), (std::vector<double>{1, 10}));
  EXPECT_TRUE(std::abs(host(a.gradient())[1] - 10 * (1 - std::pow(std::tanh(-1.0), 2))) <= 1e-14);
}

TEST_F(TapeTest, GradientsOfABatchMeanAreMeansOfRowGradients) {
  const CsrMatrix x = random_csr(6, 9, 4, true, DType::kFloat64, Device::kCpu);
  const std::vector<Variable> parameters = {Variable::parameter(data({9, 5}, 1)), Variable::parameter(data({5}, 2)),
                                            Variable::parameter(data({9, 5}, 3)), Variable::parameter(data({9}, 4))};
  const auto gradients = [&](const CsrMatrix& batch) {
    for (const Variable& parameter : parameters) parameter.clear_gradient();
    Tape tape;
    const CsrMatrix input = batch.to(test_device());
    const Variable hidden = sparse_linear(input, parameters[0], parameters[1], Activation::kTanh);
    tape.backward(autograd::multinomial_nll(linear(hidden, parameters[2], parameters[3]), input));
    std::vector<std::vector<double>> all;
    for (const Variable& parameter : parameters) all.push_back(host(parameter.gradient()));
    return all;
  };
  const auto whole = gradients(x);
  std::vector<std::vector<double>> mean;
  for (const auto& gradient : whole) mean.emplace_back(gradient.size(), 0.0);
  for (std::int64_t row = 0; row < x.rows(); ++row) {
    const auto one = gradients(x.slice_rows(row, row + 1));
    for (std::size_t p = 0; p < mean.size(); ++p) {
      for (std::size_t i = 0; i < mean[p].size(); ++i) mean[p][i] += one[p][i] / static_cast<double>(x.rows());
    }
  }
  for (std::size_t p = 0; p < mean.size(); ++p) {
    for (std::size_t i = 0; i < mean[p].size(); ++i) {
      EXPECT_TRUE(std::abs(whole[p][i] - mean[p][i]) <= 1e-13) << "parameter " << p << " element " << i;
    }
  }
}

TEST_F(TapeTest, AWarmStepAsksTheSystemForNothing) {
  const Variable weight = Variable::parameter(data({30, 40}, 1));
  const Variable bias = Variable::parameter(data({30}, 2));
  const Tensor x = data({20, 40}, 3);
  const auto step = [&] {
    weight.clear_gradient();
    bias.clear_gradient();
    Tape tape;
    tape.backward(mean_square(linear(x, weight, bias, Activation::kTanh)));
  };
  for (int i = 0; i < 3; ++i) step();
  const std::int64_t before = pool_stats(test_device()).system_allocations;
  for (int i = 0; i < 5; ++i) step();
  EXPECT_EQ(pool_stats(test_device()).system_allocations, before);
}

TEST_F(TapeTest, TheCheckCatchesAWrongGradient) {
  const auto wrong = [](const std::vector<Variable>& x) {  // d(x^3) taken for 3.001 x^2
    const Tensor squared = unary(UnaryOp::kSquare, x[0].value());
    return record(binary(BinaryOp::kMultiply, squared, x[0].value()), {&x[0]}, [squared, dx = x[0].slot()](const Tensor& dy) {
      dx.accumulate(binary(BinaryOp::kMultiply, dy, tapestry::linear_combination({{3.001, squared}})));
    });
  };
  const GradientCheck result = check_gradients(wrong, {data({4, 3}, 1)});
  EXPECT_FALSE(result.within(1e-6));
  EXPECT_NE(result.location.find("input 0 element"), std::string::npos) << result.location;
}

TEST_F(TapeTest, TheCheckCallsTheFunctionTwiceForEachElement) {
  int calls = 0;
  const auto product = [&](const std::vector<Variable>& x) {
    ++calls;
    return multiply(x[0], x[1]);
  };
  EXPECT_TRUE(check_gradients(product, {data({4, 3}, 1), data({3}, 2)}).within(1e-6));
  EXPECT_EQ(calls, 1 + 2 * (12 + 3));
}

TEST_F(TapeTest, TheCheckSeesErrorsThatASumWouldNot) {
  // log-softmax's gradient without its second term: its error cancels under a sum over softmax rows, not under a random
  // cotangent.
  const auto wrong = [](const std::vector<Variable>& x) {
    return record(tapestry::log_softmax(x[0].value()), {&x[0]}, [dx = x[0].slot()](const Tensor& dy) { dx.accumulate(dy); });
  };
  EXPECT_FALSE(check_gradients(wrong, {data({4, 3}, 1)}).within(1e-6));
}

TEST_F(TapeTest, TheCheckFailsOnNanAndOnAMissingGradient) {
  const auto nan = [](const std::vector<Variable>& x) {
    return record(x[0].value().clone(), {&x[0]}, [dx = x[0].slot()](const Tensor& dy) {
      dx.accumulate(Tensor::full(dy.shape(), std::numeric_limits<double>::quiet_NaN(), dy.dtype(), dy.device()));
    });
  };
  const GradientCheck result = check_gradients(nan, {data({4, 3}, 1)});
  EXPECT_TRUE(std::isnan(result.worst));
  EXPECT_FALSE(result.within(1e300));
  EXPECT_THROW(check_gradients([](const std::vector<Variable>& x) { return square(x[0]); }, {data({2}, 1), data({2}, 2)}), Error);
  EXPECT_THROW(check_gradients([](const std::vector<Variable>& x) { return square(x[0]); }, {data({2}, 1).to(DType::kFloat32)}),
               Error);
  const auto reshaped = [](const std::vector<Variable>& x) {  // the right numbers in another shape
    return record(x[0].value().clone(), {&x[0]}, [dx = x[0].slot()](const Tensor& dy) { dx.accumulate(dy.reshape({3, 4})); });
  };
  EXPECT_THROW(check_gradients(reshaped, {data({4, 3}, 1)}), Error);
}

}  // namespace
}  // namespace tapestry::tests
