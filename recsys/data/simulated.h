#pragma once

#include <cstdint>

#include "recsys/data/dataset.h"
#include "recsys/data/ratings.h"

namespace tapestry::recsys {

/// A made-up world of users and items, so that everything runs on a machine with no data. All draws come from one sequence
/// RandomSequence{seed, Purpose::kSimulation}, in this order.
///
/// Items i = 0..items-1: a popularity rank r_i, a random permutation of 1..items, with popularity p_i = r_i^-popularity_exponent
/// (Zipf); a taste group g_i, uniform; a quality b_i ~ N(0, quality_sigma).
///
/// Users u: a main and a second taste group, uniform and different, and with them the affinities
///   a_ug = 1 for the main group, 1/2 for the second, -1/2 for the others, each plus N(0, affinity_sigma);
/// an activity n_u = exp(N(ln activity_median, activity_sigma)) (log-normal), kept within [activity_least, items / 2];
/// n_u items without replacement with odds p_i exp(choice_strength a_u,g_i): people mostly look at what they like;
/// for each of them, by ascending item, the rating
///   round(rating_centre + rating_strength a_u,g_i + b_i + N(0, rating_sigma)), kept within 1..5.
struct SimulationConfig {
  std::int64_t users = 1000;
  std::int64_t items = 700;
  std::int64_t groups = 12;
  double popularity_exponent = 0.8;
  double quality_sigma = 0.5;
  double affinity_sigma = 0.25;
  double activity_median = 45;
  double activity_sigma = 0.7;
  double activity_least = 15;
  double choice_strength = 2.4;
  double rating_centre = 3.5;
  double rating_strength = 0.9;
  double rating_sigma = 0.7;
  std::uint64_t seed = 1;
};

/// The ratings of the process above. Ids are 1, 2, ...
Ratings simulate_ratings(const SimulationConfig& config = {});

/// The same after the ordinary preprocessing, split and hold-outs, as if it had been read from a file.
Dataset simulate_dataset(const SimulationConfig& config = {});

}  // namespace tapestry::recsys
