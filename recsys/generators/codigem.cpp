#include "recsys/generators/codigem.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "autograd/loss.h"
#include "recsys/generators/sample_tiles.h"

namespace tapestry::recsys {
namespace {

/// The bound of a log-variance's size.
double limit_of(const CodigemConfig& config) { return config.clamp > 0 ? config.clamp : std::numeric_limits<double>::infinity(); }

/// Beyond it no log-variance is taken while sampling: e^{v/2} is infinite in float32 from 178 on, and leaves the layers behind it
/// no room from here on. See codigem_samples.
constexpr double kLargestSampled = 160;

/// e^{v/2} of log-variances v, each held within +-limit.
Tensor deviation(const Tensor& log_variance, double limit) {
  const auto bound = [&](double value) { return Tensor::full({1}, value, log_variance.dtype(), log_variance.device()); };
  const Tensor held = binary(BinaryOp::kMaximum, binary(BinaryOp::kMinimum, log_variance, bound(limit)), bound(-limit));
  return unary(UnaryOp::kExp, linear_combination({{0.5, held}}));
}

}  // namespace

CodigemModel::Network::Network(std::int64_t items, std::int64_t outputs, const CodigemConfig& config, nn::LinearInit first,
                               nn::Initializer& init)
    : output(config.width, outputs, init) {
  hidden.add<nn::Linear>(items, config.width, init, Activation::kPrelu, first);
  for (std::int64_t layer = 1; layer < config.hidden_layers; ++layer) {
    hidden.add<nn::Linear>(config.width, config.width, init, Activation::kPrelu);
  }
  add_module("hidden", hidden);
  add_module("output", output);
}

CodigemModel::CodigemModel(std::int64_t items, const CodigemConfig& config, nn::Initializer& init)
    : items_(items), dtype_(init.dtype()), decoder_(items, items, config, nn::LinearInit::kFanIn, init) {
  check(items > 0 && config.width > 0 && config.hidden_layers > 0 && config.timesteps > 1, "CodigemModel: ", items,
        " items, layers of width ", config.width, " and T = ", config.timesteps, " are not possible (T is at least 2)");
  check(config.beta >= 0 && config.beta < 1, "CodigemModel: beta ", config.beta, " is not in [0, 1)");
  add_module("decoder", decoder_);
  for (std::int64_t i = 1; i < config.timesteps; ++i) {
    reverse_.push_back(std::make_unique<Network>(items, 2 * items, config, nn::LinearInit::kTiny, init));
    add_module("reverse." + std::to_string(i), *reverse_.back());
  }
}

Variable CodigemModel::decode(const Variable& z1) const { return autograd::tanh(decoder_logits(decoder_hidden(z1))); }

Variable CodigemModel::reverse(std::int64_t i, const Variable& z) const {
  check(i >= 1 && i < timesteps(), "CodigemModel: no reverse network ", i, " of ", timesteps() - 1);
  const Network& network = *reverse_[static_cast<std::size_t>(i) - 1];
  return network.output.forward(network.hidden.forward(z));
}

std::int64_t codigem_target(std::int64_t i, std::int64_t timesteps, CodigemVariant variant) {
  return variant == CodigemVariant::kPublished ? timesteps - i : i;
}

std::vector<Tensor> noise_chain(const Tensor& x, double beta, std::int64_t timesteps,
                                const std::function<Tensor(std::int64_t)>& noise) {
  std::vector<Tensor> chain;
  for (std::int64_t i = 1; i <= timesteps; ++i) {
    const Tensor before = chain.empty() ? x : chain.back();
    chain.push_back(linear_combination({{std::sqrt(1 - beta), before}, {std::sqrt(beta), noise(i)}}));
  }
  return chain;
}

Variable decoder_loss(const CodigemModel& model, const Tensor& x, const Tensor& z1) {
  // The mean over all entries, times the items: a sum over items and a mean over users.
  return autograd::scale(autograd::mse(model.decode(z1), x), 0.5 * static_cast<double>(x.cols()));
}

ReverseLoss reverse_loss(const CodigemModel& model, std::int64_t i, std::span<const Tensor> chain, const CodigemConfig& config) {
  const std::int64_t target = codigem_target(i, model.timesteps(), config.variant);
  const Variable output = model.reverse(i, chain[static_cast<std::size_t>(i)]);  // of z_{i+1}
  return {autograd::gaussian_nll(output, chain[static_cast<std::size_t>(target) - 1], limit_of(config)), output.value()};
}

std::vector<Tensor> constant_squares(const Tensor& x, std::span<const Tensor> chain, const CodigemConfig& config) {
  const double keep = std::sqrt(1 - config.beta);
  std::vector<Tensor> squares = {sum_squares(chain.back())};
  for (std::size_t r = 0; r < chain.size(); ++r) {
    squares.push_back(config.variant == CodigemVariant::kPublished
                          ? sum_squares(chain[r])
                          : sum_squares(linear_combination({{1.0, chain[r]}, {-keep, r == 0 ? x : chain[r - 1]}})));
  }
  return squares;
}

double constant_loss(std::span<const double> squares, const Shape& x, const CodigemConfig& config) {
  const auto entries = static_cast<double>(x.numel());
  const double keep = std::sqrt(1 - config.beta);
  // -log N of the decoder and of each h_i leave 1/2 ln 2 pi per entry out, as does -log N(z_T; 0, I) here.
  double total = 0.5 * std::log(2 * std::numbers::pi) * entries * static_cast<double>(squares.size());
  total += 0.5 * squares.front();
  for (const double state : squares.subspan(1)) {
    // log N(z_r; mean, beta) = -1/2 ln 2 pi - 1/2 ln beta - (z_r - mean)^2 / (2 beta)
    const double gap = config.variant == CodigemVariant::kPublished ? (1 - keep) * (1 - keep) * state : state;
    total -= 0.5 * (std::log(2 * std::numbers::pi) + std::log(config.beta)) * entries + 0.5 * gap / config.beta;
  }
  return total / static_cast<double>(x.rows());
}

double constant_loss(const Tensor& x, std::span<const Tensor> chain, const CodigemConfig& config) {
  std::vector<double> squares;
  for (const Tensor& sum : constant_squares(x, chain, config)) squares.push_back(sum.item());
  return constant_loss(squares, x.shape(), config);
}

Tensor codigem_scores(const CodigemModel& model, const CsrMatrix& rows, double beta, const std::optional<RandomStream>& noise) {
  const Tensor x = dense(rows.to(model.device()), model.dtype());
  if (!noise) return model.decode(linear_combination({{std::sqrt(1 - beta), x}})).value();
  const auto eps = [&](std::int64_t) { return random_normal(x.shape(), *noise, 0, 1, model.dtype(), model.device()); };
  return model.decode(noise_chain(x, beta, 1, eps).front()).value();
}

sdrm::LogitMatrix codigem_samples(const CodigemModel& model, const CodigemConfig& config, std::int64_t rows, std::uint64_t seed,
                                  const std::function<void(double)>& progress) {
  if (rows == 0) return {0, model.items(), {}};
  const Tensor hidden = Tensor::empty({rows, config.width}, model.dtype(), model.device());  // [rows, W]
  const double limit = std::min(limit_of(config), kLargestSampled);
  const auto decoder_hidden = [&](const Tensor& ids) {
    const auto normal = [&](Purpose purpose, std::int64_t step) {
      return random_normal({ids.numel(), model.items()}, {seed, purpose, static_cast<std::uint32_t>(step)}, 0, 1, model.dtype(),
                           model.device(), ids);
    };
    Tensor z = normal(Purpose::kSampleStart, 0);
    for (std::int64_t i = model.timesteps() - 1; i >= 1; --i) {
      const Tensor output = model.reverse(i, z).value();  // [n, 2 I]
      Tensor mean = slice_columns(output, 0, model.items());
      if (config.tanh_means) mean = unary(UnaryOp::kTanh, mean);
      const Tensor spread = deviation(slice_columns(output, model.items(), 2 * model.items()), limit);
      z = linear_combination({{1.0, mean}, {1.0, binary(BinaryOp::kMultiply, spread, normal(Purpose::kSampleNoise, i))}});
    }
    return model.decoder_hidden(z).value();  // [n, W]
  };
  sample_tiles(hidden, 256, decoder_hidden, progress);
  return {rows, model.items(), [&model, hidden](std::int64_t begin, std::int64_t end) {
            return model.decoder_logits(hidden.slice_rows(begin, end)).value();
          }};
}

}  // namespace tapestry::recsys
