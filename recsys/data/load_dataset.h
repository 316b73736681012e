#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "recsys/data/dataset.h"

namespace tapestry::recsys {

/// The data sets that exist by name. `simulated` needs no files.
std::vector<std::string> known_datasets();

/// The digest (dataset_digest) of the paper's data set of this name (docs/formats.md); empty for a name that is not the paper's.
std::string paper_digest(const std::string& name);

/// Whether load_dataset finds files for `name`, or something in their place that it refuses, such as a link to a disk that is not
/// there: what somebody put there is never passed over in silence. Throws Error(kUsage) for an unknown name.
bool dataset_available(const std::filesystem::path& data_dir, const std::string& name);

/// Reads data set `name` from the folder data_dir/name: its prepared files when all four are there, else its raw ratings (u.data,
/// ratings.dat or ratings.csv, the first found), preprocessed, split and held out as published. Either way gives the same matrix,
/// split, hold-outs and digest. Throws Error(kUsage) for a name that is not known, listing those that are, and Error(kData) when
/// the folder has no such files or a file is not what it should be.
Dataset load_dataset(const std::filesystem::path& data_dir, const std::string& name);

/// The same for any folder under any name: a data set of the user's.
Dataset load_dataset_folder(const std::filesystem::path& folder, const std::string& name);

}  // namespace tapestry::recsys
