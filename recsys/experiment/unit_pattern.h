#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Which units of an experiment are meant: shell-style patterns over their text ("ml-100k_mlp_augment_ctgan_run-2").
namespace tapestry::recsys {

/// Whether the whole text fits: * stands for any characters, also none, ? for one, everything else for itself.
bool matches(std::string_view pattern, std::string_view text);

/// Whether one of the patterns fits; without patterns every text does.
bool matches_any(std::span<const std::string> patterns, std::string_view text);

/// Throws Error(kUsage), showing some of the texts, when one of the patterns fits none of them.
void check_patterns(std::span<const std::string> patterns, std::span<const std::string> texts);

}  // namespace tapestry::recsys
