#include "bench/record.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench/benches.h"
#include "bench/revision.h"  // made at every build
#include "tensor/cuda/cuda_device.h"
#include "tensor/ops.h"
#include "tensor/parallel.h"

namespace tapestry::bench {
namespace {

/// The processor's name, as Linux tells it.
std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  char text[16];
  std::strftime(text, sizeof text, "%F", std::localtime(&now));
  return text;
}

std::string machine(Device device) {
  const std::string host = concat(processor(), ", ", num_threads(), num_threads() == 1 ? " thread" : " threads");
  return device == Device::kCpu ? host : cuda_report().name + " (host: " + host + ")";
}

std::string fixed(double value, int digits) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value;
  return text.str();
}

/// Where the table of `file` lies.
std::string table_beside(const std::string& file) {
  const std::size_t ending = file.rfind(".json");
  return (ending == std::string::npos ? file : file.substr(0, ending)) + ".md";
}

/// Writes into a file that is opened so, and throws when that cannot be done.
void write_file(const std::string& file, const std::string& text, std::ios::openmode mode = std::ios::out) {
  std::ofstream out(file, mode);
  out << text;
  out.close();
  if (!out) fail(ErrorKind::kUsage, file, " cannot be written");
}

bool has_floor(const Figure& figure) { return figure.work.flops > 0 || figure.work.bytes > 0; }

}  // namespace

void Record::add(Figure figure) {
  figures_.push_back(std::move(figure));
  if (!file.empty()) write();
}

void Record::attempt(const std::string& what, const std::function<void()>& measure) {
  try {
    measure();
  } catch (const std::exception& error) {
    std::cout << "  " << what << ": left out: " << error.what() << std::endl;
    ++failures_;
  }
}

void Record::measure_peaks() {
  const bool gpu = device == Device::kCuda;
  const std::int64_t side = gpu ? 8192 : 2048;
  const std::int64_t wide = gpu ? std::int64_t{1} << 28 : std::int64_t{1} << 25;  // elements: 1 GiB or 128 MiB, beyond any cache
  Peaks found;
  {
    const Tensor x = Tensor::full({wide / 256, 256}, 1.5, DType::kFloat32, device);
    // A kernel of ours that fell short would make a floor that nothing has to meet: the copy is the driver's on a GPU.
    const double negating = median(call_seconds([&] { unary(UnaryOp::kNegate, x); }));
    const double copying = median(call_seconds([&] { x.clone(); }));
    found.bytes = 8.0 * static_cast<double>(wide) / std::min(negating, copying);
  }
  const Tensor a = random_normal({side, side}, {1, Purpose::kTest, 1}, 0, 1, DType::kFloat32, device);
  const Tensor b = random_normal({side, side}, {1, Purpose::kTest, 2}, 0, 1, DType::kFloat32, device);
  found.flops = 2.0 * std::pow(static_cast<double>(side), 3) / median(call_seconds([&] { matmul(a, b, false, true); }));
  peaks_ = found;
}

std::string Record::json() const {
  nlohmann::ordered_json all = {
      {"device", tapestry::name(device)},       {"machine", machine(device)}, {"date", today()}, {"revision", TAPESTRY_REVISION},
      {"precision", tapestry::name(precision)}, {"threads", num_threads()}};
  if (device == Device::kCuda) {
    const CudaReport gpu = cuda_report();
    all["gpu"] = {{"name", gpu.name},
                  {"capability", gpu.capability},
                  {"driver", gpu.driver_version},
                  {"runtime", gpu.runtime_version},
                  {"architectures", gpu.architectures}};
  }
  if (peaks_) all["peaks"] = {{"flops_per_second", peaks_->flops}, {"bytes_per_second", peaks_->bytes}};
  all["figures"] = nlohmann::json::array();
  for (const Figure& figure : figures_) {
    nlohmann::ordered_json line = {
        {"part", figure.part}, {"name", figure.name}, {"microseconds", 1e6 * figure.seconds}, {"times", figure.times}};
    if (has_floor(figure)) {
      line["flops"] = figure.work.flops;
      line["bytes"] = figure.work.bytes;
      if (peaks_) line["floor_microseconds"] = 1e6 * floor_seconds(figure.work, *peaks_);
    }
    if (figure.parameters > 0) line["parameters"] = figure.parameters;
    if (figure.updates > 0) line["updates"] = figure.updates;
    if (!std::isnan(figure.first_loss)) line["first_loss"] = figure.first_loss;
    all["figures"].push_back(line);
  }
  return all.dump(2) + "\n";
}

std::string Record::markdown() const {
  std::string text = "# " + machine(device) + ", " + today() + "\n\nMatrix products in " + tapestry::name(precision) + ".";
  if (peaks_) {
    text += " Peaks measured in this run: " + fixed(1e-9 * peaks_->flops, 0) + " GFLOP/s (products of large matrices), " +
            fixed(1e-9 * peaks_->bytes, 1) + " GB/s (negating or copying a large tensor).";
  }
  text += "\n\n| | GFLOP | MB | floor, ms | bound by | measured, ms | measured / floor |\n|---|---|---|---|---|---|---|\n";
  const Figure* worst = nullptr;
  double worst_ratio = 0;
  for (const Figure& figure : figures_) {
    text += "| " + figure.name + " | ";
    if (has_floor(figure) && peaks_) {
      const double least = floor_seconds(figure.work, *peaks_);
      const bool arithmetic = figure.work.flops / peaks_->flops >= figure.work.bytes / peaks_->bytes;
      const double ratio = figure.seconds / least;
      if (ratio > worst_ratio) {
        worst = &figure;
        worst_ratio = ratio;
      }
      text += fixed(1e-9 * figure.work.flops, 3) + " | " + fixed(1e-6 * figure.work.bytes, 2) + " | " + fixed(1e3 * least, 4) +
              " | " + (arithmetic ? "arithmetic" : "memory") + " | " + fixed(1e3 * figure.seconds, 4) + " | " + fixed(ratio, 1) +
              " |\n";
    } else {
      text += "- | - | - | - | " + fixed(1e3 * figure.seconds, 4) + " | - |\n";
    }
  }
  if (worst != nullptr) text += "\nWorst ratio: " + fixed(worst_ratio, 1) + ", " + worst->name + ".\n";
  return text;
}

void Record::check_writable() const {
  for (const std::string& one : {file, table_beside(file)}) {
    std::error_code ignored;
    const bool there = std::filesystem::exists(one, ignored);
    write_file(one, "", std::ios::app);
    // What is new goes again: scripts take a file for figures (tools/bench_pytorch.sh).
    if (!there) std::filesystem::remove(one, ignored);
  }
}

void Record::write() const {
  write_file(file, json());
  write_file(table_beside(file), markdown());
}

Record& record() {
  static Record the_one;
  return the_one;
}

}  // namespace tapestry::bench
