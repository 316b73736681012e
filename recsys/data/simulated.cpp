#include "recsys/data/simulated.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "recsys/data/preprocess.h"
#include "recsys/data/split.h"
#include "tensor/error.h"
#include "tensor/random.h"

namespace tapestry::recsys {
namespace {

struct Item {
  double popularity;
  std::size_t group;
  double quality;
};

std::size_t uniform_index(RandomSequence& random, std::int64_t bound) { return random.below(static_cast<std::uint32_t>(bound)); }

std::vector<Item> draw_items(const SimulationConfig& config, RandomSequence& random) {
  const std::vector<std::int32_t> ranks = shuffled(config.items, [&](std::uint32_t bound) { return random.below(bound); });
  std::vector<Item> items;
  for (const std::int32_t rank : ranks) {
    const double popularity = std::pow(rank + 1.0, -config.popularity_exponent);
    const std::size_t group = uniform_index(random, config.groups);
    items.push_back({popularity, group, config.quality_sigma * random.normal()});
  }
  return items;
}

std::vector<double> draw_affinities(const SimulationConfig& config, RandomSequence& random) {
  const std::size_t main = uniform_index(random, config.groups);
  const std::size_t second = (main + 1 + uniform_index(random, config.groups - 1)) % static_cast<std::size_t>(config.groups);
  std::vector<double> affinities(static_cast<std::size_t>(config.groups), -0.5);
  affinities[main] = 1;
  affinities[second] = 0.5;
  for (double& affinity : affinities) affinity += config.affinity_sigma * random.normal();
  return affinities;
}

/// `count` items without replacement, ascending. An item with odds w arrives after a time ~ Exponential(w); the first ones to
/// arrive are a draw without replacement (Efraimidis and Spirakis 2006).
std::vector<std::int32_t> choose_items(const SimulationConfig& config, const std::vector<Item>& items,
                                       const std::vector<double>& affinities, std::int64_t count, RandomSequence& random) {
  std::vector<std::pair<double, std::int32_t>> arrivals;
  for (const Item& item : items) {
    const double odds = item.popularity * std::exp(config.choice_strength * affinities[item.group]);
    arrivals.emplace_back(-std::log(1 - random.uniform()) / odds, static_cast<std::int32_t>(arrivals.size()));
  }
  std::nth_element(arrivals.begin(), arrivals.begin() + count - 1, arrivals.end());
  std::vector<std::int32_t> chosen;
  for (std::int64_t n = 0; n < count; ++n) chosen.push_back(arrivals[static_cast<std::size_t>(n)].second);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace

Ratings simulate_ratings(const SimulationConfig& config) {
  check(config.users > 0 && config.items >= 2 && config.groups >= 2 && config.activity_least >= 1,
        "simulate_ratings: ", config.users, " users, ", config.items, " items, ", config.groups, " groups and ",
        config.activity_least, " ratings a user, expected at least 1, 2, 2 and 1");
  RandomSequence random({config.seed, Purpose::kSimulation, 0});
  Ratings ratings;
  ratings.file = "simulated";
  const std::vector<Item> items = draw_items(config, random);
  for (std::int64_t item = 0; item < config.items; ++item) ratings.item_ids.push_back(std::to_string(item + 1));
  const std::int64_t half = config.items / 2;
  const auto most = static_cast<double>(half);
  for (std::int64_t user = 0; user < config.users; ++user) {
    ratings.user_ids.push_back(std::to_string(user + 1));
    const std::vector<double> affinities = draw_affinities(config, random);
    const double activity = config.activity_median * std::exp(config.activity_sigma * random.normal());
    const auto count = static_cast<std::int64_t>(std::min(std::max(activity, config.activity_least), most));
    for (const std::int32_t chosen : choose_items(config, items, affinities, count, random)) {
      const Item& item = items[static_cast<std::size_t>(chosen)];
      const double opinion = config.rating_centre + config.rating_strength * affinities[item.group] + item.quality;
      ratings.users.push_back(static_cast<std::int32_t>(user));
      ratings.items.push_back(chosen);
      ratings.values.push_back(
          static_cast<float>(std::clamp(std::round(opinion + config.rating_sigma * random.normal()), 1.0, 5.0)));
    }
  }
  return ratings;
}

Dataset simulate_dataset(const SimulationConfig& config) {
  Preprocessed preprocessed = preprocess(simulate_ratings(config));
  Dataset dataset;
  dataset.name = "simulated";
  dataset.source = concat("simulated, seed ", config.seed);
  dataset.stored = std::move(preprocessed.stored);
  dataset.user_ids = std::move(preprocessed.user_ids);
  dataset.item_ids = std::move(preprocessed.item_ids);
  complete_dataset(dataset);
  return dataset;
}

}  // namespace tapestry::recsys
