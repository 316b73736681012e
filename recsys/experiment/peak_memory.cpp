#include "recsys/experiment/peak_memory.h"

#include <sys/resource.h>

namespace tapestry::recsys {

std::int64_t peak_rss_bytes() {
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;  // Linux counts in KiB
}

}  // namespace tapestry::recsys
