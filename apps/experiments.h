#pragma once

#include "apps/reproduce_options.h"

namespace tapestry::apps {

/// Does what was asked for: one experiment, or with --paper one after the other, or only their plans. Returns the exit status:
/// 0, or 5 when figures failed. Throws recsys::Interrupted.
int reproduce(const ReproduceOptions& options);

}  // namespace tapestry::apps
