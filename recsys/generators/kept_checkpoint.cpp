#include "recsys/generators/kept_checkpoint.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "recsys/data/sha256.h"
#include "recsys/generators/fit_log.h"
#include "recsys/generators/model_folder.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

constexpr const char* kSeconds = "seconds";  // metadata key

/// digest_of what the file's tensors hold, without a copy of them in memory.
std::string digest_of_file(nn::TensorReader& file) {
  TensorDigest digest;
  for (const auto& [name, entry] : file.tensors()) {
    digest.begin(name, entry.dtype, entry.shape);
    file.read(name, [&](std::string_view bytes) { digest.add(bytes); });
  }
  return digest.finish();
}

double seconds_in(const std::map<std::string, std::string>& metadata) {
  const auto found = metadata.find(kSeconds);
  const double seconds = found == metadata.end() ? 0 : std::strtod(found->second.c_str(), nullptr);
  return std::isfinite(seconds) && seconds > 0 ? seconds : 0;
}

std::string value_of(const std::map<std::string, std::string>& metadata, const char* key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : found->second;
}

}  // namespace

KeptCheckpoint::KeptCheckpoint(Options options, Warn warn) : options_(std::move(options)), warn_(std::move(warn)) {
  if (!options_.clock) {
    options_.clock = [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); };
  }
  began_ = written_ = options_.clock();
}

std::unique_ptr<nn::TensorReader> KeptCheckpoint::read() {
  std::error_code ignored;
  if (options_.file.empty() || !std::filesystem::exists(options_.file, ignored)) return nullptr;
  try {
    auto file = std::make_unique<nn::TensorReader>(options_.file);
    if (value_of(file->metadata(), kConfiguration) != options_.configuration) {
      refuse("of another configuration");
      return nullptr;
    }
    if (value_of(file->metadata(), kDigest) != digest_of_file(*file)) {
      refuse("damaged");
      return nullptr;
    }
    earlier_seconds_ = seconds_in(file->metadata());
    return file;
  } catch (const Error& error) {
    warn_(concat(error.what(), "; the fit begins afresh"));
    return nullptr;
  }
}

void KeptCheckpoint::refuse(const std::string& why) {
  earlier_seconds_ = 0;
  warn_(concat(options_.file.string(), ": ", why, "; the fit begins afresh"));
}

bool KeptCheckpoint::due() {
  constexpr double kShare = 50;  // a write for every fifty times as much of the fit
  if (options_.file.empty() || given_up_) return false;
  if (options_.every <= 0) return true;
  return options_.clock() - written_ >= std::max(options_.every, kShare * cost_);
}

void KeptCheckpoint::write(const nn::TensorFile& state) {
  const double begin = options_.clock();
  try {
    nn::TensorFile file;
    for (const auto& [name, tensor] : state.tensors) file.tensors.emplace(name, tensor.to(Device::kCpu));
    file.metadata = {{kConfiguration, options_.configuration},
                     {kDigest, digest_of(file.tensors)},
                     {kSeconds, shortest_digits(earlier_seconds_ + begin - began_)}};
    std::filesystem::create_directories(options_.file.parent_path());
    nn::save_tensors(options_.file, file);
  } catch (const std::exception& error) {  // a full disk: the fit is worth more than its checkpoint
    warn_(concat(error.what(), "; the fit goes on without a checkpoint"));
    given_up_ = true;
  }
  written_ = options_.clock();
  cost_ = written_ - begin;
}

void KeptCheckpoint::remove() const {
  if (options_.file.empty()) return;
  std::error_code ignored;
  std::filesystem::remove(options_.file, ignored);
}

}  // namespace tapestry::recsys
