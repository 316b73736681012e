#pragma once

#include <cstdlib>
#include <optional>
#include <string>

namespace tapestry::bench {

/// Sets TAPESTRY_GRAPHS (tensor/step_graph.h), "on" or "off", while it lives; then it is again what it was before, or unset.
class GraphsSwitch {
 public:
  explicit GraphsSwitch(const char* value) {
    if (const char* before = std::getenv(kName)) before_ = before;
    ::setenv(kName, value, 1);
  }
  ~GraphsSwitch() {
    if (before_) {
      ::setenv(kName, before_->c_str(), 1);
    } else {
      ::unsetenv(kName);
    }
  }
  GraphsSwitch(const GraphsSwitch&) = delete;
  GraphsSwitch& operator=(const GraphsSwitch&) = delete;

 private:
  static constexpr const char* kName = "TAPESTRY_GRAPHS";
  std::optional<std::string> before_;
};

}  // namespace tapestry::bench
