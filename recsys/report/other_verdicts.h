#pragma once

#include <string>
#include <vector>

#include "recsys/report/html_report.h"

namespace tapestry::recsys {

/// What our figures say of those that the paper prints outside tables 3 and 4, in words: gains (tables 6 to 8, the caption of
/// Figure 2) and similarities (table 5), a sentence each. Table 1 has no verdict: docs/reproduction.md says why. Empty when
/// nothing of it stands in the report.
std::vector<std::string> other_verdicts(const ReportContent& content);

}  // namespace tapestry::recsys
