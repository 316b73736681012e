#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "tensor/types.h"

namespace tapestry::nn {

/// Where one tensor lies: bytes [begin, end) behind the header.
struct TensorEntry {
  DType dtype = DType::kFloat32;
  Shape shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct SafetensorsHeader {
  std::map<std::string, TensorEntry> tensors;
  std::map<std::string, std::string> metadata;
};

inline constexpr const char* kMetadataName = "__metadata__";

/// "F32", "F64", "I32" or "I64".
const char* safetensors_name(DType dtype);

/// Reads the JSON of a safetensors header in front of `data_bytes` bytes of data: every entry is checked, and together they cover
/// the data without gap or overlap. Throws Error(kData) that begins with `path` otherwise. Takes memory in proportion to the
/// text only, however it is nested.
SafetensorsHeader parse_safetensors_header(const std::string& path, std::string_view text, std::uint64_t data_bytes);

/// A name as it may stand in a one-line message: in quotes, control characters and anything outside ASCII escaped, cut if long.
std::string in_quotes(std::string_view name);

}  // namespace tapestry::nn
