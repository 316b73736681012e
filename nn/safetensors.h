#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "nn/module.h"
#include "nn/safetensors_header.h"
#include "tensor/tensor.h"

/// Tensors by name in the safetensors format (https://github.com/huggingface/safetensors): the length of a JSON header as a
/// little-endian u64, the header {name: {"dtype", "shape", "data_offsets": [begin, end)}, "__metadata__": {key: text}}, and
/// the numbers, row-major and little-endian, at their offsets behind the header. Nothing in such a file is ever executed.
namespace tapestry::nn {

/// What a safetensors file holds.
struct TensorFile {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Writes the file in one step (tensor/atomic_file.h). The same content gives the same bytes: the header lists names in order,
/// padded with spaces to a multiple of 8; 8-byte types lie before 4-byte ones, so that every element is aligned. Throws
/// Error(kMisuse) for an undefined tensor or a name that cannot be written ("__metadata__", a NUL, text that is not UTF-8), and
/// Error(kData) when the file cannot be written.
void save_tensors(const std::filesystem::path& path, const TensorFile& file);

/// Reads a file of F32, F64, I32 and I64 tensors of rank 4 at most, tensor by tensor, so that what is larger than half the memory
/// can be put where it belongs without a second copy. The file may be hostile: whatever is not exactly the format (offsets that
/// overlap, leave gaps or leave the file, sizes that overflow, names that repeat, ...) throws Error(kData) naming the file and
/// what is wrong, before memory beyond the file's own size is asked for.
class TensorReader {
 public:
  /// Reads the header.
  explicit TensorReader(std::filesystem::path path);

  const std::map<std::string, TensorEntry>& tensors() const { return header_.tensors; }  ///< type and shape by name
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }

  /// The tensor of this name, on the CPU. Throws Error(kData) where the file has none, as the other two do.
  Tensor read(const std::string& name);
  /// The same, written over `into`, of its type and size, on any device.
  void read(const std::string& name, const Tensor& into);
  /// Its bytes in order, some at a time.
  void read(const std::string& name, const std::function<void(std::string_view bytes)>& piece);

 private:
  const TensorEntry& entry_of(const std::string& name) const;
  void read_bytes(const TensorEntry& entry, std::uint64_t from, void* to, std::uint64_t bytes);

  std::filesystem::path path_;
  std::ifstream in_;
  std::uint64_t data_ = 0;  ///< where the numbers begin
  SafetensorsHeader header_;
};

/// All of a file.
TensorFile load_tensors(const std::filesystem::path& path);

/// Saves the parameters of `module` by name. Throws as save_tensors, and Error(kMisuse) when two parameters share a name.
void save_module(const Module& module, const std::filesystem::path& path,
                 const std::map<std::string, std::string>& metadata = {});

/// Overwrites the parameters of `module` with those of the file and returns the file's metadata. Throws Error(kData), with the
/// module unchanged, unless names, shapes and types are exactly the module's; the message lists what is missing, left over or
/// different.
std::map<std::string, std::string> load_module(Module& module, const std::filesystem::path& path);

}  // namespace tapestry::nn
