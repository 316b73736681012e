// Runs every bench that the device can, or those whose names are given:
//   tapestry_bench [--threads N] [--device cpu|cuda] [--precision float32|tf32|bf16] [--json FILE] [name...]
// --json writes the figures of `kernels`, `steps` and `recommenders` with the machine's peaks, and a table of them beside it
// (README.md).
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <optional>

#include "bench/benches.h"
#include "bench/record.h"
#include "recsys/data/joined.h"
#include "tensor/cuda/cuda_device.h"
#include "tensor/parallel.h"

namespace tapestry::bench {
namespace {

/// As written, before names are looked up.
struct Options {
  int threads = 0;
  std::string device = "cpu", precision = "float32", json;
  std::vector<std::string> names;
};

Device parse_device(const std::string& name) {
  if (name == "cpu") return Device::kCpu;
  if (name != "cuda") fail(ErrorKind::kUsage, "no device is called '", name, "', there are: cpu, cuda");
  const CudaReport report = cuda_report();
  if (!report.usable) fail(ErrorKind::kDevice, "--device cuda: ", report.reason);
  return Device::kCuda;
}

std::vector<std::string> known_names() {
  std::vector<std::string> names;
  for (const Bench& bench : all()) names.push_back(bench.name);
  return names;
}

/// Nothing when --help was answered.
std::optional<Options> parse(int argc, char** argv) {
  Options options;
  CLI::App app("Times operations, steps and stages (bench/README.md).", "tapestry_bench");
  // Given twice, the last one counts, so that a command can be extended at its end.
  const auto one = [&](const std::string& option, auto& value, const char* type, const std::string& help) {
    return app.add_option(option, value, help)->type_name(type)->take_last();
  };
  one("--threads", options.threads, "N", "Threads; default one per processor")->check(CLI::Range(1, 10000));
  one("--device", options.device, "NAME", "Where the benches that can choose run: cpu or cuda; default cpu");
  one("--precision", options.precision, "NAME",
      "What matrix products on a GPU round float32 operands to: " + recsys::joined(known_precisions()) + "; default float32");
  one("--json", options.json, "FILE", "Write the figures of kernels, steps and recommenders here, and their table beside it");
  app.add_option("name", options.names, "Benches: " + recsys::joined(known_names()) + "; default all that the device can run")
      ->type_name("NAME");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& answer) {
    app.exit(answer);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    fail(ErrorKind::kUsage, error.what(), " (--help lists the options)");
  }
  return options;
}

/// Looks everything up and sets threads, device and precision, so that what is wrong is said before the first bench.
void prepare(const Options& options) {
  const std::vector<std::string> known = known_names();
  for (const std::string& name : options.names) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    fail(ErrorKind::kUsage, "no bench is called '", name, "', there are: ", recsys::joined(known));
  }
  set_num_threads(options.threads);
  record().device = parse_device(options.device);
  record().precision = parse_precision(options.precision);
  if (record().precision != MatmulPrecision::kFloat32) {
    if (record().device == Device::kCpu) fail(ErrorKind::kUsage, "--precision is for --device cuda: the CPU computes in float32");
    check_precision(record().precision, cuda_report());
  }
  record().file = options.json;
  if (!options.json.empty()) record().check_writable();
}

void run(const Options& options) {
  std::cout << "device: " << name(record().device) << ", matrix products in " << name(record().precision)
            << ", threads: " << num_threads() << "\n";
  // In float32, whatever the precision of the benches.
  if (!options.json.empty()) record().attempt("peaks", [] { record().measure_peaks(); });
  const PrecisionScope precision(record().precision);
  for (const Bench& one : all()) {
    const bool named = std::find(options.names.begin(), options.names.end(), one.name) != options.names.end();
    if (!options.names.empty() ? !named : record().device == Device::kCuda && !one.any_device) continue;
    std::cout << "\n" << one.name << ": " << one.what << std::endl;
    record().attempt(one.name, one.run);
  }
  if (options.json.empty()) return;
  record().write();
  std::cout << "\n" << record().markdown() << "\nwritten to " << options.json << " and the .md beside it\n";
}

}  // namespace
}  // namespace tapestry::bench

int main(int argc, char** argv) {
  tapestry::let_waiting_threads_sleep(argv);
  try {
    const auto options = tapestry::bench::parse(argc, argv);
    if (!options) return 0;
    tapestry::bench::prepare(*options);
    tapestry::bench::run(*options);
    return tapestry::bench::record().failures() > 0 ? 1 : 0;
  } catch (const tapestry::Error& error) {
    std::cerr << "tapestry_bench: " << error.what() << "\n";
    return error.exit_status();
  } catch (const std::exception& error) {
    std::cerr << "tapestry_bench: " << error.what() << "\n";
    return 1;
  }
}
