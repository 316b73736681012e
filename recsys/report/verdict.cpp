#include "recsys/report/verdict.h"

#include <cmath>

namespace tapestry::recsys {
namespace {

constexpr std::array<const char*, kVerdicts.size()> kNames = {"reproduced", "within 3 sd", "above", "below"};
constexpr double kHalfDigitOfMean = 0.00005;
constexpr double kHalfDigitOfDeviation = 0.0005;

}  // namespace

const char* to_string(Verdict verdict) { return kNames[static_cast<std::size_t>(verdict)]; }

std::optional<Verdict> verdict(const Summary& summary) {
  if (!summary.published || !std::isfinite(summary.mean)) return std::nullopt;
  if (summary.inside().value_or(false)) return Verdict::kReproduced;
  const double difference = summary.mean - summary.published->mean;
  // A printed deviation of 0 is that of a row without randomness: there is nothing to round.
  const double deviation = summary.published->std > 0 ? summary.published->std + kHalfDigitOfDeviation : 0;
  if (std::abs(difference) <= 3 * deviation + kHalfDigitOfMean + 1e-12) return Verdict::kWithinThree;
  return difference > 0 ? Verdict::kAbove : Verdict::kBelow;
}

std::string verdict_counts(std::span<const Cell> cells, const ReportOptions& options) {
  std::array<int, kVerdicts.size()> counts = {};
  int printed = 0, failed = 0;
  for (const Cell& cell : cells) {
    const Summary summary = summarise(cell, options);
    if (!summary.published) continue;
    ++printed;
    if (const std::optional<Verdict> found = verdict(summary)) {
      ++counts[static_cast<std::size_t>(*found)];
    } else {
      ++failed;
    }
  }
  if (printed == 0) return "";
  std::string text = std::to_string(counts[0]) + " of " + std::to_string(printed) + " printed figures reproduced";
  for (std::size_t v = 1; v < counts.size(); ++v) text += ", " + std::to_string(counts[v]) + " " + kNames[v];
  if (failed > 0) text += ", " + std::to_string(failed) + " failed";
  return text + ".";
}

}  // namespace tapestry::recsys
