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
  kWithinThree,  ///< not that, but our mean lies within three printed standard deviations of the printed one
  kAbove,        ///< further above
  kBelow,        ///< further below
};
inline constexpr std::array kVerdicts = {Verdict::kReproduced, Verdict::kWithinThree, Verdict::kAbove, Verdict::kBelow};

/// "reproduced", "within 3 sd", "above", "below".
const char* to_string(Verdict verdict);

/// Nothing without a printed figure, or when our mean is not a number. A single run has no interval, so that it is never
/// `reproduced`. Printed deviations have three decimals: each counts as up to half a digit more, the means likewise.
std::optional<Verdict> verdict(const Summary& summary);

/// "12 of 32 printed figures reproduced, 16 within 3 sd, 1 above, 3 below.", with "4 failed" at the end where ours is missing.
/// Empty when none of the cells was printed.
std::string verdict_counts(std::span<const Cell> cells, const ReportOptions& options = {});

}  // namespace tapestry::recsys
