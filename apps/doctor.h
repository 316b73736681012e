#pragma once

#include <ostream>
#include <string>

namespace tapestry::apps {

/// `reproduce --doctor`: says what this build and this machine compute on, and in plain words why a GPU is not used. Returns the
/// exit status: 0, or 5 when a GPU was found whose results differ from the CPU's.
int doctor(std::ostream& out);

/// "12.4" for CUDA's number 12040.
std::string version_text(int version);

}  // namespace tapestry::apps
