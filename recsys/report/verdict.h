#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>

#include "recsys/report/table.h"

/// What our figure says about a printed one.
namespace tapestry::recsys {

enum class Verdict : std::uint8_t {
  kReproduced,   ///< the printed mean, to its four decimals, lies in the 95 % interval for our mean
  kWithinThree,  ///< not that, but our mean lies within three printed standard deviations of the printed one, to its four
                 ///< decimals
  kAbove,        ///< further above
  kBelow,        ///< further below
};
inline constexpr std::array kVerdicts = {Verdict::kReproduced, Verdict::kWithinThree, Verdict::kAbove, Verdict::kBelow};

/// "reproduced", "within 3 sd", "above", "below".
const char* to_string(Verdict verdict);
/// A sign for a table's cell: colour is never the only one.
const char* mark_of(Verdict verdict);
/// The class of the page's style sheet.
const char* style_of(Verdict verdict);

/// Nothing without a printed figure, or when our mean is not a number. A single run has no interval, so that it is never
/// `reproduced`.
std::optional<Verdict> verdict(const Summary& summary);

/// For figures that were printed without a deviation, in steps of `digit`: reproduced, above or below. Nothing without a printed
/// figure or an interval.
std::optional<Verdict> verdict(double ours, const Interval& interval, std::optional<double> printed, double digit);

/// How many printed figures got which verdict.
class VerdictCounts {
 public:
  void add(std::optional<Verdict> found);
  int printed() const { return printed_; }
  /// "12 of 32 printed figures reproduced, 16 within 3 sd, 1 above, 3 below", with "4 failed" at the end where there was no
  /// verdict. Figures without deviations have no "within 3 sd", and no verdict "without an interval".
  std::string text(const std::string& figures, bool deviations) const;

 private:
  std::array<int, kVerdicts.size()> counts_ = {};
  int printed_ = 0;
};

/// Of the cells that were printed.
VerdictCounts count_verdicts(std::span<const Cell> cells, const ReportOptions& options = {});

}  // namespace tapestry::recsys
