#include "tensor/precision.h"

#include <array>
#include <atomic>

#include "tensor/error.h"

namespace tapestry {
namespace {

constexpr std::array<const char*, 3> kNames = {"float32", "tf32", "bf16"};
constexpr int kFirstWithTensorFloats = 80;  // compute capability, 10 major + minor

std::atomic<MatmulPrecision> current = MatmulPrecision::kFloat32;

}  // namespace

const char* name(MatmulPrecision precision) { return kNames[static_cast<std::size_t>(precision)]; }

std::vector<std::string> known_precisions() { return {kNames.begin(), kNames.end()}; }

MatmulPrecision parse_precision(const std::string& name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<MatmulPrecision>(i);
  }
  fail(ErrorKind::kUsage, "no precision is called '", name, "', there are: ", kNames[0], ", ", kNames[1], ", ", kNames[2]);
}

void check_precision(MatmulPrecision precision, const CudaReport& report) {
  if (precision == MatmulPrecision::kFloat32 || report.capability >= kFirstWithTensorFloats) return;
  fail(ErrorKind::kDevice, name(precision), " needs a GPU of compute capability 8.0 or newer; ", report.name, " has ",
       report.capability / 10, ".", report.capability % 10, ": use float32");
}

MatmulPrecision matmul_precision() { return current.load(std::memory_order_relaxed); }

PrecisionScope::PrecisionScope(MatmulPrecision precision) : before_(current.exchange(precision)) {}
PrecisionScope::~PrecisionScope() { current = before_; }

}  // namespace tapestry
