#include "recsys/data/load_dataset.h"

#include <algorithm>
#include <array>
#include <map>

#include "recsys/data/field_reader.h"
#include "recsys/data/joined.h"
#include "recsys/data/prepared.h"
#include "recsys/data/preprocess.h"
#include "recsys/data/simulated.h"
#include "recsys/data/split.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

constexpr const char* kSimulated = "simulated";
constexpr std::array<const char*, 3> kRawFiles = {"u.data", "ratings.dat", "ratings.csv"};

void check_known(const std::string& name) {
  const std::vector<std::string> known = known_datasets();
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  fail(ErrorKind::kUsage, "no data set is called '", name, "', there are: ", joined(known));
}

/// The raw ratings that a folder lists, an empty path when there are none.
std::filesystem::path find_raw(const std::filesystem::path& folder) {
  for (const char* file : kRawFiles) {
    if (is_listed(folder / file)) return folder / file;
  }
  return {};
}

Dataset load_raw(const std::filesystem::path& file, const std::string& name) {
  Preprocessed preprocessed = preprocess(read_ratings(file));
  Dataset dataset;
  dataset.name = name;
  dataset.source = "raw ratings " + file.filename().string();
  if (const std::int64_t lines = preprocessed.repeated; lines > 0) {
    dataset.source +=
        concat(", ", lines, lines == 1 ? " line" : " lines", " replaced by a later one about the same user and item");
  }
  if (const std::int64_t users = preprocessed.emptied_users; users > 0) {
    dataset.source += concat(", ", users, users == 1 ? " user dropped who was" : " users dropped who were", " left with no item");
  }
  dataset.stored = std::move(preprocessed.stored);
  dataset.user_ids = std::move(preprocessed.user_ids);
  dataset.item_ids = std::move(preprocessed.item_ids);
  complete_dataset(dataset);
  return dataset;
}

[[noreturn]] void fail_missing(const std::filesystem::path& folder, const std::string& name) {
  std::error_code error, ignored;
  const std::filesystem::file_status status = std::filesystem::status(folder, error);
  std::string found = " (no such folder)";
  if (std::filesystem::is_directory(status)) {
    found = ", which holds none of them";
    for (const char* file : kPreparedFiles) {
      if (!is_listed(folder / file)) continue;
      found = ", which holds only some of the prepared files, without ";
      found += *std::find_if(kPreparedFiles.begin(), kPreparedFiles.end(),
                             [&](const char* other) { return !is_listed(folder / other); });
      break;
    }
  } else if (std::filesystem::exists(status)) {
    found = ", which is not a folder";
  } else if (std::filesystem::is_symlink(folder, ignored)) {
    found = concat(", a link to ", std::filesystem::read_symlink(folder, ignored).string(), ", which cannot be followed (",
                   error.message(), ")");
  }
  fail(ErrorKind::kData, "no files of data set ", name, ": expected ", joined(kPreparedFiles), ", or one of ", joined(kRawFiles),
       ", in ", folder.string(), found,
       name.starts_with("ml-") ? "; `make data` downloads it" : "; docs/formats.md says where it comes from",
       ", and the data set simulated needs no files");
}

}  // namespace

std::vector<std::string> known_datasets() {
  return {"ml-100k", "ml-1m", "amazon-luxury-beauty", "amazon-digital-music", kSimulated};
}

std::string paper_digest(const std::string& name) {
  static const std::map<std::string, std::string> digests = {
      {"ml-100k", "c100a4f1802555704e3cc3fa5e537c1fa46b7f1806529e20a5c8b29d2fca2b28"},
      {"ml-1m", "68acf9d5abd33053d741fbbfac5107901c371c4fabb58a879ec1d38f549a57fe"},
      {"amazon-luxury-beauty", "cd8e950587bfc9cf1c24919bf3efc3d05fe4e90d6a30fe3e51d8e265b742610e"},
      {"amazon-digital-music", "65d4aebcec02284cd3aeb474310e27110fd70d957a26bbabf248a0528ab5a56b"}};
  const auto found = digests.find(name);
  return found == digests.end() ? "" : found->second;
}

bool dataset_available(const std::filesystem::path& data_dir, const std::string& name) {
  check_known(name);
  const std::filesystem::path folder = data_dir / name;
  std::error_code ignored;
  if (name == kSimulated || is_prepared(folder) || !find_raw(folder).empty()) return true;
  return is_listed(folder) && !std::filesystem::is_directory(folder, ignored);
}

Dataset load_dataset(const std::filesystem::path& data_dir, const std::string& name) {
  check_known(name);
  return name == kSimulated ? simulate_dataset() : load_dataset_folder(data_dir / name, name);
}

Dataset load_dataset_folder(const std::filesystem::path& folder, const std::string& name) {
  if (is_prepared(folder)) return read_prepared(folder, name);
  const std::filesystem::path raw = find_raw(folder);
  if (raw.empty()) fail_missing(folder, name);
  return load_raw(raw, name);
}

}  // namespace tapestry::recsys
