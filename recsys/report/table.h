#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "recsys/metrics/statistics.h"
#include "recsys/report/comparison.h"
#include "recsys/report/published.h"

/// Reports of an experiment. Every text is a function of the cells and options alone: no times, no locale, no addresses.
namespace tapestry::recsys {

/// One metric of one combination, with the names of the command line ("svd", "augment", "m-sdrm", "Recall@10").
struct Cell {
  std::string dataset, recommender, setting, generator, metric;
  std::vector<double> runs;          ///< the metric of each run, in run order
  std::optional<Interval> interval;  ///< replaces the t interval over runs: the bootstrap interval of `strict`
  std::optional<double> mean = {};   ///< replaces the mean over runs: over users, where they are what the interval is of
  bool failed = false;               ///< one of its units did, so that it has no figure; else a NaN is a figure of nobody
};

/// Nothing when there is no such cell.
const Cell* find_cell(std::span<const Cell> cells, const std::string& dataset, const std::string& recommender,
                      const std::string& setting, const std::string& generator, const std::string& metric);

/// Work that could not be done, and why.
struct Failure {
  std::string unit, reason;
};

/// A combination that cannot be reported, since not all of its units are finished.
struct Unfinished {
  std::string dataset, recommender, setting, generator;
  int finished = 0;  ///< of `asked` units
  int asked = 0;
};

struct ReportOptions {
  std::string protocol = "published";  ///< named in every report
  /// Sets the paper's figures beside ours. Off for protocols under which they are not comparable: the columns stay empty.
  bool compare = true;
  /// Data sets under a name of the paper's whose content is another: nothing that the paper prints is about them.
  std::vector<std::string> other_data = {};
  bool quick = false;  ///< made with reduced epochs: every report says first that its figures mean nothing
  /// Whether NeuMF's epoch was chosen by the reported users' recall on the original users too (--neumf-selection).
  bool neumf_by_recall = false;

  /// Whether the paper's figures of a data set stand beside ours.
  bool compares(const std::string& dataset) const;
  /// Whether each run reports the users of one fold.
  bool with_folds() const { return protocol.find("folds") != std::string::npos; }
};

/// A cell with its statistics.
struct Summary {
  double mean = 0;    ///< over runs, or the cell's own
  double std = 0;     ///< of runs, population, as printed in the paper
  Interval interval;  ///< 95 %, for the mean over runs; NaN ends when there is one run and no interval was given
  std::optional<PublishedFigure> published;

  /// Whether the printed mean, known to four decimals, can lie in the interval. Nothing without either.
  std::optional<bool> inside() const;
};

/// Under which name the paper prints a metric of ours: its own, except that NeuMF's NDCG@k is the one whose ideal DCG is over k
/// positions. Empty for a metric that it prints in no form.
std::string printed_metric(const std::string& recommender, const std::string& metric);

Summary summarise(const Cell& cell, const ReportOptions& options = {});

/// dataset,recommender,setting,generator,metric,runs,mean,std,ci_low,ci_high,published_mean,published_std; fields that do not
/// exist are empty, ours have ten decimals.
std::string results_csv(std::span<const Cell> cells, const ReportOptions& options = {});
/// The same as JSON, with the value of every run and null for what does not exist; then the comparisons, the failures and what
/// is not finished, if there are any.
std::string results_json(std::span<const Cell> cells, const ReportOptions& options = {},
                         std::span<const Comparison> comparisons = {}, std::span<const Failure> failures = {},
                         std::span<const Unfinished> unfinished = {});
/// A Markdown list of what failed; empty when nothing did.
std::string failure_list(std::span<const Failure> failures);
/// A Markdown table: ours, the printed value, the difference, and the verdict (verdict.h).
std::string markdown_table(std::span<const Cell> cells, const ReportOptions& options = {});
/// The same in aligned columns for a terminal, the metrics at 10 only (all when there are none): what the paper's tables show.
/// Under `published` the answer in words below it (headline.h).
std::string terminal_table(std::span<const Cell> cells, const ReportOptions& options = {});

}  // namespace tapestry::recsys
