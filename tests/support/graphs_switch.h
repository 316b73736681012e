#pragma once

#include <cstdlib>

namespace tapestry::tests {

/// Sets TAPESTRY_GRAPHS while it lives.
class GraphsSwitch {
 public:
  explicit GraphsSwitch(const char* value) { ::setenv("TAPESTRY_GRAPHS", value, 1); }
  ~GraphsSwitch() { ::unsetenv("TAPESTRY_GRAPHS"); }
  GraphsSwitch(const GraphsSwitch&) = delete;
  GraphsSwitch& operator=(const GraphsSwitch&) = delete;
};

}  // namespace tapestry::tests
