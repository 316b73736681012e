#pragma once

#include <array>
#include <map>
#include <string>

namespace tapestry::tests {

/// SVD on the original data, the one row without randomness, under the published protocol: Recall and NDCG at 1, 3, 5, 10, 20,
/// 50 (the order of metric_names()) to four decimals. The paper prints those at 10; the others were obtained by running its
/// program.
inline const std::map<std::string, std::array<double, 12>>& exact_svd_original() {
  // clang-format off
  static const std::map<std::string, std::array<double, 12>> values = {
      {"amazon-luxury-beauty", {.2647, .2770, .3023, .3113, .3281, .3762, .2647, .2720, .2838, .2870, .2917, .3047}},
      {"ml-100k",              {.5579, .4175, .4084, .3716, .3791, .5010, .5579, .4481, .4333, .3973, .3853, .4284}},
      {"amazon-digital-music", {.0263, .0354, .0437, .0624, .0953, .1511, .0263, .0310, .0353, .0427, .0532, .0675}},
      {"ml-1m",                {.5074, .4567, .4217, .3769, .3607, .4142, .5074, .4692, .4416, .4035, .3781, .3843}},
  };
  // clang-format on
  return values;
}

}  // namespace tapestry::tests
