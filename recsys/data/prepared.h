#pragma once

#include <array>
#include <filesystem>
#include <string>

#include "recsys/data/dataset.h"

namespace tapestry::recsys {

/// The four files of a prepared data set (docs/formats.md describes each).
inline constexpr std::array<const char*, 4> kPreparedFiles = {"interactions.csv", "split.csv", "holdout.csv",
                                                              "holdout_neumf.csv"};

/// Whether `folder` lists all four, readable or not (is_listed).
bool is_prepared(const std::filesystem::path& folder);

/// Reads a prepared data set and, where the folder has them, the raw ids in user_ids.csv and item_ids.csv. Indices must be dense:
/// each user of split.csv and each item has an entry. Throws Error(kData) naming file, line and column of the first mistake.
Dataset read_prepared(const std::filesystem::path& folder, const std::string& name);

/// Writes a data set as prepared files with its raw ids. Each file is written beside its place and renamed, interactions.csv is
/// removed first and written last: a folder in which writing was interrupted is incomplete, never mixed. Throws Error(kData)
/// when the folder cannot be made or written.
void write_dataset(const Dataset& dataset, const std::filesystem::path& folder);

}  // namespace tapestry::recsys
