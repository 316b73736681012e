#include "recsys/generators/diffrec.h"

#include <algorithm>
#include <cmath>

#include "autograd/reduction.h"
#include "recsys/generators/sample_tiles.h"
#include "sdrm/score_model.h"

namespace tapestry::recsys {
namespace {

constexpr nn::LinearInit kInit = nn::LinearInit::kDiffRec;

/// The steps t = 0..T for up to `rows` rows, made once for all that a loop asks for.
class StepColumns {
 public:
  StepColumns(std::int64_t timesteps, std::int64_t rows, Device device) {
    const Tensor host = Tensor::empty({timesteps + 1, rows}, DType::kInt32);
    for (std::int64_t t = 0; t <= timesteps; ++t) {
      std::fill_n(host.data<std::int32_t>() + t * rows, rows, static_cast<std::int32_t>(t));
    }
    steps_ = host.to(device);
  }
  /// int32 [count], all t.
  Tensor of(std::int64_t t, std::int64_t count) const {
    return steps_.slice_rows(t, t + 1).reshape({steps_.cols()}).slice_rows(0, count);
  }

 private:
  Tensor steps_;  ///< int32 [T + 1, rows]
};

/// [T + 1, 1]: value(t) of every step.
template <typename Value>
Tensor by_step(const DiffRecSchedule& schedule, DType dtype, Device device, const Value& value) {
  std::vector<double> values;
  for (std::size_t step = 0; step < schedule.alpha_bar.size(); ++step) values.push_back(value(step));
  return Tensor::from<double>(values, {static_cast<std::int64_t>(values.size()), 1}).to(dtype).to(device);
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
Tensor reverse_mean(const DiffRecModel& model, const Tensor& x, std::int64_t t, const StepColumns& steps,
                    const DiffRecSchedule& schedule, DiffRecTarget target) {
  const auto at = static_cast<std::size_t>(t);
  const Tensor x0 = predicted_x0(model.forward(x, steps.of(t, x.rows())).value(), x, t, schedule, target);
  if (schedule.c2[at] == 0) return x0;  // t = 1, where c1 is 1
  return linear_combination({{schedule.c1[at], x0}, {schedule.c2[at], x}});
}

/// The users `ids`, int32 [n], on their way from noise down to t = `last`: [n, I].
Tensor denoised(const DiffRecModel& model, const DiffRecConfig& config, const DiffRecSchedule& schedule, const StepColumns& steps,
                const Tensor& ids, std::int64_t last, std::uint64_t seed) {
  const auto normal = [&](Purpose purpose, std::int64_t step, double deviation) {
    return random_normal({ids.numel(), model.items()}, {seed, purpose, static_cast<std::uint32_t>(step)}, 0, deviation,
                         model.dtype(), model.device(), ids);
  };
  Tensor x = normal(Purpose::kSampleStart, 0, 1);
  for (std::int64_t t = schedule.timesteps; t > last; --t) {
    x = reverse_mean(model, x, t, steps, schedule, config.target);
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

DiffRecTables::DiffRecTables(const DiffRecSchedule& schedule, std::int64_t items, DType dtype, Device device)
    : signal(by_step(schedule, dtype, device, [&](std::size_t t) { return std::sqrt(schedule.alpha_bar[t]); })),
      noise(by_step(schedule, dtype, device, [&](std::size_t t) { return std::sqrt(1 - schedule.alpha_bar[t]); })),
      weight(by_step(schedule, dtype, device, [&](std::size_t t) { return schedule.weight[t] / static_cast<double>(items); })) {}

Tensor noised_rows(const DiffRecBatch& batch, const DiffRecTables& tables) {
  const Tensor x = binary(BinaryOp::kMultiply, batch.x0, gather_rows(tables.signal, batch.t));
  add_in_place(x, binary(BinaryOp::kMultiply, batch.noise, gather_rows(tables.noise, batch.t)));
  return x;
}

DiffRecLoss diffrec_loss(const DiffRecModel& model, const DiffRecBatch& batch, const Tensor& seen, const DiffRecTables& tables,
                         DiffRecTarget target) {
  const Variable output = model.forward(seen, batch.t);  // [B, I]
  const Variable errors =
      autograd::row_sum_squares(autograd::subtract(output, target == DiffRecTarget::kX0 ? batch.x0 : batch.noise));  // [B, 1]
  const Variable by_user = autograd::multiply(errors, gather_rows(tables.weight, batch.t));
  return {autograd::mean(autograd::divide(by_user, batch.divisor)), by_user.value()};
}

Tensor noised_rows(const DiffRecBatch& batch, const DiffRecSchedule& schedule) {
  return noised_rows(batch, DiffRecTables(schedule, batch.x0.cols(), batch.x0.dtype(), batch.x0.device()));
}

DiffRecLoss diffrec_loss(const DiffRecModel& model, const DiffRecBatch& batch, const Tensor& seen,
                         const DiffRecSchedule& schedule, DiffRecTarget target) {
  return diffrec_loss(model, batch, seen, DiffRecTables(schedule, batch.x0.cols(), batch.x0.dtype(), batch.x0.device()), target);
}

Tensor diffrec_scores(const DiffRecModel& model, const CsrMatrix& rows, const DiffRecSchedule& schedule,
                      const DiffRecConfig& config, const RandomStream& stream) {
  Tensor x = dense(rows.to(model.device()), model.dtype());
  check(config.inference_steps >= 0 && config.inference_steps <= schedule.timesteps, "diffrec_scores: ", config.inference_steps,
        " steps of corruption of ", schedule.timesteps);
  const StepColumns steps(schedule.timesteps, x.rows(), model.device());
  if (config.inference_steps > 0) {
    const DiffRecBatch batch = {
        x, steps.of(config.inference_steps, x.rows()), {}, random_normal(x.shape(), stream, 0, 1, model.dtype(), model.device())};
    x = noised_rows(batch, schedule);
  }
  for (std::int64_t t = schedule.timesteps; t >= 1; --t) x = reverse_mean(model, x, t, steps, schedule, config.target);
  return x;
}

sdrm::LogitMatrix diffrec_samples(const DiffRecModel& model, const DiffRecConfig& config, std::int64_t rows, std::uint64_t seed,
                                  const std::function<void(double)>& progress) {
  const DiffRecSchedule schedule(config);
  if (config.target != DiffRecTarget::kX0) {
    return {rows, model.items(), [&model, config, schedule, seed](std::int64_t begin, std::int64_t end) {
              const StepColumns steps(schedule.timesteps, end - begin, model.device());
              return denoised(model, config, schedule, steps, row_numbers(begin, end, model.device()), 0, seed);
            }};
  }
  if (rows == 0) return {0, model.items(), {}};
  constexpr std::int64_t kTile = 256;
  const StepColumns steps(schedule.timesteps, kTile, model.device());
  const Tensor last = Tensor::empty({rows, config.dims.back()}, model.dtype(), model.device());  // [rows, H]
  const auto last_hidden = [&](const Tensor& ids) {
    const Tensor x = denoised(model, config, schedule, steps, ids, 1, seed);
    return model.hidden(x, steps.of(1, ids.numel())).value();
  };
  sample_tiles(last, kTile, last_hidden, progress);
  return {rows, model.items(),
          [&model, last](std::int64_t begin, std::int64_t end) { return model.output(last.slice_rows(begin, end)).value(); }};
}

}  // namespace tapestry::recsys
