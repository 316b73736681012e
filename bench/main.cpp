// Runs every bench that the device can, or those whose names are given:
//   tapestry_bench [--threads N] [--device cpu|cuda] [--precision float32|tf32|bf16] [--json FILE] [name...]
// --json writes the figures of `kernels`, `steps` and `recommenders` with the machine's peaks, and a table of them beside it
// (README.md).
#include <iostream>

#include "bench/benches.h"
#include "bench/record.h"
#include "tensor/cuda/cuda_device.h"
#include "tensor/parallel.h"

namespace tapestry::bench {
namespace {

struct Options {
  std::string json;
  std::vector<std::string> names;
};

Device parse_device(const std::string& name) {
  if (name == "cpu") return Device::kCpu;
  if (name != "cuda") fail(ErrorKind::kUsage, "no device is called '", name, "', there are: cpu, cuda");
  const CudaReport report = cuda_report();
  if (!report.usable) fail(ErrorKind::kDevice, "--device cuda: ", report.reason);
  return Device::kCuda;
}

Options parse(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& option = arguments[i];
    if (option.rfind("--", 0) != 0) {
      options.names.push_back(option);
      continue;
    }
    if (++i == arguments.size()) fail(ErrorKind::kUsage, option, " wants a value");
    if (option == "--threads") {
      set_num_threads(std::stoi(arguments[i]));
    } else if (option == "--device") {
      record().device = parse_device(arguments[i]);
    } else if (option == "--precision") {
      record().precision = parse_precision(arguments[i]);
    } else if (option == "--json") {
      options.json = arguments[i];
    } else {
      fail(ErrorKind::kUsage, option, " is unknown, there are: --threads, --device, --precision, --json");
    }
  }
  for (const std::string& name : options.names) {
    const std::vector<Bench> known = all();
    if (std::none_of(known.begin(), known.end(), [&](const Bench& bench) { return bench.name == name; })) {
      fail(ErrorKind::kUsage, "no bench is called '", name, "'");
    }
  }
  if (record().precision != MatmulPrecision::kFloat32) {
    if (record().device == Device::kCpu) fail(ErrorKind::kUsage, "--precision is for --device cuda: the CPU computes in float32");
    check_precision(record().precision, cuda_report());
  }
  return options;
}

void run(const Options& options) {
  std::cout << "device: " << name(record().device) << ", matrix products in " << name(record().precision)
            << ", threads: " << num_threads() << "\n";
  if (!options.json.empty()) record().measure_peaks();  // in float32, whatever the precision of the benches
  const PrecisionScope precision(record().precision);
  for (const Bench& one : all()) {
    const bool named = std::find(options.names.begin(), options.names.end(), one.name) != options.names.end();
    if (!options.names.empty() ? !named : record().device == Device::kCuda && !one.any_device) continue;
    std::cout << "\n" << one.name << ": " << one.what << std::endl;
    one.run();
    // After each, so that a run that is stopped leaves what it has measured.
    if (!options.json.empty()) record().write(options.json);
  }
  if (options.json.empty()) return;
  std::cout << "\n" << record().markdown() << "\nwritten to " << options.json << " and the .md beside it\n";
}

}  // namespace
}  // namespace tapestry::bench

int main(int argc, char** argv) {
  tapestry::let_waiting_threads_sleep(argv);
  try {
    tapestry::bench::run(tapestry::bench::parse({argv + 1, argv + argc}));
    return 0;
  } catch (const tapestry::Error& error) {
    std::cerr << "tapestry_bench: " << error.what() << "\n";
    return error.exit_status();
  } catch (const std::exception& error) {
    std::cerr << "tapestry_bench: " << error.what() << "\n";
    return 1;
  }
}
