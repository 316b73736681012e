#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "recsys/experiment/hyperparameters.h"
#include "recsys/recommenders/recommender.h"

/// What can be asked for by name. Lists are in the order of reports.
namespace tapestry::recsys {

inline constexpr const char* kOriginal = "original";  ///< no generator: the recommender learns from the real users

std::vector<std::string> known_recommenders();
std::vector<std::string> known_generators();       ///< kOriginal first, then the paper's
std::vector<std::string> generators_beyond_all();  ///< those that the paper does not print
std::vector<std::string> known_settings();

/// Those of `known` that are in `asked`, in the order of `known` and each once; all of them for "all". Behind them those of
/// `beyond`, which "all" leaves out. Throws Error(kUsage) for a name that is not known ("no <what> is called 'x', there are:
/// ...") and when nothing is asked for.
std::vector<std::string> select_names(const std::string& what, std::span<const std::string> asked,
                                      std::span<const std::string> known, std::span<const std::string> beyond = {});

/// A recommender by name, trained as `values` say, on `device`. `seed` decides what is random in its training. Throws
/// Error(kUsage) for an unknown name.
std::unique_ptr<Recommender> make_recommender(const std::string& name, const Hyperparameters& values, std::uint64_t seed,
                                              Device device = Device::kCpu);

/// Whether training leaves nothing to chance: its results on the original data are then the same in every run.
bool is_deterministic(const std::string& recommender);

/// Whether it learns from explicit zeros too: generators are then asked for them, and only likes count as interactions.
bool learns_from_dislikes(const std::string& recommender);

}  // namespace tapestry::recsys
