#pragma once

#include <span>
#include <string>

#include "recsys/report/html_report.h"
#include "recsys/report/improvement.h"

/// What results.csv does not hold, as CSV: fields that do not exist are empty, ours have ten decimals. docs/results_files.md
/// describes the columns.
namespace tapestry::recsys {

/// dataset,recommender,generator,runs,low,high,pairs,pairs_percent,nearest,nearest_percent,published_pairs,pairs_ci_low,pairs_ci_high:
/// mean numbers over runs, of pairs of a synthetic and a real user and of synthetic users by their nearest real one. A line from
/// 1 to 1 for copies. First the same of real users whom D does not have: no recommender, generator kStrangers.
std::string similarity_csv(std::span<const DatasetFigures> datasets, std::span<const SyntheticFigures> synthetic,
                           const ReportOptions& options);

/// dataset,recommender,generator,kind,size,count: kind is items_per_user (count users have size items) or users_per_item; real
/// users have generator `original` and no recommender. Sizes that nobody has are left out.
std::string shapes_csv(std::span<const DatasetFigures> datasets, std::span<const SyntheticFigures> synthetic);

/// dataset,recommender,setting,generator,users,runs,mean,std of Recall@10: users are all, alike or others.
std::string alike_csv(std::span<const AlikeFigures> alike);

/// dataset,recommender,setting,metric,percent,published_percent,combinations,published_percent_of_these,ci_low,ci_high:
/// tables 7 and 8, then table 6 and the means over cut-offs, whose lines have neither data set nor recommender.
std::string improvements_csv(std::span<const Improvement> improvements);

/// dataset,recommender,setting,generator,baseline,metric,difference,ci_low,ci_high,standard_error,degrees,
/// p_these_fits,p_two_sided,p_holm,p_holm_these_fits,users,fits.
std::string comparisons_csv(std::span<const Comparison> comparisons);

}  // namespace tapestry::recsys
