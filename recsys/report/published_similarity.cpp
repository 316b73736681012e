#include "recsys/report/published_similarity.h"

#include "recsys/metrics/similarity.h"
#include "recsys/report/published.h"

namespace tapestry::recsys {
namespace {

constexpr std::int64_t kMultiResolution[kSimilarityBins] = {90331367, 989059, 32636, 1842, 320, 77, 43, 12, 8, 0};
constexpr std::int64_t kMultiVae[kSimilarityBins] = {89949754, 1365015, 38417, 1796, 289, 64, 16, 8, 2, 3};

}  // namespace

std::optional<std::int64_t> published_pairs(std::string_view dataset, std::string_view generator, int bin) {
  if (dataset != "amazon-digital-music" || bin < 0 || bin >= kSimilarityBins) return std::nullopt;
  const std::string name = paper_generator(generator).value_or("");
  if (name == "M-SDRM") return kMultiResolution[bin];
  if (name == "MultiVAE++") return kMultiVae[bin];
  return std::nullopt;
}

std::optional<Verdict> pairs_verdict(const SyntheticFigures& ours, int bin) {
  const auto printed = published_pairs(ours.dataset, ours.generator, bin);
  if (!printed) return std::nullopt;
  const auto at = static_cast<std::size_t>(bin);
  return verdict(ours.pairs[at], ours.pairs_interval[at], static_cast<double>(*printed), 1);
}

}  // namespace tapestry::recsys
