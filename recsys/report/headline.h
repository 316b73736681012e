#pragma once

#include <span>
#include <string>
#include <vector>

#include "recsys/report/comparison.h"
#include "recsys/report/table.h"

/// What a report says in words before any table. Every sentence follows by rule from the figures.
namespace tapestry::recsys {

/// Plain text.
struct Headline {
  std::vector<std::string> answer;   ///< paragraphs, the most important first
  std::vector<std::string> details;  ///< a sentence each for comparisons that found something
  std::string remark = {};           ///< quick_remark, which comes before the answer
};

/// That a quick run means nothing; empty for any other.
std::string quick_remark(const ReportOptions& options);

/// Under `published`: how many of the printed figures are reproduced, how far ours lie from them, and why this protocol does not
/// say which generator is better, as far as it is so of these cells: on data of the paper's their hyperparameters were chosen on
/// the reported users, and with any generator or MLP something was stopped on them.
std::vector<std::string> published_answer(std::span<const Cell> cells, const ReportOptions& options);

/// Under `strict`: does synthetic data beat none, does SDRM beat MultiVAE++, and by how much at most? Counts of what the
/// corrected tests found, by setting and, when there are several, by data set; in the details every comparison of F-SDRM and
/// M-SDRM on Recall@10 that found something. When there is nothing to compare, or nobody to test it on, says so, and by the cells
/// what is missing.
Headline strict_answer(std::span<const Comparison> comparisons, std::span<const Cell> cells = {},
                       const ReportOptions& options = {});

/// All of it for the report's protocol.
Headline headline(std::span<const Cell> cells, std::span<const Comparison> comparisons, const ReportOptions& options);

/// Remark and answer as Markdown paragraphs, the first of them bold, then the details as a list.
std::string headline_markdown(const Headline& headline);

}  // namespace tapestry::recsys
