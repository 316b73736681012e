#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "tensor/precision.h"
#include "tensor/types.h"

namespace tapestry::bench {

/// What a piece of work cannot do without: floating-point operations, and bytes between memory and processor when everything that
/// need not leave the processor stays there.
struct Work {
  double flops = 0;
  double bytes = 0;
};

/// One measured line.
struct Figure {
  std::string part;  ///< "kernels", "steps" or "recommenders"
  std::string name;
  double seconds = 0;  ///< median of one call
  int times = 0;       ///< that the median is of
  Work work;
  std::int64_t parameters = 0;  ///< of the model that is trained or sampled; 0: none
  std::int64_t updates = 0;     ///< of the first epoch, where what is timed is an epoch; 0: it is not
  /// Of the first update, or the mean over the first epoch; NaN: none.
  double first_loss = std::numeric_limits<double>::quiet_NaN();
};

/// What the machine reached, in this run, on nothing else.
struct Peaks {
  double flops = 0;  ///< a second, float32 products of two large square matrices
  double bytes = 0;  ///< a second, read and written where a large tensor is negated or copied, whichever is faster
};

/// The least time that `work` can take: arithmetic and memory at their peaks, and perfectly at once.
inline double floor_seconds(const Work& work, const Peaks& peaks) {
  return std::max(work.flops / peaks.flops, work.bytes / peaks.bytes);
}

/// The figures of this run of the program, for --json: benches add to it.
class Record {
 public:
  Device device = Device::kCpu;
  MatmulPrecision precision = MatmulPrecision::kFloat32;
  std::string file;  ///< of --json; empty: none

  /// Writes the file too, if there is one, so that a run that is stopped leaves what it has measured.
  void add(Figure figure);
  const std::vector<Figure>& figures() const { return figures_; }

  /// Measures something, named `what`. If that throws, says why and counts it: the others are measured without it.
  void attempt(const std::string& what, const std::function<void()>& measure);
  int failures() const { return failures_; }

  /// Measures the peaks of the device.
  void measure_peaks();

  /// Throws Error(kUsage) when write() could not write its two files. Leaves what is there as it is.
  void check_writable() const;
  /// Writes the file (machine, revision, settings, peaks, figures) and, beside it with the ending .md, the same as a table to
  /// read. Throws Error(kUsage) when one cannot be written.
  void write() const;
  /// The table. A line is "-" where there is no floor.
  std::string markdown() const;

 private:
  std::string json() const;

  std::vector<Figure> figures_;
  std::optional<Peaks> peaks_;
  int failures_ = 0;
};

/// The one of this process.
Record& record();

}  // namespace tapestry::bench
