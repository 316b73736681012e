#include <iomanip>
#include <iostream>

#include "bench/benches.h"
#include "bench/record.h"
#include "recsys/metrics/ranking.h"
#include "recsys/recommenders/mlp.h"
#include "recsys/recommenders/neumf.h"
#include "tensor/cuda/cuda_memory.h"

namespace tapestry::bench {
namespace {

void report(const std::string& name, const std::vector<double>& times) {
  std::cout << "  " << std::left << std::setw(44) << name << std::right << std::fixed << std::setprecision(3) << std::setw(10)
            << 1e3 * median(times) << " ms\n";
  record().add(
      {.part = "recommenders", .name = name, .seconds = median(times), .times = static_cast<int>(times.size()), .work = {}});
}

/// Weights on the bench's device.
nn::Initializer initializer() { return nn::Initializer(1, DType::kFloat32, record().device); }

/// Seconds of each of `steps` calls behind `warm` others, each waited for. On a GPU no step is repeated as a graph: the epochs
/// are.
std::vector<double> timed(int steps, int warm, const std::function<void(int)>& step) {
  std::vector<double> times;
  for (int i = 0; i < warm + steps; ++i) {
    const double time = seconds([&] {
      step(i);
      cuda_synchronize();
    });
    if (i >= warm) times.push_back(time);
  }
  return times;
}

void mlp_step(const std::string& name, std::int64_t items, double density) {
  const recsys::MlpConfig config;
  nn::Initializer init = initializer();
  const recsys::MlpModel model(items, 1000, config, init);
  optim::Adam adam(model.dense_parameters(), {.epsilon = config.epsilon});
  recsys::ValueLayer::Update first = model.first().new_update();
  std::vector<CsrMatrix> batches;
  for (std::uint64_t i = 0; i < 8; ++i) batches.push_back(random_rows(16, items, density, i).to(record().device));
  report("MLP step, " + name, timed(30, 5, [&](int i) {
           recsys::mlp_update(
               model, adam, first, batches[static_cast<std::size_t>(i) % 8], config, [&](const autograd::Variable& h, int layer) {
                 return autograd::dropout(
                     h, 0.5, {static_cast<std::uint64_t>(layer), Purpose::kRecommenderDropout, static_cast<std::uint32_t>(i)});
               });
         }));
}

void neumf_step(const std::string& name, std::int64_t users, std::int64_t items) {
  const recsys::NeuMfConfig config;
  nn::Initializer init = initializer();
  const recsys::NeuMfModel model(users, items, config, init);
  optim::Adam adam(model.parameters());
  RandomSequence random({1, Purpose::kTest, 0});
  recsys::Triples triples;
  for (std::int64_t i = 0; i < 64 * config.batch; ++i) {
    triples.add(static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(users))),
                static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(items))), random.uniform() < 0.5 ? 1.0f : 0.0f);
  }
  const recsys::TripleTensors all(triples, DType::kFloat32, record().device);
  report("NeuMF step, " + name, timed(400, 50, [&](int i) {
           const std::int64_t begin = i % 64 * config.batch;
           recsys::neumf_update(
               model, adam, all.slice(begin, begin + config.batch), config, [&](const autograd::Variable& h, int layer) {
                 return autograd::dropout(
                     h, 0.5, {static_cast<std::uint64_t>(layer), Purpose::kRecommenderDropout, static_cast<std::uint32_t>(i)});
               });
         }));
}

void ranking(const std::string& name, std::int64_t users, std::int64_t items, double density) {
  const recsys::HeldOut split = {random_rows(users, items, 0.8 * density, 1), random_rows(users, items, 0.2 * density, 2)};
  const Tensor scores = random_normal({users, items}, {1, Purpose::kTest, 3}).to(record().device);
  report("ranking from scores, " + name, timed(15, 2, [&](int) { recsys::ranking_metrics(scores, split); }));
  nn::Initializer init = initializer();
  const recsys::NeuMfModel model(users, items, {}, init);
  report("NeuMF's scores and ranking, " + name, timed(15, 2, [&](int) {
           recsys::ranking_metrics([&](std::int64_t begin, std::int64_t end) { return model.all_items(begin, end); }, split);
         }));
}

}  // namespace

void recommender_steps() {
  mlp_step("amazon-luxury-beauty", 729, 0.013);
  mlp_step("ml-100k", 1008, 0.0575);
  mlp_step("ml-1m", 3125, 0.03);
  neumf_step("ml-100k", 938, 1008);
  neumf_step("ml-100k augmented", 1781, 1008);
  neumf_step("ml-1m", 6034, 3125);
  ranking("ml-100k", 95, 1008, 0.1);
  ranking("ml-1m", 605, 3125, 0.053);
}

}  // namespace tapestry::bench
