#pragma once

#include <cstdint>

namespace tapestry::recsys {

/// The most memory that this process has had in use at once, resident, in bytes.
std::int64_t peak_rss_bytes();

}  // namespace tapestry::recsys
