#include "nn/safetensors_header.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>
#include <vector>

#include "tensor/error.h"

namespace tapestry::nn {
namespace {

using Json = nlohmann::json;

constexpr std::array<DType, 4> kDTypes = {DType::kFloat32, DType::kFloat64, DType::kInt32, DType::kInt64};
constexpr std::uint64_t kMostElements = std::uint64_t{1} << 59;  // so that bytes fit 63 bits

/// Takes the events of the JSON parser one by one. Only three levels are possible (header, entry, list of numbers), so nothing is
/// built that is not wanted, and repeated keys, which a JSON document object would silently merge, are seen.
class HeaderReader final : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(const std::string& path) : path_(path) {}

  SafetensorsHeader take() { return std::move(header_); }

  bool key(string_t& name) override {
    return level_ == Level::kHeader ? entry_key(name) : level_ == Level::kMetadata ? metadata_key(name) : field_key(name);
  }

  bool start_object(std::size_t) override {
    switch (level_) {
      case Level::kOutside:
        level_ = Level::kHeader;
        return true;
      case Level::kHeader:
        level_ = name_ == kMetadataName ? Level::kMetadata : Level::kEntry;
        return true;
      default:
        return refuse_value("an object");
    }
  }

  bool end_object() override {
    if (level_ == Level::kEntry && seen_.size() != 3) refuse("dtype, shape and data_offsets are not all there");
    level_ = level_ == Level::kHeader ? Level::kOutside : Level::kHeader;
    return true;
  }

  bool start_array(std::size_t) override {
    if (level_ != Level::kEntry || seen_.back() == "dtype") return refuse_value("a list");
    level_ = Level::kNumbers;
    numbers_.clear();
    return true;
  }

  bool end_array() override {
    level_ = Level::kEntry;
    seen_.back() == "shape" ? set_shape() : set_offsets();
    return true;
  }

  bool string(string_t& text) override {
    if (level_ == Level::kMetadata) {
      header_.metadata[seen_.back()] = text;
      return true;
    }
    if (level_ != Level::kEntry || seen_.back() != "dtype") return refuse_value("text");
    const auto* known =
        std::find_if(kDTypes.begin(), kDTypes.end(), [&](DType dtype) { return text == safetensors_name(dtype); });
    if (known == kDTypes.end()) refuse("dtype ", in_quotes(text), " is none of F32, F64, I32, I64");
    entry_->dtype = *known;
    return true;
  }

  bool number_unsigned(number_unsigned_t number) override {
    if (level_ != Level::kNumbers) return refuse_value("a number");
    const std::size_t most = seen_.back() == "shape" ? Shape::kMaxRank : 2;
    if (numbers_.size() == most) refuse(seen_.back(), " has more than ", most, " numbers");
    numbers_.push_back(number);
    return true;
  }

  bool number_integer(number_integer_t number) override {
    if (number < 0) return refuse_value("a negative number");
    return number_unsigned(static_cast<number_unsigned_t>(number));
  }

  bool number_float(number_float_t, const string_t&) override { return refuse_value("a number that is no 64-bit integer"); }
  bool null() override { return refuse_value("null"); }
  bool boolean(bool) override { return refuse_value("true or false"); }
  bool binary(binary_t&) override { return refuse_value("binary data"); }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    fail(ErrorKind::kData, path_, ": the header is not JSON: wrong at its byte ", position);
  }

 private:
  enum class Level { kOutside, kHeader, kMetadata, kEntry, kNumbers };

  bool entry_key(const std::string& name) {
    name_ = name;
    seen_.clear();
    if (name.find('\0') != std::string::npos) refuse("the name has a NUL character");
    if (name == kMetadataName) {
      if (std::exchange(metadata_seen_, true)) refuse("the name is there twice");
      return true;
    }
    const auto [place, added] = header_.tensors.try_emplace(name);
    if (!added) refuse("the name is there twice");
    entry_ = &place->second;
    return true;
  }

  bool metadata_key(const std::string& name) {
    if (!header_.metadata.try_emplace(name).second) refuse("key ", in_quotes(name), " is there twice");
    seen_.assign(1, name);
    return true;
  }

  bool field_key(const std::string& name) {
    if (name != "dtype" && name != "shape" && name != "data_offsets") refuse("unknown key ", in_quotes(name));
    if (std::find(seen_.begin(), seen_.end(), name) != seen_.end()) refuse("key ", name, " is there twice");
    seen_.push_back(name);
    return true;
  }

  void set_shape() {
    std::uint64_t elements = 1;
    for (const std::uint64_t size : numbers_) {
      // Zeros count as one: their shapes are multiplied out as well, in any order.
      const std::uint64_t factor = std::max<std::uint64_t>(size, 1);
      if (factor > kMostElements / elements) refuse("the shape has too many elements");
      elements *= factor;
    }
    const auto size = [&](std::size_t dim) { return static_cast<std::int64_t>(numbers_[dim]); };
    switch (numbers_.size()) {
      case 0:
        entry_->shape = {};
        break;
      case 1:
        entry_->shape = {size(0)};
        break;
      case 2:
        entry_->shape = {size(0), size(1)};
        break;
      case 3:
        entry_->shape = {size(0), size(1), size(2)};
        break;
      default:
        entry_->shape = {size(0), size(1), size(2), size(3)};
    }
  }

  void set_offsets() {
    if (numbers_.size() != 2) refuse("data_offsets has ", numbers_.size(), " numbers, not 2");
    std::tie(entry_->begin, entry_->end) = std::tie(numbers_[0], numbers_[1]);
  }

  template <typename... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail(ErrorKind::kData, path_, ": ", in_quotes(name_), ": ", parts...);
  }

  [[noreturn]] bool refuse_value(const char* found) const {
    switch (level_) {
      case Level::kOutside:
        fail(ErrorKind::kData, path_, ": the header is ", found, ", not an object");
      case Level::kHeader:
        refuse("an object was expected, not ", found);
      case Level::kMetadata:
        refuse("key ", in_quotes(seen_.back()), ": text was expected, not ", found);
      case Level::kEntry:
        refuse(seen_.back(), ": ", seen_.back() == "dtype" ? "text" : "a list", " was expected, not ", found);
      case Level::kNumbers:
        break;
    }
    refuse(seen_.back(), ": integers from 0 on were expected, not ", found);
  }

  const std::string& path_;
  SafetensorsHeader header_;
  Level level_ = Level::kOutside;
  bool metadata_seen_ = false;
  std::string name_;                    ///< of the entry being read
  TensorEntry* entry_ = nullptr;        ///< the entry being read
  std::vector<std::string> seen_;       ///< its keys so far, the current one last; of metadata, the current key
  std::vector<std::uint64_t> numbers_;  ///< of the list being read
};

/// Every tensor as long as its shape says, and all of them end to end over the whole data.
void check_layout(const std::string& path, const SafetensorsHeader& header, std::uint64_t data_bytes) {
  using Place = std::tuple<std::uint64_t, std::uint64_t, std::string_view>;
  std::vector<Place> places;
  for (const auto& [name, entry] : header.tensors) {
    const auto refuse = [&, &tensor = name](const auto&... parts) {
      fail(ErrorKind::kData, path, ": ", in_quotes(tensor), ": ", parts...);
    };
    if (entry.begin > entry.end) refuse("data_offsets [", entry.begin, ", ", entry.end, "] run backwards");
    if (entry.end > data_bytes) refuse("data_offsets end at ", entry.end, ", behind the ", data_bytes, " bytes of data");
    const auto wanted = static_cast<std::uint64_t>(entry.shape.numel() * size_of(entry.dtype));
    if (entry.end - entry.begin != wanted) {
      refuse("data_offsets span ", entry.end - entry.begin, " bytes, but ", entry.dtype, " ", entry.shape, " takes ", wanted);
    }
    places.emplace_back(entry.begin, entry.end, name);
  }
  std::sort(places.begin(), places.end());
  std::uint64_t covered = 0;
  for (const auto& [begin, end, name] : places) {
    if (begin != covered) {
      fail(ErrorKind::kData, path, ": ", in_quotes(name), ": begins at byte ", begin, " of the data, ",
           begin < covered ? "inside another tensor" : "behind a gap", " that ends at ", begin < covered ? covered : begin);
    }
    covered = end;
  }
  if (covered != data_bytes) fail(ErrorKind::kData, path, ": ", data_bytes - covered, " bytes behind the last tensor");
}

}  // namespace

const char* safetensors_name(DType dtype) {
  constexpr std::array<const char*, 4> kNames = {"F32", "F64", "I32", "I64"};
  return kNames[static_cast<std::size_t>(dtype)];
}

SafetensorsHeader parse_safetensors_header(const std::string& path, std::string_view text, std::uint64_t data_bytes) {
  // The parser takes a NUL for the end of its input and skips a byte order mark; the format knows neither.
  if (text.find('\0') != std::string_view::npos) fail(ErrorKind::kData, path, ": the header is not JSON: it has a NUL byte");
  if (text.empty() || text.front() != '{') fail(ErrorKind::kData, path, ": the header does not begin with '{'");
  HeaderReader reader(path);
  Json::sax_parse(text, &reader);
  SafetensorsHeader header = reader.take();
  check_layout(path, header, data_bytes);
  return header;
}

std::string in_quotes(std::string_view name) {
  constexpr std::size_t kMost = 80;
  const std::string shown = name.size() > kMost ? std::string(name.substr(0, kMost)) + "..." : std::string(name);
  return Json(shown).dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace tapestry::nn
