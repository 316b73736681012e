#pragma once

#include "bench/graphs_switch.h"

namespace tapestry::tests {

using bench::GraphsSwitch;

}  // namespace tapestry::tests
