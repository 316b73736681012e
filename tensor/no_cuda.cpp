// What the rest of the project needs of the CUDA runtime, in a build without CUDA.
#include "tensor/cuda/cuda_device.h"
#include "tensor/cuda/cuda_graph.h"
#include "tensor/cuda/cuda_memory.h"
#include "tensor/error.h"

namespace tapestry {
namespace {

[[noreturn]] void no_cuda(const char* what) {
  fail(ErrorKind::kDevice, what, ": this build has no CUDA; configure with -DTAPESTRY_CUDA=ON or use the CPU");
}

}  // namespace

void* cuda_allocate(std::size_t) { no_cuda("allocation on the GPU"); }
void cuda_free(void*) noexcept {}
void cuda_upload(void*, const void*, std::size_t) { no_cuda("copy to the GPU"); }
void cuda_download(void*, const void*, std::size_t) { no_cuda("copy from the GPU"); }
void cuda_copy(void*, const void*, std::size_t) { no_cuda("copy within the GPU"); }
void cuda_synchronize() {}
void* cuda_stream_tag() { return nullptr; }
void* cuda_own_stream_tag() { no_cuda("a stream of the GPU"); }
void cuda_run_after(void*) {}
bool cuda_available() { return false; }
void cuda_begin_capture() { no_cuda("a CUDA graph"); }
CudaGraph* cuda_end_capture() { no_cuda("a CUDA graph"); }
bool cuda_abandon_capture() noexcept { return false; }
void cuda_launch_graph(CudaGraph*) { no_cuda("a CUDA graph"); }
void cuda_free_graph(CudaGraph*) noexcept {}

CudaReport cuda_report() {
  CudaReport report;
  report.reason = "this build has no CUDA kernels: configure with -DTAPESTRY_CUDA=ON, which needs NVIDIA's CUDA toolkit";
  return report;
}

}  // namespace tapestry
