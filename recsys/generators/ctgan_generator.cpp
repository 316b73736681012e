#include "recsys/generators/ctgan_generator.h"

#include <utility>

namespace tapestry::recsys {
namespace {

class CtganFamily : public TableFamily {
 public:
  CtganFamily(TableSettings settings, const CtganConfig& config) : TableFamily("ctgan", std::move(settings)), config_(config) {}

  Interactions sample(const std::string& generator, const SampleRequest& request, StageListener& listener) const override {
    const TableEncoding& encoding = table();
    const auto advance = [&](std::int64_t done, std::int64_t total) {
      listener.advance("sample_" + generator, {.fraction = static_cast<double>(done) / static_cast<double>(total)});
    };
    return with_dislikes(
        sample_ctgan(*generator_, encoding, config_, law_of(generator), request.rows, request.dislikes, sample_seed(), advance),
        request);
  }

 protected:
  const nn::Module& create(const TableEncoding& table, std::uint64_t seed) override {
    init_ = nn::Initializer(seed, DType::kFloat32, device());
    generator_ = std::make_unique<CtganGenerator>(table.planes(), config_, init_);
    encoding_ = table;
    return *generator_;
  }
  void train(const CsrMatrix& marks, std::uint64_t seed, const std::function<void(const Epoch&)>& on_epoch,
             sdrm::FitCheckpoint& checkpoint) override {
    // The critic is needed for training only, and gone after it.
    CtganCritic critic(generator_->planes(), config_, init_);
    fit_ctgan(
        *generator_, critic, encoding_, marks, config_, seed,
        [&](const CtganEpoch& report) {
          on_epoch({report.epoch, report.generator, concat(",", report.critic, ",", report.penalty, ",", report.cross_entropy)});
        },
        &checkpoint);
  }
  double step_operations(double categories) const override {
    // The generator's last layer three times over and once more for the critic's step; the critic's first layer, dense for rows
    // that were generated, in its own step, in its penalty and in the generator's step.
    const auto batch = static_cast<double>(config_.batch);
    return batch * categories * static_cast<double>(8 * (2 * config_.hidden + config_.latent) + 16 * config_.hidden);
  }
  std::int64_t batch() const override { return config_.batch; }
  std::int64_t epochs() const override { return config_.epochs; }
  std::string history_fields() const override { return ",critic,penalty,cross_entropy"; }

 private:
  ConditionLaw law_of(const std::string& generator) const {
    if (generator == "ctgan-paper") return ConditionLaw::kFrequency;
    if (generator == "ctgan-old") return ConditionLaw::kFirstColumn;
    if (generator == "ctgan-new") return ConditionLaw::kLogFrequency;
    return protocol() == ProtocolName::kPublished ? ConditionLaw::kFirstColumn : ConditionLaw::kFrequency;
  }

  CtganConfig config_;
  nn::Initializer init_{0};
  TableEncoding encoding_;
  std::unique_ptr<CtganGenerator> generator_;
};

}  // namespace

std::vector<std::string> ctgan_names() { return {"ctgan", "ctgan-paper", "ctgan-old", "ctgan-new"}; }

std::shared_ptr<TableFamily> make_ctgan_family(TableSettings settings, const CtganConfig& config) {
  return std::make_shared<CtganFamily>(std::move(settings), config);
}

}  // namespace tapestry::recsys
