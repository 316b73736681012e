#include "sdrm/score_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

#include "autograd/tape.h"
#include "tests/support/compare.h"
#include "tests/support/random_data.h"

namespace tapestry::sdrm {
namespace {

using autograd::Tape;
using tests::random_tensor;
using tests::relative_error;
using tests::same_bits;

ScoreConfig small_config(Variant variant, std::int64_t hidden_layers = 3) {
  ScoreConfig config;
  config.timesteps = 7;
  config.hidden_layers = hidden_layers;
  config.variant = variant;
  return config;
}

std::map<std::string, Variable> by_name(const nn::Module& module) {
  std::map<std::string, Variable> parameters;
  for (const nn::NamedParameter& parameter : module.named_parameters()) parameters[parameter.name] = parameter.variable;
  return parameters;
}

TEST(TimestepEmbedding, OfStepZeroIsOnesAndZeros) {
  for (const std::int64_t width : {1, 2, 7, 50}) {
    const Tensor table = timestep_embedding(3, width, DType::kFloat64);
    ASSERT_EQ(table.shape(), (Shape{3, width}));
    for (std::int64_t j = 0; j < width; ++j) EXPECT_EQ(table.data<double>()[j], j < width / 2 ? 1.0 : 0.0);
  }
}

TEST(TimestepEmbedding, HasCosinesThenSinesAndAZeroColumnWhenOdd) {
  const Tensor table = timestep_embedding(90, 7, DType::kFloat64);
  for (int t = 0; t < 90; ++t) {
    const double* row = table.data<double>() + t * 7;
    for (int j = 0; j < 3; ++j) {
      const double frequency = std::pow(1e4, -j / 3.0);
      EXPECT_NEAR(row[j], std::cos(t * frequency), 1e-12);
      EXPECT_NEAR(row[3 + j], std::sin(t * frequency), 1e-12);
    }
    EXPECT_EQ(row[6], 0.0);
  }
}

/// The network as the paper draws it: z and the embedded step side by side into one Linear.
Variable concatenated_forward(const ScoreModel& model, const ScoreConfig& config, const Variable& z, const Tensor& t) {
  const auto p = by_name(model);
  const Tensor table = timestep_embedding(config.timesteps + 1, config.timesteps, model.dtype());
  const Variable time = autograd::linear(gather_rows(table, t), p.at("time.weight"), p.at("time.bias"));
  const Variable weight = autograd::concat_columns({p.at("input.weight_z"), p.at("input.weight_t")});
  Variable h = autograd::linear(autograd::concat_columns({z, time}), weight, p.at("input.bias"));
  h = autograd::prelu(h, p.at("input.slope"));
  for (std::int64_t i = 0; i < config.hidden_layers; ++i) {
    const std::string block = "hidden." + std::to_string(config.variant == Variant::kPaper ? i : 0);
    h = autograd::prelu(autograd::linear(h, p.at(block + ".weight"), p.at(block + ".bias")), p.at(block + ".slope"));
  }
  return autograd::tanh(autograd::linear(h, p.at("output.weight"), p.at("output.bias")));
}

TEST(ScoreModel, LayersAreTiedOrNotApartFromTheVariant) {
  for (const Variant variant : {Variant::kPublished, Variant::kPaper}) {
    for (const bool tied : {true, false}) {
      ScoreConfig config = small_config(variant);
      config.tied_layers = tied;
      nn::Initializer init(3, DType::kFloat64), same(3, DType::kFloat64);
      const ScoreModel model(5, config, init);
      // Forward and parameters are those of the variant that ties them so; the rest stays the own variant's.
      const ScoreModel like(5, small_config(tied ? Variant::kPublished : Variant::kPaper), same);
      const Tensor z = random_tensor({9, 5}, 1);
      const Tensor t = tests::repeated(9, 3);
      EXPECT_TRUE(same_bits(model.forward(z, t).value(), like.forward(z, t).value()));
      EXPECT_EQ(model.parameter_count(), like.parameter_count());
      EXPECT_EQ(model.variant(), variant);
      EXPECT_EQ(model.drops_while_sampling(), variant == Variant::kPublished);
    }
  }
}

TEST(ScoreModel, SplitWeightsEqualTheConcatenatedLayer) {
  for (const Variant variant : {Variant::kPublished, Variant::kPaper}) {
    const ScoreConfig config = small_config(variant);
    nn::Initializer init(4, DType::kFloat64);
    const ScoreModel model(5, config, init);
    const Tensor z = random_tensor({11, 5}, 1);
    const Tensor t = Tensor::from<std::int32_t>({1, 7, 0, 3, 3, 2, 5, 6, 7, 1, 4}, {11});
    const Tensor cotangent = random_tensor({11, 5}, 2);
    std::map<std::string, Tensor> gradients;
    {
      Tape tape;
      tape.backward(model.forward(z, t), cotangent);
      for (const auto& [name, parameter] : by_name(model)) gradients[name] = parameter.gradient();
    }
    model.clear_gradients();
    Tape tape;
    const Variable expected = concatenated_forward(model, config, z, t);
    EXPECT_TRUE(relative_error(model.forward(z, t).value(), expected.value()) <= 1e-12);
    tape.backward(expected, cotangent);
    for (const auto& [name, parameter] : by_name(model)) {
      EXPECT_TRUE(relative_error(gradients.at(name), parameter.gradient()) <= 1e-12) << name;
    }
  }
}

TEST(ScoreModel, PublishedTiesItsHiddenBlocksAndPaperDoesNot) {
  constexpr std::int64_t kLatent = 5;
  constexpr std::int64_t kBlock = kLatent * kLatent + kLatent + 1;
  nn::Initializer init(4);
  const std::int64_t rest = 7 * 7 + 7 + kLatent * (kLatent + 7) + kLatent + 1 + kLatent * kLatent + kLatent;
  for (const std::int64_t layers : {0, 1, 4}) {
    EXPECT_EQ(ScoreModel(kLatent, small_config(Variant::kPublished, layers), init).parameter_count(),
              rest + (layers > 0 ? kBlock : 0));
    EXPECT_EQ(ScoreModel(kLatent, small_config(Variant::kPaper, layers), init).parameter_count(), rest + layers * kBlock);
  }
}

TEST(ScoreModel, TheTiedGradientIsTheSumOfTheSeparateOnes) {
  nn::Initializer init(4, DType::kFloat64);
  const ScoreModel tied(5, small_config(Variant::kPublished), init);
  const ScoreModel separate(5, small_config(Variant::kPaper), init);
  const auto shared = by_name(tied);
  std::vector<std::pair<std::string, Tensor>> state;
  for (const auto& [name, tensor] : separate.state()) {
    const bool hidden = name.starts_with("hidden.");
    state.emplace_back(name, shared.at(hidden ? "hidden.0" + name.substr(8) : name).value());
  }
  separate.load_state(state);
  const Tensor z = random_tensor({11, 5}, 1);
  const Tensor t = tests::repeated(11, 3);
  const Tensor cotangent = random_tensor({11, 5}, 2);
  Tape tape;
  const Variable a = tied.forward(z, t);
  const Variable b = separate.forward(z, t);
  EXPECT_TRUE(same_bits(a.value(), b.value()));
  tape.backward(autograd::add(autograd::multiply(a, cotangent), autograd::multiply(b, cotangent)),
                Tensor::full({11, 5}, 1, DType::kFloat64));
  const auto parts = by_name(separate);
  for (const std::string what : {".weight", ".bias", ".slope"}) {
    const Tensor sum = linear_combination({{1.0, parts.at("hidden.0" + what).gradient()},
                                           {1.0, parts.at("hidden.1" + what).gradient()},
                                           {1.0, parts.at("hidden.2" + what).gradient()}});
    EXPECT_TRUE(relative_error(shared.at("hidden.0" + what).gradient(), sum) <= 1e-12) << what;
    EXPECT_FALSE(relative_error(shared.at("hidden.0" + what).gradient(), parts.at("hidden.0" + what).gradient()) <= 1e-3) << what;
  }
  EXPECT_TRUE(relative_error(shared.at("output.weight").gradient(), parts.at("output.weight").gradient()) <= 1e-12);
}

TEST(ScoreModel, InitialValuesHaveTheBoundOfTheWholeInputLayer) {
  ScoreConfig config;
  config.timesteps = 60;
  nn::Initializer init(4);
  const ScoreModel model(100, config, init);
  const auto p = by_name(model);
  const auto expect_uniform = [](const std::string& name, const Tensor& value, double fan_in) {
    double largest = 0;
    for (const float number : value.span<float>()) largest = std::max(largest, std::abs(double{number}));
    EXPECT_LE(largest, 1.000001 / std::sqrt(fan_in)) << name;
    EXPECT_GE(largest, 0.9 / std::sqrt(fan_in)) << name;
  };
  for (const char* name : {"input.weight_z", "input.weight_t", "input.bias"}) expect_uniform(name, p.at(name).value(), 160);
  for (const char* name : {"time.weight", "time.bias"}) expect_uniform(name, p.at(name).value(), 60);
  for (const char* name : {"hidden.0.weight", "hidden.0.bias", "output.weight", "output.bias"}) {
    expect_uniform(name, p.at(name).value(), 100);
  }
  EXPECT_EQ(p.at("input.slope").value().item(), 0.25);
  EXPECT_EQ(p.at("hidden.0.slope").value().item(), 0.25);
}

TEST(ScoreModel, DropoutFollowsTheRowIds) {
  nn::Initializer init(4);
  const ScoreModel model(40, small_config(Variant::kPublished), init);
  const Tensor z = Tensor::full({3, 40}, 1);
  const Tensor t = tests::repeated(3, 2);
  const RandomStream stream = {6, Purpose::kScoreDropout, 1};
  const Tensor ids = Tensor::from<std::int32_t>({9, 4, 9}, {3});
  const Tensor out = model.forward(z, t, stream, ids).value();
  EXPECT_TRUE(same_bits(out.slice_rows(0, 1), out.slice_rows(2, 3)));
  EXPECT_FALSE(same_bits(out.slice_rows(0, 1), out.slice_rows(1, 2)));
  EXPECT_TRUE(same_bits(out, model.forward_dropped(dropout(z, 0.5, stream, ids), t).value()));
  EXPECT_TRUE(same_bits(model.forward(z, t).value(), model.forward_dropped(z, t).value()));
}

TEST(ScoreModel, RowsOfTheStepsFromBeforeDoNotChangeABit) {
  nn::Initializer init(4);
  const ScoreModel model(5, small_config(Variant::kPublished), init);
  const Tensor z = random_tensor({11, 5}, 1, -1, 1, DType::kFloat32);
  const Tensor rows = model.step_rows().value();
  EXPECT_EQ(rows.shape(), (Shape{8, 5}));
  for (std::int32_t t = 0; t <= 7; ++t) {
    const Tensor steps = tests::repeated(11, t);
    EXPECT_TRUE(same_bits(model.forward_dropped(z, steps, rows).value(), model.forward(z, steps).value())) << "step " << t;
  }
  EXPECT_THROW(model.forward_dropped(z, tests::repeated(11, 1), rows.slice_rows(0, 7)), Error);
}

TEST(ScoreModel, OutputIsWithinOne) {
  nn::Initializer init(4);
  const ScoreModel model(5, small_config(Variant::kPaper), init);
  const Tensor out = model.forward(random_tensor({50, 5}, 3, -1e4, 1e4, DType::kFloat32), tests::repeated(50, 1)).value();
  for (const float value : out.span<float>()) EXPECT_TRUE(std::abs(value) <= 1) << value;
}

TEST(ScoreModel, RefusesWhatDoesNotFit) {
  nn::Initializer init(4);
  EXPECT_THROW(ScoreModel(0, small_config(Variant::kPaper), init), Error);
  ScoreConfig none = small_config(Variant::kPaper);
  none.timesteps = 0;
  EXPECT_THROW(ScoreModel(5, none, init), Error);
  const ScoreModel model(5, small_config(Variant::kPaper), init);
  EXPECT_THROW(model.forward(Tensor::zeros({2, 4}), tests::repeated(2, 1)), Error);
  EXPECT_THROW(model.forward(Tensor::zeros({2, 5}), tests::repeated(2, 8)), Error);  // T is 7
  EXPECT_THROW(model.forward(Tensor::zeros({2, 5}), tests::repeated(3, 1)), Error);
}

}  // namespace
}  // namespace tapestry::sdrm
