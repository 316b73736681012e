#include "recsys/report/csv_files.h"

#include <numeric>

#include "recsys/report/published_similarity.h"
#include "recsys/report/text.h"

namespace tapestry::recsys {
namespace {

constexpr int kDecimals = 10;

std::string ours(double value) { return fixed(value, kDecimals); }

double sum_of(std::span<const double> values) { return std::accumulate(values.begin(), values.end(), 0.0); }

std::string percent(double part, double all) { return all > 0 ? ours(100 * part / all) : ""; }

/// The lines of one distribution.
std::string size_lines(const std::string& dataset, const std::string& recommender, const std::string& generator,
                       const std::string& kind, std::span<const double> counts) {
  std::string text;
  for (std::size_t size = 0; size < counts.size(); ++size) {
    if (counts[size] > 0) text += csv_line({dataset, recommender, generator, kind, std::to_string(size), ours(counts[size])});
  }
  return text;
}

/// The lines of one generator.
std::string similarity_lines(const SyntheticFigures& one, const ReportOptions& options) {
  std::string text;
  const double pairs = sum_of(one.pairs), users = sum_of(one.nearest);
  const std::string runs = std::to_string(one.runs);
  for (int bin = 0; bin < kSimilarityBins; ++bin) {
    const double counted = one.pairs[static_cast<std::size_t>(bin)], nearest = one.nearest[static_cast<std::size_t>(bin)];
    const auto printed = options.compares(one.dataset) ? published_pairs(one.dataset, one.generator, bin) : std::nullopt;
    text += csv_line({one.dataset, one.recommender, one.generator, runs, fixed(bin / 10.0, 1), fixed((bin + 1) / 10.0, 1),
                      ours(counted), percent(counted, pairs), ours(nearest), percent(nearest, users),
                      printed ? std::to_string(*printed) : "", ours(one.pairs_interval[static_cast<std::size_t>(bin)].low),
                      ours(one.pairs_interval[static_cast<std::size_t>(bin)].high)});
  }
  text += csv_line({one.dataset, one.recommender, one.generator, runs, "1.0", "1.0", "", "", ours(one.copies),
                    percent(one.copies, users), "", "", ""});
  return text;
}

}  // namespace

std::string similarity_csv(std::span<const DatasetFigures> datasets, std::span<const SyntheticFigures> synthetic,
                           const ReportOptions& options) {
  std::string text =
      "dataset,recommender,generator,runs,low,high,pairs,pairs_percent,nearest,nearest_percent,published_pairs,pairs_ci_low,"
      "pairs_ci_high\n";
  for (const DatasetFigures& one : datasets) {
    if (one.strangers.runs > 0) text += similarity_lines(one.strangers, options);
  }
  for (const SyntheticFigures& one : synthetic) text += similarity_lines(one, options);
  return text;
}

std::string alike_csv(std::span<const AlikeFigures> alike) {
  std::string text = "dataset,recommender,setting,generator,users,runs,mean,std\n";
  for (const AlikeFigures& one : alike) {
    const auto line = [&](const std::string& users, const std::vector<double>& runs) {
      text += csv_line({one.dataset, one.recommender, one.setting, one.generator, users, std::to_string(runs.size()),
                        ours(mean(runs)), ours(population_std(runs))});
    };
    line("all", one.all);
    line("alike", one.alike);
    line("others", one.others);
  }
  return text;
}

std::string shapes_csv(std::span<const DatasetFigures> datasets, std::span<const SyntheticFigures> synthetic) {
  std::string text = "dataset,recommender,generator,kind,size,count\n";
  for (const DatasetFigures& one : datasets) {
    text += size_lines(one.dataset, "", "original", "items_per_user", as_numbers(one.shape.users_by_length));
    text += size_lines(one.dataset, "", "original", "users_per_item", as_numbers(one.shape.items_by_users));
  }
  for (const SyntheticFigures& one : synthetic) {
    text += size_lines(one.dataset, one.recommender, one.generator, "items_per_user", one.users_by_length);
    text += size_lines(one.dataset, one.recommender, one.generator, "users_per_item", one.items_by_users);
  }
  return text;
}

std::string improvements_csv(std::span<const Improvement> improvements) {
  const auto printed = [](const std::optional<double>& value) { return value ? shortest(*value) : std::string(); };
  std::string text =
      "dataset,recommender,setting,metric,of,percent,published_percent,combinations,published_percent_of_these,ci_low,ci_high\n";
  for (const Improvement& one : improvements) {
    const Interval interval = interval_of(one);
    text += csv_line({one.dataset, one.recommender, one.setting, one.metric, one.of, ours(one.percent), printed(one.published),
                      "1", printed(one.published), ours(interval.low), ours(interval.high)});
  }
  for (const auto& averages : {average_improvements(improvements), overall_improvements(improvements)}) {
    for (const AverageImprovement& one : averages) {
      text += csv_line({"", "", one.setting, one.metric, one.of, ours(one.percent), printed(one.published),
                        std::to_string(one.combinations), one.published_same ? ours(*one.published_same) : "",
                        ours(one.interval.low), ours(one.interval.high)});
    }
  }
  return text;
}

std::string comparisons_csv(std::span<const Comparison> comparisons) {
  std::string text =
      "dataset,recommender,setting,generator,baseline,metric,difference,ci_low,ci_high,standard_error,degrees,p_these_fits,p_two_"
      "sided,p_holm,p_holm_these_fits,p_overlap,p_holm_overlap,users,fits\n";
  for (const Comparison& one : comparisons) {
    text +=
        csv_line({one.dataset, one.recommender, one.setting, one.generator, one.baseline, one.metric, ours(one.test.mean),
                  ours(one.interval.low), ours(one.interval.high), ours(one.test.standard_error), ours(one.test.degrees),
                  ours(one.p_these_fits), ours(one.test.p_two_sided), ours(one.p_holm), ours(one.p_holm_these_fits),
                  ours(p_overlap(one)), ours(one.p_holm_overlap), std::to_string(one.test.users), std::to_string(one.test.fits)});
  }
  return text;
}

}  // namespace tapestry::recsys
