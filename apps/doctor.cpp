#include "apps/doctor.h"

#include <algorithm>
#include <filesystem>
#include <iomanip>

#include "apps/revision.h"  // made at every build
#include "tensor/cuda/cuda_device.h"
#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/self_test.h"

namespace tapestry::apps {
namespace {

constexpr int kWrongResults = 5;

std::string capability_text(int capability) { return concat(capability / 10, ".", capability % 10); }

std::string memory_text(std::int64_t bytes) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << static_cast<double>(bytes) / (1 << 30) << " GiB";
  return text.str();
}

/// What the machine shows of a GPU even to a build without CUDA, for when none can be used. A guess from files: in some
/// containers a GPU works without them.
std::string machine_text() {
  const bool driver = std::filesystem::exists("/proc/driver/nvidia/version");
  const bool device = std::filesystem::exists("/dev/nvidia0");
  if (driver && device) return "an NVIDIA GPU with its driver";
  if (driver) return "an NVIDIA driver, but no GPU that this user or container may open (/dev/nvidia0)";
  if (device) return "an NVIDIA GPU, but no driver";
  // WSL2 shows a GPU of any make as this file, and its driver, which is that of Windows, by none of those above.
  if (std::filesystem::exists("/dev/dxg")) return "a GPU that Windows lends to WSL2 (/dev/dxg), by NVIDIA or not";
  return "no NVIDIA GPU or driver";
}

void describe_gpu(std::ostream& out, const CudaReport& report) {
  if (!report.name.empty()) {
    out << "  GPU        " << report.name << ", compute capability " << capability_text(report.capability) << ", "
        << report.multiprocessors << " multiprocessors, " << memory_text(report.memory_bytes) << " of memory, "
        << memory_text(report.free_bytes) << " free\n";
  }
  if (!report.usable) return;
  out << "  kernels    compiled for " << capability_text(report.kernel_architecture);
  if (report.kernel_ptx != report.kernel_architecture) out << " from PTX for " << capability_text(report.kernel_ptx);
  out << "\n";
}

/// Prints what failed, or how much was compared. Returns whether all passed.
bool describe_self_test(std::ostream& out) {
  const std::vector<SelfTestResult> results = self_test(Device::kCuda);
  bool all = true;
  for (const SelfTestResult& result : results) {
    if (result.passed()) continue;
    all = false;
    out << "  self-test  " << result.operation << " FAILED: differs from the CPU by " << result.difference << ", allowed "
        << result.allowed << "\n";
  }
  if (all) out << "  self-test  " << results.size() << " operations agree with the CPU\n";
  return all;
}

}  // namespace

std::string version_text(int version) { return concat(version / 1000, ".", version % 1000 / 10); }

int doctor(std::ostream& out) {
  const CudaReport report = cuda_report();
  out << "tapestry " << TAPESTRY_VERSION << (*TAPESTRY_REVISION != '\0' ? " (" TAPESTRY_REVISION ")" : "") << "\n"
      << "  CPU        " << num_threads() << (num_threads() == 1 ? " thread" : " threads") << ", matrix products by "
      << TAPESTRY_BLAS << "\n";
  if (!report.usable) out << "  machine    " << machine_text() << "\n";
  out << "  build      ";
  if (report.built) {
    out << "CUDA " << version_text(report.runtime_version) << " kernels for " << report.architectures << "\n";
    out << "  driver     "
        << (report.driver_version > 0 ? "knows CUDA up to " + version_text(report.driver_version) : std::string("none")) << "\n";
  } else {
    out << "without CUDA kernels\n";
  }
  describe_gpu(out, report);
  bool sound = report.usable;
  try {
    if (sound) sound = describe_self_test(out);
  } catch (const Error& error) {
    out << "  self-test  FAILED: " << error.what() << "\n";
    sound = false;
  }
  if (sound) {
    out << "The GPU works.\n";
  } else if (report.usable) {
    out << "The GPU gives wrong results: use --device cpu, and check its driver.\n";
  } else {
    out << "No GPU is used: " << report.reason << ".\n";
  }
  return report.usable && !sound ? kWrongResults : 0;
}

}  // namespace tapestry::apps
