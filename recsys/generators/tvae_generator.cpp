#include "recsys/generators/tvae_generator.h"

#include <utility>

namespace tapestry::recsys {
namespace {

class TvaeFamily : public TableFamily {
 public:
  TvaeFamily(TableSettings settings, const TvaeConfig& config) : TableFamily("tvae", std::move(settings)), config_(config) {}

  Interactions sample(const std::string& generator, const SampleRequest& request, StageListener& listener) const override {
    const TableEncoding& encoding = table();
    const auto reach = [&](double fraction) { listener.advance("sample_" + generator, {.fraction = fraction}); };
    const auto advance = [&](std::int64_t done, std::int64_t total) {
      reach(static_cast<double>(done) / static_cast<double>(total));
    };
    if (generator == "tvae-threshold") return threshold_tvae(*model_, encoding, request, sample_seed(), reach);
    const TvaeDraw draw = generator == "tvae-tanh"     ? TvaeDraw::kTanh
                          : generator == "tvae-sample" ? TvaeDraw::kSample
                                                       : TvaeDraw::kMode;
    return with_dislikes(sample_tvae(*model_, encoding, request.rows, draw, request.dislikes, sample_seed(), advance), request);
  }

 protected:
  const nn::Module& create(const TableEncoding& table, std::uint64_t seed) override {
    nn::Initializer init(seed, DType::kFloat32, device());
    model_ = std::make_unique<Tvae>(table.planes(), config_, init);
    return *model_;
  }
  void train(const CsrMatrix& marks, std::uint64_t seed, const std::function<void(const Epoch&)>& on_epoch,
             sdrm::FitCheckpoint& checkpoint) override {
    fit_tvae(
        *model_, marks, config_, seed,
        [&](const TvaeEpoch& report) {
          on_epoch({report.epoch, report.loss, concat(",", report.reconstruction, ",", report.kl)});
        },
        &checkpoint);
  }
  double step_operations(double categories) const override {
    // Forward and twice backward through the decoder's last layer; the encoder's first is sparse.
    return 6.0 * static_cast<double>(config_.batch * config_.hidden) * categories;
  }
  std::int64_t batch() const override { return config_.batch; }
  std::int64_t epochs() const override { return config_.epochs; }
  std::string history_fields() const override { return ",reconstruction,kl"; }

 private:
  TvaeConfig config_;
  std::unique_ptr<Tvae> model_;
};

}  // namespace

std::vector<std::string> tvae_names() { return {"tvae", "tvae-tanh", "tvae-sample", "tvae-threshold"}; }

std::shared_ptr<TableFamily> make_tvae_family(TableSettings settings, const TvaeConfig& config) {
  return std::make_shared<TvaeFamily>(std::move(settings), config);
}

}  // namespace tapestry::recsys
