#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.h"
#include "tensor/error.h"
#include "tests/support/temp_folder.h"

namespace tapestry::recsys::tests {

using tapestry::tests::TempFolder;

std::string read_file(const std::filesystem::path& file);

/// The text of the Error that `action` throws, after checking its kind and that it is one line. Fails the test if none comes.
std::string error_of(ErrorKind kind, const std::function<void()>& action);

/// The folder of real data sets named by TAPESTRY_DATA; nothing when it is not set or does not hold all of `files` under
/// `dataset`.
std::optional<std::filesystem::path> real_data(const std::string& dataset, const std::vector<std::string>& files);

/// A matrix as text, "user:item=value ..." : what tests compare. Values are 1 where the matrix has none.
std::string listing(const CsrMatrix& matrix);

/// Checks that matrix, split, hold-outs and digest of two data sets are equal.
void expect_same_content(const Dataset& actual, const Dataset& expected);

}  // namespace tapestry::recsys::tests
