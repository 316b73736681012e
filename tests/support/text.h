#pragma once

#include <string>

namespace tapestry::tests {

/// Whether `part` stands in `text`.
inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace tapestry::tests
