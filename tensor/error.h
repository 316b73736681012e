#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace tapestry {

/// What kind of mistake an Error reports. Apps turn it into the exit status (exit_status), so the numbers are part of the
/// interface.
enum class ErrorKind {
  kMisuse = 1,  ///< a call with wrong shapes, types or values: a bug in the program that calls us
  kUsage = 2,   ///< an option or argument the user gave
  kData = 3,    ///< a file or matrix that is not what it should be
  kDevice = 4,  ///< the device is absent, out of memory or failed
  kFit = 5,     ///< a model that cannot be fitted or sampled: nothing to learn from, or its numbers ran away
};

/// The one exception type of the project. Its text is one line that names the operation, what was found and the rule broken.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }
  /// 1 to 4: kFit exits as kData, since what cannot be fitted is the data's fault to a program's caller. Status 5 is no Error's:
  /// `reproduce` ends with it when all is done but figures failed, and `reproduce --doctor` when a GPU computes wrong results.
  int exit_status() const { return static_cast<int>(kind_ == ErrorKind::kFit ? ErrorKind::kData : kind_); }

 private:
  ErrorKind kind_;
};

/// Joins its arguments with operator<<: concat("row ", 3, " is empty").
template <typename... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

template <typename... Parts>
[[noreturn]] void fail(ErrorKind kind, const Parts&... parts) {
  throw Error(kind, concat(parts...));
}

/// Throws Error(kMisuse) with the joined parts unless `condition` holds. The parts are only joined on failure.
template <typename... Parts>
void check(bool condition, const Parts&... parts) {
  if (!condition) fail(ErrorKind::kMisuse, parts...);
}

}  // namespace tapestry
