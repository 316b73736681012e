// How the parameters of DiffRec, TVAE and CTGAN start: each with the bound or deviation of the whole layer it is a part of.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "recsys/generators/ctgan.h"
#include "recsys/generators/diffrec.h"
#include "recsys/generators/tvae.h"

namespace tapestry::recsys {
namespace {

std::map<std::string, Tensor> values_of(const nn::Module& module) {
  std::map<std::string, Tensor> values;
  for (const nn::NamedParameter& parameter : module.named_parameters()) values[parameter.name] = parameter.variable.value();
  return values;
}

double deviation(const Tensor& values) { return std::sqrt(sum_squares(values).item() / static_cast<double>(values.numel())); }

/// N(0, expected^2): the deviation of n draws has a standard error of expected / sqrt(2 n).
void expect_normal(const std::map<std::string, Tensor>& values, const std::string& name, double expected) {
  const Tensor& all = values.at(name);
  const double within = 4 * expected / std::sqrt(2.0 * static_cast<double>(all.numel()));
  EXPECT_NEAR(deviation(all), expected, within) << name;
}

/// U(-bound, bound): none lies beyond, and many draws come close.
void expect_uniform(const std::map<std::string, Tensor>& values, const std::string& name, double bound) {
  const Tensor& all = values.at(name);
  double largest = 0;
  for (const float value : all.span<float>()) largest = std::max(largest, std::abs(static_cast<double>(value)));
  EXPECT_LE(largest, bound * (1 + 1e-6)) << name;
  // That none of n comes within a share of 10 / n of the bound has a chance of e^-10.
  EXPECT_GE(largest, bound * (1 - 10.0 / static_cast<double>(all.numel()))) << name;
}

TEST(FirstValues, OfDiffRecsTwoPartsAreThoseOfOneLayer) {
  DiffRecConfig config;
  config.dims = {500};
  config.time_width = 40;
  nn::Initializer init(1);
  const auto values = values_of(DiffRecModel(300, config, init));
  const double concatenated = std::sqrt(2.0 / (300 + 40 + 500));  // N(0, 2 / (fan_in + fan_out))
  expect_normal(values, "input.weight_x", concatenated);
  expect_normal(values, "input.weight_t", concatenated);
  expect_normal(values, "time.weight", std::sqrt(2.0 / 80));
  expect_normal(values, "output.weight", std::sqrt(2.0 / 800));
  for (const char* bias : {"input.bias", "time.bias", "output.bias"}) expect_normal(values, bias, 0.001);
}

TEST(FirstValues, OfTvaeComeFromTheFanIn) {
  const CategoryPlanes planes = {90, 80, 30};  // C = 200
  TvaeConfig config;
  config.hidden = 100;
  config.latent = 60;
  nn::Initializer init(1);
  const auto values = values_of(Tvae(planes, config, init));
  const auto expect_layer = [&](const std::string& name, double fan_in) {
    for (const char* part : {".weight", ".bias"}) expect_uniform(values, name + part, 1 / std::sqrt(fan_in));
  };
  expect_layer("encoder.0", 200);
  expect_layer("encoder.1", 100);
  expect_layer("mu", 100);
  expect_layer("log_variance", 100);
  expect_layer("decoder.0", 60);
  expect_layer("decoder.1", 100);
  expect_layer("decoder.2", 100);
}

TEST(FirstValues, OfCtganCountTheCondition) {
  const CategoryPlanes planes = {90, 80, 30};  // C = 200
  CtganConfig config;
  config.hidden = 100;
  config.latent = 60;
  nn::Initializer init(1);
  const auto values = values_of(CtganGenerator(planes, config, init));
  const auto expect_block = [&](const std::string& name, double fan_in) {
    for (const char* part : {".weight", ".bias", ".condition"}) expect_uniform(values, name + part, 1 / std::sqrt(fan_in));
  };
  expect_block("block.0", 60 + 200);
  expect_block("block.1", 100 + 60 + 200);
  expect_block("output", 2 * 100 + 60 + 200);
  for (const char* block : {"block.0", "block.1"}) {
    for (const float one : values.at(std::string(block) + ".norm.weight").span<float>()) EXPECT_EQ(one, 1);
    for (const float zero : values.at(std::string(block) + ".norm.bias").span<float>()) EXPECT_EQ(zero, 0);
  }
  const auto critic = values_of(CtganCritic(planes, config, init));
  const double first = 1 / std::sqrt(2.0 * 10 * 200);  // a pac of ten rows [y, c]
  for (const char* name : {"values.weight", "conditions.weight", "0.bias"}) expect_uniform(critic, name, first);
  for (const char* name : {"1.weight", "1.bias", "2.weight"}) expect_uniform(critic, name, 1 / std::sqrt(100.0));
}

}  // namespace
}  // namespace tapestry::recsys
