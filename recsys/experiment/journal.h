#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace tapestry::recsys {

/// One start of the program on a folder of results.
struct Start {
  int number = 0;                        ///< from 1, in the order of the file
  std::string command, revision, build;  ///< build: compiler, matrix products and GPU, which decide the last bits
  int threads = 0, jobs = 0;
  std::string end;                     ///< "finished", "interrupted" or "error"; empty when it was killed, or runs still
  std::optional<double> wall_seconds;  ///< with the end
  std::set<std::string> units;         ///< those it computed
  std::string folder = {};             ///< where it computed them, if that was another folder of results; else empty
  int number_there = 0;                ///< its number in that folder
};

/// Which start computed what, in starts.jsonl: a line when a start begins, one for each unit that it finishes, one when it ends.
/// A killed start lacks the last one. For the one process that has taken the folder (UnitStore); safe to call from several
/// threads.
class Journal {
 public:
  explicit Journal(const std::filesystem::path& folder) : file_(folder / "starts.jsonl") {}

  /// A new start, which the lines after this one are about.
  void begin(const std::string& command, const std::string& revision, const std::string& build, int threads, int jobs);
  void unit(const std::string& unit);
  void end(const std::string& how, double wall_seconds);

  /// A start on another folder of results that computed `units`, which have been taken over from there. Units of a start that is
  /// known already join it, and so does its end, should it have come since. What that folder has taken over itself keeps its
  /// place of origin. Without units only what is known already counts.
  void adopt(const Start& start, const std::string& folder, const std::set<std::string>& units);

  /// All starts in order. Lines cut off by a kill are left out.
  std::vector<Start> starts() const;

 private:
  std::filesystem::path file_;
  std::mutex mutex_;
  int number_ = 0;
};

/// Those that computed units, and the last one.
std::vector<Start> notable_starts(std::span<const Start> starts);

/// Rows for a report, name and value: for every command and revision that computed units, in the order of their first starts, how
/// many and in what time; then how many units there are besides (`unrecorded`), of which no start is known.
std::vector<std::pair<std::string, std::string>> computed_by(std::span<const Start> starts, std::size_t unrecorded);

}  // namespace tapestry::recsys
