#include "recsys/generators/cut.h"

namespace tapestry::recsys {

Interactions cut_at_density(const sdrm::LogitMatrix& scores, const SampleRequest& request,
                            const std::function<void(double fraction)>& progress) {
  const double passes = request.dislikes ? 2 : 1;
  double finished = 0;
  const auto advance = [&](std::int64_t done, std::int64_t total) {
    if (progress) progress((finished + static_cast<double>(done) / static_cast<double>(total)) / passes);
  };
  // Quantiles are found on the host: scores of a model on a GPU come over tile by tile.
  const sdrm::LogitMatrix here = {scores.rows, scores.cols,
                                  [&](std::int64_t begin, std::int64_t end) { return scores.tile(begin, end).to(Device::kCpu); }};
  Interactions users;
  users.likes = sdrm::binarize_at_density(here, request.density, advance).ones;
  finished = 1;
  users.dislikes =
      request.dislikes
          ? sdrm::lowest_at_density(here, request.density, advance).ones
          : CsrMatrix::from_rows(scores.cols, std::vector<std::vector<std::int32_t>>(static_cast<std::size_t>(scores.rows)));
  return users;
}

}  // namespace tapestry::recsys
