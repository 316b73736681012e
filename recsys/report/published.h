#pragma once

#include <cstdint>
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

/// A row of table 1 of the SDRM paper. "Ratings" counts every stored entry, dislikes too; of ml-1m users and items are printed in
/// each other's place. Not read off the table, which is a picture, but made from these two remarks on it: docs/reproduction.md.
struct PublishedDataset {
  std::int64_t users = 0, items = 0, ratings = 0;
};

/// Nothing for a data set that the paper does not have.
std::optional<PublishedDataset> published_dataset(std::string_view dataset);

/// How much the better of F-SDRM and M-SDRM gains over MultiVAE++, in percent. Tables 7 (setting "augment") and 8 ("replace"),
/// for names of the command line or of the paper; nothing where nothing was printed.
std::optional<double> published_improvement(std::string_view setting, std::string_view recommender, std::string_view dataset,
                                            std::string_view metric);

/// Table 6, drawn as Figure 2: the mean over the data sets and recommenders.
std::optional<double> published_average_improvement(std::string_view setting, std::string_view metric);

/// The caption of Figure 2: the mean over the cut-offs as well, of kind "Recall@" or "NDCG@", in a setting or in "augment and
/// replace", whose 4.30 and 4.65 the abstract has too.
std::optional<double> published_overall_improvement(std::string_view setting, std::string_view kind);

/// The captions of tables 3 (setting "augment") and 4 ("replace"): "average overall improvement" of SDRM "over the
/// best-performing baseline", metrics Recall@10 and NDCG@10. From the tables themselves it is 4.74 and 4.56 in augment and 2.11
/// and .95 in replace, where the original users count among the baselines.
std::optional<double> published_average_lead(std::string_view setting, std::string_view metric);

}  // namespace tapestry::recsys
