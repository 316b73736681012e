#include "recsys/generators/cut.h"

namespace tapestry::recsys {

Interactions cut_at_density(const sdrm::LogitMatrix& scores, const SampleRequest& request,
                            const std::function<void(double fraction)>& progress) {
  const double passes = request.dislikes ? 2 : 1;
  double finished = 0;
  const auto advance = [&](std::int64_t done, std::int64_t total) {
    if (progress) progress((finished + static_cast<double>(done) / static_cast<double>(total)) / passes);
  };
  Interactions users;
  users.likes = sdrm::binarize_at_density(scores, request.density, advance).ones;
  finished = 1;
  users.dislikes =
      request.dislikes ? sdrm::lowest_at_density(scores, request.density, advance).ones : no_entries(scores.rows, scores.cols);
  return users;
}

}  // namespace tapestry::recsys
