#include "recsys/generators/diffrec.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/reduction.h"
#include "sdrm/score_model.h"

namespace tapestry::recsys {
namespace {

constexpr nn::LinearInit kInit = nn::LinearInit::kNormal;

/// int32 [count], all t.
Tensor steps_of(std::int64_t count, std::int64_t t, Device device) {
  Tensor steps = Tensor::empty({count}, DType::kInt32);
  std::fill_n(steps.data<std::int32_t>(), count, static_cast<std::int32_t>(t));
  return steps.to(device);
}

/// [B, 1]: value(t) of each row's step, looked up where t is, since the host may not know it.
template <typename Value>
Tensor by_step(const Tensor& t, const DiffRecSchedule& schedule, DType dtype, const Value& value) {
  std::vector<double> values;
  for (std::size_t step = 0; step < schedule.alpha_bar.size(); ++step) values.push_back(value(step));
  const Tensor table = Tensor::from<double>(values, {static_cast<std::int64_t>(values.size()), 1}).to(dtype);  // [T + 1, 1]
  return gather_rows(table.to(t.device()), t);
}

/// x^_0 from the network's output at step t.
Tensor predicted_x0(const Tensor& output, const Tensor& x, std::int64_t t, const DiffRecSchedule& schedule,
                    DiffRecTarget target) {
  const double alpha_bar = schedule.alpha_bar[static_cast<std::size_t>(t)];
  if (target == DiffRecTarget::kX0) return output;
  // x_t = sqrt(abar) x_0 + sqrt(1 - abar) eps, solved for x_0.
  const double scale = 1 / std::sqrt(alpha_bar);
  return linear_combination({{scale, x}, {-scale * std::sqrt(1 - alpha_bar), output}});
}

/// The mean of x_{t-1}: c1 x^_0 + c2 x_t.
Tensor reverse_mean(const DiffRecModel& model, const Tensor& x, std::int64_t t, const DiffRecSchedule& schedule,
                    DiffRecTarget target) {
  const auto at = static_cast<std::size_t>(t);
  const Tensor x0 = predicted_x0(model.forward(x, steps_of(x.rows(), t, model.device())).value(), x, t, schedule, target);
  if (schedule.c2[at] == 0) return x0;  // t = 1, where c1 is 1
  return linear_combination({{schedule.c1[at], x0}, {schedule.c2[at], x}});
}

/// One tile of users on their way from noise down to t = `last`: [end - begin, I].
Tensor denoised_tile(const DiffRecModel& model, const DiffRecConfig& config, const DiffRecSchedule& schedule, std::int64_t begin,
                     std::int64_t end, std::int64_t last, std::uint64_t seed) {
  Tensor ids = Tensor::empty({end - begin}, DType::kInt32);
  std::iota(ids.span<std::int32_t>().begin(), ids.span<std::int32_t>().end(), static_cast<std::int32_t>(begin));
  ids = ids.to(model.device());
  const auto normal = [&](Purpose purpose, std::int64_t step, double deviation) {
    return random_normal({end - begin, model.items()}, {seed, purpose, static_cast<std::uint32_t>(step)}, 0, deviation,
                         model.dtype(), model.device(), ids);
  };
  Tensor x = normal(Purpose::kSampleStart, 0, 1);
  for (std::int64_t t = schedule.timesteps; t > last; --t) {
    x = reverse_mean(model, x, t, schedule, config.target);
    const double variance = schedule.variance[static_cast<std::size_t>(t)];
    if (config.sampling_noise && variance > 0) add_in_place(x, normal(Purpose::kSampleNoise, t, std::sqrt(variance)));
  }
  return x;
}

/// {200, 600} -> 600, 200, 600: the layers in front of the middle mirror those behind it.
std::vector<std::int64_t> hidden_widths(const DiffRecConfig& config) {
  check(!config.dims.empty() && *std::min_element(config.dims.begin(), config.dims.end()) > 0 && config.time_width > 1,
        "DiffRecModel: the widths of its layers must be positive, and there must be one");
  std::vector<std::int64_t> widths(config.dims.rbegin(), config.dims.rend());
  widths.insert(widths.end(), config.dims.begin() + 1, config.dims.end());
  return widths;
}

}  // namespace

DiffRecModel::Input::Input(std::int64_t items, std::int64_t time_width, std::int64_t out, nn::Initializer& init)
    // Both parts start as parts of the concatenated layer, whose fan-in is I + E.
    : weight_x(
          add_parameter("weight_x", init.normal({out, items}, std::sqrt(2.0 / static_cast<double>(items + time_width + out))))),
      weight_t(add_parameter("weight_t",
                             init.normal({out, time_width}, std::sqrt(2.0 / static_cast<double>(items + time_width + out))))),
      bias(add_parameter("bias", init.normal({out}, 0.001))) {}

DiffRecModel::Hidden::Hidden(const std::vector<std::int64_t>& widths, nn::Initializer& init) {
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    layers.push_back(std::make_unique<nn::Linear>(widths[i], widths[i + 1], init, Activation::kTanh, kInit));
    add_module(std::to_string(i), *layers.back());
  }
}

DiffRecModel::DiffRecModel(std::int64_t items, const DiffRecConfig& config, nn::Initializer& init)
    : items_(items),
      table_(sdrm::timestep_embedding(config.timesteps, config.time_width, init.dtype(), init.device())),
      widths_(hidden_widths(config)),
      time_(config.time_width, config.time_width, init, Activation::kNone, kInit),
      input_(items, config.time_width, widths_.front(), init),
      hidden_(widths_, init),
      output_(widths_.back(), items, init, Activation::kNone, kInit) {
  add_module("time", time_);
  add_module("input", input_);
  add_module("hidden", hidden_);
  add_module("output", output_);
}

Variable DiffRecModel::hidden(const Tensor& x, const Tensor& t) const {
  check(x.cols() == items_, "DiffRecModel: rows over ", x.cols(), " items for a model of ", items_);
  if (t.device() == Device::kCpu) {
    for (const std::int32_t step : t.span<std::int32_t>()) check(step >= 1, "DiffRecModel: step ", step, ", the first one is 1");
  }
  // W [x, e] + b = W_x x + (W_t e + b): the bracket is made once per step and looked up. Row 0 belongs to no step.
  const Variable of_steps = autograd::linear(time_.forward(table_), input_.weight_t, input_.bias);  // [T, H]
  const Variable none = Tensor::zeros({1, widths_.front()}, dtype(), device());
  const Variable looked_up = autograd::embedding(autograd::concat_rows({none, of_steps}), t);  // [B, H]
  const Variable from_x = autograd::matmul(x, input_.weight_x, false, true);                   // [B, H]
  Variable h = autograd::tanh(autograd::add(from_x, looked_up));
  for (const auto& layer : hidden_.layers) h = layer->forward(h);
  return h;
}

Tensor noised_rows(const DiffRecBatch& batch, const DiffRecSchedule& schedule) {
  const DType dtype = batch.x0.dtype();
  const Tensor signal = by_step(batch.t, schedule, dtype, [&](std::size_t t) { return std::sqrt(schedule.alpha_bar[t]); });
  const Tensor noise = by_step(batch.t, schedule, dtype, [&](std::size_t t) { return std::sqrt(1 - schedule.alpha_bar[t]); });
  const Tensor x = binary(BinaryOp::kMultiply, batch.x0, signal);
  add_in_place(x, binary(BinaryOp::kMultiply, batch.noise, noise));
  return x;
}

DiffRecLoss diffrec_loss(const DiffRecModel& model, const DiffRecBatch& batch, const Tensor& seen,
                         const DiffRecSchedule& schedule, DiffRecTarget target) {
  const Variable output = model.forward(seen, batch.t);  // [B, I]
  const Variable errors =
      autograd::row_sum_squares(autograd::subtract(output, target == DiffRecTarget::kX0 ? batch.x0 : batch.noise));  // [B, 1]
  const double items = static_cast<double>(batch.x0.cols());
  const Tensor weight = by_step(batch.t, schedule, batch.x0.dtype(), [&](std::size_t t) { return schedule.weight[t] / items; });
  const Variable by_user = autograd::multiply(errors, weight);
  return {autograd::mean(autograd::divide(by_user, batch.divisor)), by_user.value()};
}

Tensor diffrec_scores(const DiffRecModel& model, const CsrMatrix& rows, const DiffRecSchedule& schedule,
                      const DiffRecConfig& config, const RandomStream& stream) {
  Tensor x = dense(rows.to(model.device()), model.dtype());
  check(config.inference_steps >= 0 && config.inference_steps <= schedule.timesteps, "diffrec_scores: ", config.inference_steps,
        " steps of corruption of ", schedule.timesteps);
  if (config.inference_steps > 0) {
    const DiffRecBatch batch = {x,
                                steps_of(x.rows(), config.inference_steps, model.device()),
                                {},
                                random_normal(x.shape(), stream, 0, 1, model.dtype(), model.device())};
    x = noised_rows(batch, schedule);
  }
  for (std::int64_t t = schedule.timesteps; t >= 1; --t) x = reverse_mean(model, x, t, schedule, config.target);
  return x;
}

sdrm::LogitMatrix diffrec_samples(const DiffRecModel& model, const DiffRecConfig& config, std::int64_t rows, std::uint64_t seed,
                                  const std::function<void(double)>& progress) {
  const DiffRecSchedule schedule(config);
  if (config.target != DiffRecTarget::kX0) {
    return {rows, model.items(), [&model, config, schedule, seed](std::int64_t begin, std::int64_t end) {
              return denoised_tile(model, config, schedule, begin, end, 0, seed);
            }};
  }
  constexpr std::int64_t kTile = 256;
  std::vector<Tensor> tiles;
  for (std::int64_t begin = 0; begin < rows; begin += kTile) {
    const std::int64_t end = std::min(rows, begin + kTile);
    const Tensor x = denoised_tile(model, config, schedule, begin, end, 1, seed);
    tiles.push_back(model.hidden(x, steps_of(end - begin, 1, model.device())).value());
    if (progress) progress(static_cast<double>(end) / static_cast<double>(rows));
  }
  if (tiles.empty()) return {0, model.items(), {}};
  const Tensor last = concat_rows(tiles);  // [rows, H]
  return {rows, model.items(),
          [&model, last](std::int64_t begin, std::int64_t end) { return model.output(last.slice_rows(begin, end)).value(); }};
}

}  // namespace tapestry::recsys
