#include "recsys/generators/fit_log.h"

#include <algorithm>
#include <charconv>

namespace tapestry::recsys {

std::string shortest_digits(double value) {
  char buffer[40];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

std::string history_line(std::int64_t epoch, double loss, std::optional<double> metric, const std::string& details) {
  return std::to_string(epoch + 1) + "," + shortest_digits(loss) + "," + (metric ? shortest_digits(*metric) : "") + details +
         "\n";
}

std::optional<StageProgress::Earlier> earlier_of(const sdrm::FitCheckpoint& checkpoint, std::int64_t epoch) {
  if (epoch >= checkpoint.earlier_epochs()) return std::nullopt;
  return StageProgress::Earlier{checkpoint.earlier_seconds(), epoch + 1 == checkpoint.earlier_epochs()};
}

void FitLog::epoch(std::int64_t epoch, double loss, std::optional<double> metric, const std::string& details) {
  history_ += history_line(epoch, loss, metric, details);
  if (metric && *metric > best_) {
    best_ = *metric;
    best_epoch_ = epoch;
  }
  // When it will stop is not known: some way behind the best epoch so far.
  const std::int64_t likely = std::max(length_.usual, best_epoch_ * 13 / 10 + length_.patience);
  const auto expected = static_cast<double>(std::min(length_.most, likely));
  StageProgress progress = {
      .fraction = std::min(1.0, static_cast<double>(epoch + 1) / expected), .epoch = epoch, .loss = loss, .metric = metric};
  progress.earlier = earlier_of(checkpoint_, epoch);
  listener_.advance(stage_, progress);
}

}  // namespace tapestry::recsys
