#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "nn/layers.h"
#include "nn/safetensors.h"
#include "tensor/ops.h"
#include "tests/support/temp_folder.h"

namespace tapestry::nn {
namespace {

class ModuleFileTest : public ::testing::Test {
 protected:
  static std::vector<float> values(const Tensor& tensor) { return {tensor.span<float>().begin(), tensor.span<float>().end()}; }

  const tests::TempFolder folder_;
  const std::filesystem::path path_ = folder_.path() / "model.safetensors";
};

/// Two linear layers: "first.0.weight", "first.0.bias", "last.weight", "last.bias".
class Model : public Module {
 public:
  explicit Model(std::uint64_t seed, std::int64_t out = 2) : init_(seed), last_(4, out, init_) {
    first_.add<Linear>(3, 4, init_);
    add_module("first", first_);
    add_module("last", last_);
  }

 private:
  Initializer init_;
  Sequential first_;
  Linear last_;
};

/// Keeps the sum of its weights.
class Summed : public Module {
 public:
  explicit Summed(double each) : weight_(add_parameter("weight", Tensor::full({3}, each))) { Summed::values_changed(); }
  double sum() const { return sum_.item(); }

 private:
  void values_changed() const override { copy_into(sum_, tapestry::sum(weight_.value())); }

  autograd::Variable weight_;
  Tensor sum_ = Tensor::zeros({1});
};

class TwoSums : public Module {
 public:
  TwoSums(double left, double right) : left_(left), right_(right) {
    add_module("left", left_);
    add_module("right", right_);
  }
  double left() const { return left_.sum(); }
  double right() const { return right_.sum(); }

 private:
  Summed left_, right_;
};

class TwiceNamed : public Module {
 public:
  TwiceNamed() {
    add_parameter("a", Tensor::zeros({1}));
    add_parameter("a", Tensor::zeros({1}));
  }
};

class Open : public Module {
 public:
  using Module::add_module;
};

template <typename Part>
concept CanBeAdded = requires(Open& model, Part&& part) {
  model.add_module("part", std::forward<Part>(part));
};

// A temporary would leave its address behind, which is for the compiler to say.
static_assert(CanBeAdded<Linear&> && CanBeAdded<const Linear&> && CanBeAdded<Module&>);
static_assert(!CanBeAdded<Linear> && !CanBeAdded<const Linear> && !CanBeAdded<Sequential> && !CanBeAdded<Open>);

TEST_F(ModuleFileTest, ModulesBelowHearOfLoadedValues) {
  const TwoSums model(1, 2);
  TwoSums loaded(0, 0), copied(0, 0);
  save_module(model, path_);
  load_module(loaded, path_);
  copied.load_state(model.state());
  for (const TwoSums* one : {&loaded, &copied}) {
    EXPECT_EQ(one->left(), 3);
    EXPECT_EQ(one->right(), 6);
  }
}

TEST_F(ModuleFileTest, ModuleRoundTrip) {
  const Model model(1);
  Model other(2);
  const auto handles = other.named_parameters();
  save_module(model, path_, {{"kind", "test"}});
  EXPECT_EQ(load_module(other, path_), (std::map<std::string, std::string>{{"kind", "test"}}));
  const auto expected = model.named_parameters();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(values(handles[i].variable.value()),
              values(expected[i].variable.value()));  // in place: handles taken before see them
  }
  EXPECT_THROW(save_module(TwiceNamed(), path_), Error);
}

TEST_F(ModuleFileTest, LoadStateChangesNothingUnlessAllFits) {
  const Model model(2);
  const auto before = model.state();
  auto state = Model(1).state();
  state.back().second = Tensor::zeros({3});
  EXPECT_THROW(model.load_state(state), Error);
  const auto after = model.state();
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(values(after[i].second), values(before[i].second)) << before[i].first;
}

TEST_F(ModuleFileTest, ALongListOfDifferencesIsCutShort) {
  TensorFile file;
  for (const NamedParameter& parameter : Model(1).named_parameters()) file.tensors[parameter.name] = parameter.variable.value();
  for (int i = 0; i < 10; ++i) file.tensors["x" + std::to_string(i)] = Tensor::zeros({1});
  save_tensors(path_, file);
  Model model(2);
  try {
    load_module(model, path_);
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), path_.string() +
                                             R"(: not the parameters of this model: left over "x0", "x1", "x2", "x3", )"
                                             R"("x4", "x5", "x6", "x7" and 2 more)");
  }
}

TEST_F(ModuleFileTest, LoadModuleListsEveryDifferenceAndChangesNothing) {
  TensorFile file;
  for (const NamedParameter& parameter : Model(1).named_parameters()) file.tensors[parameter.name] = parameter.variable.value();
  file.tensors.erase("first.0.bias");
  file.tensors["first.0.weight"] = file.tensors["first.0.weight"].reshape({12});
  file.tensors["last.bias"] = file.tensors["last.bias"].to(DType::kFloat64);
  file.tensors["extra"] = Tensor::zeros({1});
  save_tensors(path_, file);
  Model model(2);
  const auto before = model.state();
  try {
    load_module(model, path_);
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kData);
    EXPECT_EQ(std::string(error.what()),
              path_.string() + R"(: not the parameters of this model: missing "first.0.bias"; left over "extra"; different )"
                               R"("first.0.weight" (float32 [12] instead of float32 [4, 3]), )"
                               R"("last.bias" (float64 [2] instead of float32 [2]))");
  }
  const auto after = model.state();
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(values(after[i].second), values(before[i].second));
}

}  // namespace
}  // namespace tapestry::nn
