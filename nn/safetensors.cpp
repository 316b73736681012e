#include "nn/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor/atomic_file.h"
#include "tensor/ops.h"

namespace tapestry::nn {
namespace {

static_assert(std::endian::native == std::endian::little,
              "safetensors files are little-endian: numbers would have to be swapped");

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMostHeaderBytes = 100'000'000;  // as in the reference implementation
constexpr std::size_t kMostListed = 8;                   // names in a message about a module

using NamedTensor = std::pair<std::string, Tensor>;

/// In the order of their data: by element size, widest first, then by name.
std::vector<NamedTensor> data_order(const TensorFile& file) {
  std::vector<NamedTensor> ordered;
  for (const auto& [name, tensor] : file.tensors) {
    check(tensor.defined(), "save_tensors: ", in_quotes(name), " is undefined");
    check(name != kMetadataName, "save_tensors: a tensor cannot be named ", kMetadataName);
    check(name.find('\0') == std::string::npos, "save_tensors: ", in_quotes(name), " has a NUL character");
    ordered.emplace_back(name, tensor.to(Device::kCpu));
  }
  std::stable_sort(ordered.begin(), ordered.end(), [](const NamedTensor& a, const NamedTensor& b) {
    return size_of(a.second.dtype()) > size_of(b.second.dtype());
  });
  return ordered;
}

/// Length and text of the header.
std::string encode_header(const std::vector<NamedTensor>& ordered, const std::map<std::string, std::string>& metadata) {
  nlohmann::json header = nlohmann::json::object();  // keeps its keys in order
  std::int64_t offset = 0;
  for (const auto& [name, tensor] : ordered) {
    nlohmann::json shape = nlohmann::json::array();
    for (int dim = 0; dim < tensor.shape().rank(); ++dim) shape.push_back(tensor.size(dim));
    header[name] = {{"dtype", safetensors_name(tensor.dtype())},
                    {"shape", std::move(shape)},
                    {"data_offsets", {offset, offset + tensor.bytes()}}};
    offset += tensor.bytes();
  }
  if (!metadata.empty()) header[kMetadataName] = metadata;
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    fail(ErrorKind::kMisuse, "save_tensors: a name or a metadata text is not UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  check(text.size() <= kMostHeaderBytes, "save_tensors: the header takes ", text.size(), " bytes, ", kMostHeaderBytes,
        " are possible");
  std::string encoded(kLengthBytes, '\0');
  const std::uint64_t length = text.size();
  std::memcpy(encoded.data(), &length, kLengthBytes);
  return encoded + text;
}

/// Reads `bytes` bytes. Throws when there are fewer, as in a file that shrinks meanwhile.
void read_exactly(std::ifstream& in, const std::string& path, void* to, std::uint64_t bytes) {
  in.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes));
  if (!in) fail(ErrorKind::kData, path, ": reading stopped ", bytes - static_cast<std::uint64_t>(in.gcount()), " bytes early");
}

/// "missing a, b and 3 more; " or nothing.
std::string listed(const char* what, const std::vector<std::string>& names) {
  if (names.empty()) return "";
  std::string text = what;
  for (std::size_t i = 0; i < std::min(names.size(), kMostListed); ++i) text += (i > 0 ? ", " : " ") + names[i];
  if (names.size() > kMostListed) text += " and " + std::to_string(names.size() - kMostListed) + " more";
  return text + "; ";
}

std::string kind_of(const Tensor& tensor) { return concat(tensor.dtype(), " ", tensor.shape()); }

}  // namespace

void save_tensors(const std::filesystem::path& path, const TensorFile& file) {
  const std::vector<NamedTensor> ordered = data_order(file);
  const std::string header = encode_header(ordered, file.metadata);
  std::vector<std::string_view> pieces = {header};
  for (const auto& [name, tensor] : ordered) {
    pieces.emplace_back(static_cast<const char*>(tensor.raw_data()), static_cast<std::size_t>(tensor.bytes()));
  }
  write_file_atomically(path, pieces);
}

TensorReader::TensorReader(std::filesystem::path path) : path_(std::move(path)) {
  const std::string shown = path_.string();
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path_, error);
  if (error) fail(ErrorKind::kData, shown, ": cannot be read: ", error.message());
  in_.open(path_, std::ios::binary);
  if (!in_) fail(ErrorKind::kData, shown, ": cannot be opened for reading");

  if (size < kLengthBytes) fail(ErrorKind::kData, shown, ": ", size, " bytes are too few for a safetensors file");
  std::uint64_t length = 0;
  read_exactly(in_, shown, &length, kLengthBytes);
  if (length > size - kLengthBytes) {
    fail(ErrorKind::kData, shown, ": a header of ", length, " bytes in a file of ", size,
         ": not a safetensors file, or cut short");
  }
  if (length > kMostHeaderBytes) {
    fail(ErrorKind::kData, shown, ": a header of ", length, " bytes, ", kMostHeaderBytes, " are allowed");
  }
  std::string text(length, '\0');
  read_exactly(in_, shown, text.data(), length);
  data_ = kLengthBytes + length;
  header_ = parse_safetensors_header(shown, text, size - data_);
}

void TensorReader::read_bytes(const TensorEntry& entry, std::uint64_t from, void* to, std::uint64_t bytes) {
  in_.seekg(static_cast<std::streamoff>(data_ + entry.begin + from));
  read_exactly(in_, path_.string(), to, bytes);
}

const TensorEntry& TensorReader::entry_of(const std::string& name) const {
  const auto found = header_.tensors.find(name);
  if (found == header_.tensors.end()) fail(ErrorKind::kData, path_.string(), ": holds no tensor ", in_quotes(name));
  return found->second;
}

Tensor TensorReader::read(const std::string& name) {
  const TensorEntry& entry = entry_of(name);
  const Tensor tensor = Tensor::empty(entry.shape, entry.dtype);
  read(name, tensor);
  return tensor;
}

void TensorReader::read(const std::string& name, const Tensor& into) {
  const TensorEntry& entry = entry_of(name);
  check(into.dtype() == entry.dtype && static_cast<std::uint64_t>(into.bytes()) == entry.end - entry.begin,
        "TensorReader::read: ", in_quotes(name), " is ", entry.dtype, " ", entry.shape, ", to be written over ", into.dtype(),
        " ", into.shape());
  if (into.device() != Device::kCpu) return copy_into(into, read(name));
  read_bytes(entry, 0, into.raw_data(), entry.end - entry.begin);
}

void TensorReader::read(const std::string& name, const std::function<void(std::string_view bytes)>& piece) {
  constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;
  const TensorEntry& entry = entry_of(name);
  std::string bytes;
  for (std::uint64_t from = 0, all = entry.end - entry.begin; from < all; from += bytes.size()) {
    bytes.resize(std::min(kPiece, all - from));
    read_bytes(entry, from, bytes.data(), bytes.size());
    piece(bytes);
  }
}

TensorFile load_tensors(const std::filesystem::path& path) {
  TensorReader reader(path);
  TensorFile file = {{}, reader.metadata()};
  for (const auto& [name, entry] : reader.tensors()) file.tensors.emplace(name, reader.read(name));
  return file;
}

void save_module(const Module& module, const std::filesystem::path& path, const std::map<std::string, std::string>& metadata) {
  TensorFile file = {{}, metadata};
  for (const NamedParameter& parameter : module.named_parameters()) {
    const bool added = file.tensors.emplace(parameter.name, parameter.variable.value()).second;
    check(added, "save_module: two parameters are named ", in_quotes(parameter.name));
  }
  save_tensors(path, file);
}

std::map<std::string, std::string> load_module(Module& module, const std::filesystem::path& path) {
  TensorFile file = load_tensors(path);
  std::vector<NamedTensor> state;
  std::vector<std::string> missing, different, left_over;
  for (const NamedParameter& parameter : module.named_parameters()) {
    const auto found = file.tensors.find(parameter.name);
    if (found == file.tensors.end()) {
      missing.push_back(in_quotes(parameter.name));
      continue;
    }
    const std::string has = kind_of(found->second);
    const std::string wanted = kind_of(parameter.variable.value());
    if (has != wanted) different.push_back(concat(in_quotes(parameter.name), " (", has, " instead of ", wanted, ")"));
    state.emplace_back(parameter.name, std::move(found->second));
    file.tensors.erase(found);
  }
  for (const auto& [name, tensor] : file.tensors) left_over.push_back(in_quotes(name));
  std::string problems = listed("missing", missing) + listed("left over", left_over) + listed("different", different);
  if (!problems.empty()) {
    problems.resize(problems.size() - 2);
    fail(ErrorKind::kData, path.string(), ": not the parameters of this model: ", problems);
  }
  module.load_state(state);
  return std::move(file.metadata);
}

}  // namespace tapestry::nn
