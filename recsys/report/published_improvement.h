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

/// The caption of Figure 2: the mean over the cut-offs as well, of kind "Recall@" or "NDCG@", in a setting or in "augment and
/// replace", whose 4.30 and 4.65 the abstract has too.
std::optional<double> published_overall_improvement(std::string_view setting, std::string_view kind);

}  // namespace tapestry::recsys
