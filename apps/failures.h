#pragma once

#include <span>

#include "recsys/report/table.h"

namespace tapestry::apps {

/// Names the units that failed, and why, on standard output. Returns the exit status: 0, or 5 if there are any.
int print_failures(std::span<const recsys::Failure> failures);

}  // namespace tapestry::apps
