#include "apps/standard_streams.h"

#include <fcntl.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <iostream>
#include <string>

namespace tapestry::apps {

void open_standard_streams() {
  for (int stream = 0; stream < 3; ++stream) {
    // open() takes the lowest number that is free, which is this one.
    if (::fcntl(stream, F_GETFD) == -1 && errno == EBADF) static_cast<void>(::open("/dev/null", O_RDWR));
  }
}

void outlive_closed_pipes() { std::signal(SIGPIPE, SIG_IGN); }

bool printed_everything(const char* program) {
  errno = 0;
  std::cout.flush();
  if (std::cout) return true;
  std::cerr << program << ": standard output cannot be written"
            << (errno != 0 ? std::string(": ") + std::strerror(errno) : std::string()) << std::endl;
  return false;
}

}  // namespace tapestry::apps
