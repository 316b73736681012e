#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "recsys/experiment/journal.h"
#include "recsys/experiment/unit_store.h"

/// Finished units of other folders of results, taken over instead of being computed again (`--reuse`).
namespace tapestry::recsys {

/// The folders of results among these folders and those directly inside them (as --paper and --ablations make them), each once,
/// in order. Throws Error(kUsage) for one that has none or cannot be read.
std::vector<std::filesystem::path> result_folders(std::span<const std::filesystem::path> folders);

/// Why units of `folder` cannot stand beside those of `wanted`, such as "another configuration: seed is 1 there and 2 here";
/// nothing when they can.
std::optional<std::string> reuse_conflict(const std::filesystem::path& folder, const Configuration& wanted);

/// What came of one folder.
struct Reused {
  std::filesystem::path folder;
  std::int64_t units = 0;
  std::optional<std::string> conflict;  ///< why nothing could
};

/// Lines for the user: what was taken, and why nothing was.
std::vector<std::string> reused_lines(std::span<const Reused> reused);

/// The same behind how many of the units asked for are finished in `folder`, where any are: "12 of 14 units are finished in out",
/// "  12 of them now taken from earlier".
std::vector<std::string> finished_lines(std::int64_t finished, std::int64_t units, const std::filesystem::path& folder,
                                        std::span<const Reused> reused);

/// Takes over what is asked for, not finished in `store`, and finished and undamaged in one of `folders`, the first that has it:
/// the unit, its trainings' histories, the lines that tell of its start, and the times of its run; for units that are still to be
/// computed also the models of their runs. The folders are only read, also while others write there, and not needed afterwards;
/// what cannot be read there is named in a warning and left out. A unit of which a writer is still to say who computed it, which
/// comes right behind it, counts as not finished. Killed at any instant, the next call goes on. Throws Error(kData) when the
/// folder of the store cannot be written.
std::vector<Reused> take_over(UnitStore& store, Journal& journal, std::span<const UnitKey> asked,
                              std::span<const std::filesystem::path> folders);

}  // namespace tapestry::recsys
