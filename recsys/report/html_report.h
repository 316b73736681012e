#pragma once

#include <string>
#include <utility>
#include <vector>

#include "recsys/report/comparison.h"
#include "recsys/report/headline.h"
#include "recsys/report/shape.h"
#include "recsys/report/table.h"
#include "recsys/report/training_curve.h"

namespace tapestry::recsys {

/// The users of a data set who like exactly the same items, of the largest such group.
struct AlikeUsers {
  std::int64_t items = 0;  ///< that each of them likes; 0: no two users are alike
  /// How many they are, in D (with folds the first one's), and reported (with folds, of all that a run reports).
  std::int64_t users = 0, of_train = 0, reported = 0;
};

/// What is found for them and for everybody else: Recall@10, a mean over users for each run.
struct AlikeFigures {
  std::string dataset, recommender, setting, generator;
  std::vector<double> all, alike, others;
};

/// A data set as it was used: table 1, and the real side of Figure 3.
struct DatasetFigures {
  std::string dataset;
  std::int64_t users = 0, items = 0;
  std::int64_t stored = 0;    ///< entries, dislikes included
  std::int64_t likes = 0;     ///< of them
  std::int64_t reported = 0;  ///< users whose held-out items the figures are over
  MatrixShape shape;          ///< of the protocol's D, whose users are the real ones everywhere
  /// Of those, how many with a recommender that has fewer runs than there are folds; not named where it is all of them.
  std::vector<std::pair<std::string, std::int64_t>> fewer = {};
  AlikeUsers alike = {};
  /// The reported users' likes beside D, which does not have them, as if they were synthetic: what is to be expected of somebody
  /// who copies nobody. With folds, of the first.
  SyntheticFigures strangers = {};
};

/// What a stage took, over all runs.
struct StageTime {
  std::string dataset, recommender, stage;
  int times = 0;
  double seconds = 0;
};

/// Everything that the report shows. Parts that are empty are left out.
struct ReportContent {
  ReportOptions options;
  Headline headline;
  std::vector<DatasetFigures> datasets;
  std::vector<AlikeFigures> alike;  ///< of data sets with more than a few such users among the reported ones
  std::vector<Cell> cells;
  std::vector<Comparison> comparisons;
  std::vector<SyntheticFigures> synthetic;
  std::vector<Failure> failures;
  std::vector<Unfinished> unfinished;
  std::vector<TrainingCurve> curves;              ///< of generators
  std::vector<TrainingCurve> recommender_curves;  ///< by data set, recommender, generator, setting and run
  std::vector<StageTime> times;
  std::vector<std::pair<std::string, std::string>> origin;  ///< name and value: command, version, data, device, ...
};

/// The report as one HTML file that stands alone: the answer in words, tables 3 and 4 in the paper's layout with ours over the
/// printed figures, the gain over MultiVAE++ (Figure 2 and tables 6 to 8), comparisons, the catalogue, similarity to real users
/// (table 5), the shape of users and items (Figure 3), the data sets (table 1), users who are alike, what failed, training
/// curves, every metric, times and how every number was made.
std::string html_report(const ReportContent& content);

/// The same as Markdown, the charts as tables.
std::string markdown_report(const ReportContent& content);

}  // namespace tapestry::recsys
