// One CTGAN of tests/golden/ctgan_step.txt, which PyTorch computed densely and with second derivatives, replayed on gathered
// rows, marks, differences and the penalty by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "autograd/category.h"
#include "autograd/tape.h"
#include "optim/adam.h"
#include "recsys/generators/ctgan.h"
#include "recsys/generators/table_row_adam.h"
#include "tests/recsys/generators/ctgan_support.h"
#include "tests/recsys/generators/table_support.h"
#include "tests/support/golden.h"
#include "tests/support/modules.h"

namespace tapestry::recsys {
namespace {

using tests::Golden;
using tests::kGoldenPlanes;
using tests::matches_golden;

CtganConfig recorded_config(const Golden& golden) {
  CtganConfig config;
  config.latent = golden.tensor("critic_z").cols();
  config.hidden = golden.tensor("initial.critic.0.bias").numel();
  config.batch = golden.tensor("critic_z").rows();
  config.pac = static_cast<std::int64_t>(golden.scalar("pac"));
  config.slope = golden.scalar("slope");
  config.temperature = golden.scalar("temperature");
  config.penalty = golden.scalar("penalty_weight");
  return config;
}

/// Both networks under one root, as the file names them.
struct Both : nn::Module {
  CtganGenerator generator;
  CtganCritic critic;
  Both(const CtganConfig& config, nn::Initializer& init)
      : generator(kGoldenPlanes, config, init), critic(kGoldenPlanes, config, init) {
    add_module("generator", generator);
    add_module("critic", critic);
  }
};

/// A batch normalisation takes away what the bias in front of it adds: its gradient is zero but for rounding errors.
bool has_no_gradient(const std::string& name) { return name.ends_with("block.0.bias") || name.ends_with("block.1.bias"); }

double norm_of(const Tensor& x) { return std::sqrt(sum_squares(x).item()); }

class GoldenCtgan : public ::testing::TestWithParam<DType> {
 protected:
  GoldenCtgan()
      : golden_(tests::golden_file("ctgan_step.txt")),
        config_(recorded_config(golden_)),
        init_(1, GetParam()),
        both_(config_, init_) {
    tests::load_initial(golden_, both_, GetParam());
  }

  Tensor recorded(const std::string& name) const { return golden_.tensor(name, GetParam()); }

  Conditions conditions(const std::string& name) const {
    Conditions all;
    for (const std::vector<int>& pair : tests::integers(golden_, name)) {
      all.column.push_back(pair[0]);
      all.category.push_back(pair[1]);
      const std::int64_t before = (pair[1] > 0 ? kGoldenPlanes.columns : 0) + (pair[1] > 1 ? kGoldenPlanes.two : 0);
      all.position.push_back(static_cast<std::int32_t>(before + pair[0]));
    }
    return all;
  }
  CriticMasks masks(const std::string& turn, int pass, const std::string& suffix) const {
    const std::string name = turn + "_mask_" + std::to_string(pass);
    return {recorded(name + "_0" + suffix), recorded(name + "_1" + suffix)};
  }

  CriticLoss critic_step(const std::string& suffix) const {
    CriticBatch batch;
    const Conditions fake = conditions("critic_conditions" + suffix), real = conditions("real_conditions" + suffix);
    const CsrMatrix marks = tests::marks_of(kGoldenPlanes, tests::integers(golden_, "real" + suffix));
    batch.real = packed_marks(kGoldenPlanes, both_.critic.pac(), marks, GetParam());
    batch.conditions = tests::packed(kGoldenPlanes, both_.critic.pac(), {&fake, &real});
    batch.mixture = recorded("mixture" + suffix);
    for (int pass = 0; pass < 3; ++pass) batch.masks[static_cast<std::size_t>(pass)] = masks("critic", pass, suffix);
    {
      const autograd::NoGrad constant;
      const auto rows = both_.generator.gather(fake.position);
      batch.fake = category_softmax(kGoldenPlanes, both_.generator.forward(recorded("critic_z" + suffix), rows).value(),
                                    recorded("critic_gumbel" + suffix), config_.temperature);
    }
    return critic_loss(both_.critic, batch, config_.penalty);
  }
  GeneratorLoss generator_step(const std::string& suffix, const std::vector<autograd::Variable>& rows) const {
    const Conditions given = conditions("generator_conditions" + suffix);
    return generator_loss(both_.generator, both_.critic, rows, tests::packed(both_.critic, given),
                          tests::targets(kGoldenPlanes, given, GetParam()), recorded("generator_z" + suffix),
                          recorded("generator_gumbel" + suffix), masks("generator", 0, suffix), config_.temperature);
  }

  Golden golden_;
  CtganConfig config_;
  nn::Initializer init_;
  Both both_;
};

TEST_P(GoldenCtgan, CriticStepWithGradientPenalty) {
  autograd::Tape tape;
  const CriticLoss loss = critic_step("");
  tape.backward(loss.total);
  EXPECT_TRUE(matches_golden(golden_, "critic_loss", loss.total.value()));
  EXPECT_TRUE(matches_golden(golden_, "penalty", loss.penalty.value()));
  tapestry::tests::expect_gradients(golden_, both_.critic, "grad.critic.");
  for (const autograd::Variable& parameter : both_.generator.parameters()) EXPECT_FALSE(parameter.gradient().defined());
}

TEST_P(GoldenCtgan, GeneratorStep) {
  const Conditions given = conditions("generator_conditions");
  const std::vector<autograd::Variable> rows = both_.generator.gather(given.position);
  autograd::Tape tape;
  const GeneratorLoss loss = generator_step("", rows);
  tape.backward(loss.total);
  EXPECT_TRUE(matches_golden(golden_, "generator_loss", loss.total.value()));
  EXPECT_TRUE(matches_golden(golden_, "cross_entropy", loss.cross_entropy.value()));
  // Gradients of the tables: those of the gathered rows, added up.
  std::size_t table = 0;
  const Tensor index = Tensor::from<std::int32_t>(given.position, {given.size()});
  for (const nn::NamedParameter& parameter : both_.generator.named_parameters()) {
    Tensor gradient = parameter.variable.gradient();
    if (parameter.name.ends_with(".condition")) {
      gradient = Tensor::zeros(parameter.variable.shape(), GetParam());
      scatter_add_rows(rows[table++].gradient(), index, gradient);
    }
    if (has_no_gradient(parameter.name)) {
      const double shift = norm_of(golden_.tensor("grad.generator.block.0.norm.bias"));  // what it would be of without
      EXPECT_LE(norm_of(gradient), tests::golden_tolerance(GetParam()) * shift) << parameter.name;
      continue;
    }
    EXPECT_TRUE(matches_golden(golden_, "grad.generator." + parameter.name, gradient));
  }
  EXPECT_EQ(table, 3u);
  for (const autograd::Variable& parameter : both_.critic.parameters()) EXPECT_FALSE(parameter.gradient().defined());
}

TEST_P(GoldenCtgan, TenTrainingSteps) {
  const Tensor betas = golden_.tensor("betas");
  const optim::AdamOptions options = {
      .beta1 = betas.data<double>()[0], .beta2 = betas.data<double>()[1], .l2 = golden_.scalar("l2")};
  optim::Adam critic_adam(both_.critic.parameters(), options);
  optim::Adam generator_adam(both_.generator.dense_parameters(), options);
  const double rate = golden_.scalar("lr");
  tests::SteppedRowAdam condition_adam(both_.generator.tables(), critic_adam.prepare(10, rate));
  std::vector<double> critic_losses;
  std::vector<double> generator_losses;
  for (int step = 0; step < 10; ++step) {
    const std::string suffix = "_" + std::to_string(step);
    {
      condition_adam.catch_up(conditions("critic_conditions" + suffix).position);
      autograd::Tape tape;
      const CriticLoss loss = critic_step(suffix);
      tape.backward(loss.total);
      critic_adam.step(rate);
      critic_adam.clear_gradients();
      critic_losses.push_back(loss.total.value().item());
    }
    const std::vector<std::int32_t> positions = conditions("generator_conditions" + suffix).position;
    condition_adam.catch_up(positions);
    const std::vector<autograd::Variable> rows = both_.generator.gather(positions);
    autograd::Tape tape;
    const GeneratorLoss loss = generator_step(suffix, rows);
    tape.backward(loss.total);
    generator_adam.step(rate);
    generator_adam.clear_gradients();
    condition_adam.step(positions, {rows[0].gradient(), rows[1].gradient(), rows[2].gradient()});
    generator_losses.push_back(loss.total.value().item());
  }
  condition_adam.finish();
  EXPECT_TRUE(matches_golden(golden_, "critic_losses", Tensor::from<double>(critic_losses, {10}).to(GetParam())));
  EXPECT_TRUE(matches_golden(golden_, "generator_losses", Tensor::from<double>(generator_losses, {10}).to(GetParam())));
  for (const nn::NamedParameter& parameter : both_.named_parameters()) {
    if (GetParam() == DType::kFloat32 && has_no_gradient(parameter.name)) {
      // Adam makes whole steps of rounding errors as large as the decay. Nothing depends on where they lead.
      const Tensor start = recorded("initial." + parameter.name);
      const Tensor moved = binary(BinaryOp::kSubtract, parameter.variable.value(), start);
      EXPECT_LE(norm_of(moved), 10 * 2 * rate * std::sqrt(5.0)) << parameter.name;
      continue;
    }
    EXPECT_TRUE(matches_golden(golden_, "final." + parameter.name, parameter.variable.value()));
  }
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenCtgan, ::testing::Values(DType::kFloat32, DType::kFloat64),
                         [](const auto& param_info) { return std::string(name(param_info.param)); });

}  // namespace
}  // namespace tapestry::recsys
