#include "recsys/generators/kept_checkpoint.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "recsys/generators/fit_log.h"
#include "recsys/generators/model_folder.h"
#include "tensor/error.h"
#include "tensor/memory.h"

namespace tapestry::recsys {
namespace {

// Metadata keys, beside the configuration's.
constexpr const char* kSeconds = "seconds";
constexpr const char* kChecksum = "checksum";

/// Tells damage to a file of gigabytes, which SHA-256 would go through at a few hundred MB a second. Every step is one to one in
/// what came before, so that a change of one word always shows, and one of several but by a chance of 2^-64.
class Checksum {
 public:
  void add(std::string_view bytes) {
    for (; bytes.size() >= sizeof(std::uint64_t); bytes.remove_prefix(sizeof(std::uint64_t))) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data(), sizeof(word));
      add(word);
    }
    if (bytes.empty()) return;
    std::uint64_t rest = bytes.size();
    for (const char byte : bytes) rest = rest << 8 | static_cast<unsigned char>(byte);
    add(rest);
  }
  std::string text() const { return std::to_string(sum_); }

 private:
  void add(std::uint64_t word) {
    sum_ = (sum_ ^ word) * 0x9e3779b97f4a7c15;  // odd
    sum_ ^= sum_ >> 32;
  }

  std::uint64_t sum_ = 0;
};

/// Of all that a checkpoint holds. pieces(name, add) gives the bytes of a tensor, in pieces of whole words but for the last.
template <typename Tensors, typename Pieces>
std::string checksum_of(const Tensors& tensors, const std::string& seconds, const Pieces& pieces) {
  Checksum sum;
  sum.add(seconds);
  for (const auto& [name, tensor] : tensors) {
    sum.add(name);
    pieces(name, [&](std::string_view bytes) { sum.add(bytes); });
  }
  return sum.text();
}

std::string value_of(const nn::TensorReader& file, const char* key) {
  const auto found = file.metadata().find(key);
  return found == file.metadata().end() ? "" : found->second;
}

}  // namespace

KeptCheckpoint::KeptCheckpoint(std::filesystem::path file, const std::string& configuration, CheckpointOptions options, Warn warn)
    : file_(std::isinf(options.every) ? std::filesystem::path() : std::move(file)),
      configuration_(configuration + (options.build.empty() ? "" : " by " + options.build)),
      options_(std::move(options)),
      warn_(std::move(warn)) {
  if (!options_.clock) {
    options_.clock = [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); };
  }
  if (!options_.room) {
    options_.room = [](const std::filesystem::path& folder) { return std::filesystem::space(folder).available; };
  }
  began_ = written_ = options_.clock();
}

std::unique_ptr<nn::TensorReader> KeptCheckpoint::read() {
  std::error_code ignored;
  if (file_.empty() || !std::filesystem::exists(file_, ignored)) return nullptr;
  try {
    auto file = std::make_unique<nn::TensorReader>(file_);
    if (value_of(*file, kConfiguration) != configuration_) {
      refuse("of another configuration, build or GPU");
      return nullptr;
    }
    const std::string seconds = value_of(*file, kSeconds);
    const auto pieces = [&](const std::string& name, const auto& add) { file->read(name, add); };
    if (value_of(*file, kChecksum) != checksum_of(file->tensors(), seconds, pieces)) {
      refuse("damaged");
      return nullptr;
    }
    earlier_seconds_ = std::strtod(seconds.c_str(), nullptr);
    return file;
  } catch (const Error& error) {
    warn_(concat(error.what(), "; the fit begins afresh"));
    return nullptr;
  }
}

void KeptCheckpoint::refuse(const std::string& why) {
  earlier_seconds_ = 0;
  warn_(concat(file_.string(), ": ", why, "; the fit begins afresh"));
}

bool KeptCheckpoint::due(std::int64_t bytes) {
  constexpr double kBetweenKills = 3 * 3600;
  constexpr double kBytesPerSecond = 3e8;  // for the first write, of which nothing is known yet
  if (file_.empty()) return false;
  if (options_.every <= 0) return true;
  const double cost = cost_ > 0 ? cost_ : static_cast<double>(bytes) / kBytesPerSecond;
  return options_.clock() - written_ >= std::max(options_.every, std::sqrt(2 * cost * kBetweenKills));
}

void KeptCheckpoint::write(const nn::TensorFile& state) {
  const double begin = options_.clock();
  try {
    nn::TensorFile file;
    std::int64_t bytes = 0;
    bool copied = false;
    for (const auto& [name, tensor] : state.tensors) {
      file.tensors.emplace(name, tensor.to(Device::kCpu));
      bytes += tensor.bytes();
      copied = copied || tensor.device() != Device::kCpu;
    }
    std::filesystem::create_directories(file_.parent_path());
    // The file before this one is there until the new one is whole, and the results need room as well.
    const std::uintmax_t room = options_.room(file_.parent_path());
    if (room < 2 * static_cast<std::uintmax_t>(bytes)) {
      return give_up(concat(file_.string(), ": ", bytes >> 20, " MiB to be written where ", room >> 20, " MiB are free"));
    }
    const std::string seconds = shortest_digits(earlier_seconds_ + begin - began_);
    const auto pieces = [&](const std::string& name, const auto& add) {
      const Tensor& tensor = file.tensors.at(name);
      add({static_cast<const char*>(tensor.raw_data()), static_cast<std::size_t>(tensor.bytes())});
    };
    file.metadata = {
        {kConfiguration, configuration_}, {kSeconds, seconds}, {kChecksum, checksum_of(file.tensors, seconds, pieces)}};
    nn::save_tensors(file_, file);
    file.tensors.clear();
    if (copied) pool_trim(Device::kCpu);
  } catch (const std::exception& error) {
    return give_up(error.what());
  }
  written_ = options_.clock();
  cost_ = written_ - begin;
}

void KeptCheckpoint::give_up(const std::string& why) {
  warn_(concat(why, "; the fit goes on without a checkpoint"));
  file_.clear();
}

}  // namespace tapestry::recsys
