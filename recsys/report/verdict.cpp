#include "recsys/report/verdict.h"

#include <cmath>

namespace tapestry::recsys {
namespace {

constexpr std::array<const char*, kVerdicts.size()> kNames = {"reproduced", "within 3 sd", "above", "below"};
constexpr std::array<const char*, kVerdicts.size()> kMarks = {"✓", "≈", "↑", "↓"};
constexpr std::array<const char*, kVerdicts.size()> kStyles = {"reproduced", "within", "above", "below"};

}  // namespace

const char* to_string(Verdict verdict) { return kNames[static_cast<std::size_t>(verdict)]; }

const char* mark_of(Verdict verdict) { return kMarks[static_cast<std::size_t>(verdict)]; }

const char* style_of(Verdict verdict) { return kStyles[static_cast<std::size_t>(verdict)]; }

std::optional<Verdict> verdict(const Summary& summary) {
  if (!summary.published || !std::isfinite(summary.mean)) return std::nullopt;
  if (summary.inside().value_or(false)) return Verdict::kReproduced;
  const double difference = summary.mean - summary.published->mean;
  if (std::abs(difference) <= 3 * summary.published->std + kHalfDigitOfMean) return Verdict::kWithinThree;
  return difference > 0 ? Verdict::kAbove : Verdict::kBelow;
}

std::optional<Verdict> verdict(double ours, const Interval& interval, std::optional<double> printed, double digit) {
  if (!printed || !std::isfinite(interval.low) || !std::isfinite(interval.high)) return std::nullopt;
  const double slack = digit / 2 * (1 + 1e-9);
  if (interval.low - slack <= *printed && *printed <= interval.high + slack) return Verdict::kReproduced;
  return ours > *printed ? Verdict::kAbove : Verdict::kBelow;
}

void VerdictCounts::add(std::optional<Verdict> found) {
  ++printed_;
  if (found) ++counts_[static_cast<std::size_t>(*found)];
}

std::string VerdictCounts::text(const std::string& figures, bool deviations) const {
  std::string text = std::to_string(counts_[0]) + " of " + std::to_string(printed_) + " " + figures + " reproduced";
  int judged = 0;
  for (const Verdict one : kVerdicts) {
    const int count = counts_[static_cast<std::size_t>(one)];
    judged += count;
    if (one == Verdict::kReproduced || (one == Verdict::kWithinThree && !deviations)) continue;
    text += ", " + std::to_string(count) + " " + to_string(one);
  }
  if (judged < printed_) text += ", " + std::to_string(printed_ - judged) + (deviations ? " failed" : " without an interval");
  return text;
}

VerdictCounts count_verdicts(std::span<const Cell> cells, const ReportOptions& options) {
  VerdictCounts counts;
  for (const Cell& cell : cells) {
    const Summary summary = summarise(cell, options);
    if (summary.published) counts.add(verdict(summary));
  }
  return counts;
}

}  // namespace tapestry::recsys
