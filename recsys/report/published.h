#pragma once

#include <optional>
#include <string>
#include <string_view>

/// Figures printed in the SDRM paper, so that a report can stand beside them without a file.
namespace tapestry::recsys {

/// Mean and population standard deviation over five runs.
struct PublishedFigure {
  double mean = 0;
  double std = 0;
};

/// How far a number that was rounded to such a mean, of four decimals, can lie from it; a bit more, since both are binary.
inline constexpr double kHalfDigitOfMean = 0.00005 + 1e-12;

/// What the paper calls a recommender or generator of the command line: "svd" is "SVD", "m-sdrm" is "M-SDRM". Names of the
/// paper stand for themselves; nothing for a name that its tables do not have.
std::optional<std::string> paper_recommender(std::string_view name);
std::optional<std::string> paper_generator(std::string_view name);

/// The entry of table 3 (setting "augment") or 4 ("replace"), metrics Recall@10 and NDCG@10, for names of the command line or
/// of the paper. Nothing where nothing was printed.
std::optional<PublishedFigure> published_figure(std::string_view setting, std::string_view recommender, std::string_view dataset,
                                                std::string_view generator, std::string_view metric);

}  // namespace tapestry::recsys
