#pragma once

#include <optional>
#include <string_view>

/// What the SDRM paper prints on how much the better of F-SDRM and M-SDRM gains over MultiVAE++, in percent.
namespace tapestry::recsys {

/// Tables 7 (setting "augment") and 8 ("replace"), for names of the command line or of the paper. Nothing where nothing was
/// printed.
std::optional<double> published_improvement(std::string_view setting, std::string_view recommender, std::string_view dataset,
                                            std::string_view metric);

/// Table 6, drawn as Figure 2: the mean over the data sets and recommenders.
std::optional<double> published_average_improvement(std::string_view setting, std::string_view metric);

}  // namespace tapestry::recsys
