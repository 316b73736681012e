#include "tensor/cuda/runtime.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "tensor/cuda/cuda_memory.h"
#include "tensor/error.h"

namespace tapestry {
namespace cuda {
namespace {

/// What a status means for whoever reads it.
const char* meaning(cudaError_t status) {
  switch (status) {
    case cudaErrorMemoryAllocation:
      return "the GPU is out of memory";
    case cudaErrorNoDevice:
      return "there is no GPU that CUDA can use";
    case cudaErrorInsufficientDriver:
      return "the driver is older than this build's CUDA: update it, or build with an older toolkit";
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
      return "this build has no code for this GPU: configure with -DTAPESTRY_CUDA_ARCHITECTURES=native";
    case cudaErrorIllegalAddress:
      return "a kernel that was started before read or wrote outside its memory";
    case cudaErrorLaunchFailure:
      return "a kernel that was started before failed";
    default:
      return cudaGetErrorString(status);
  }
}

/// Contexts whose threads have ended, for the next thread. Never destroyed: at the program's end the driver may be gone already.
struct Idle {
  std::mutex mutex;
  std::vector<std::unique_ptr<Context>> contexts;
};
Idle& idle() {
  static Idle* const all = new Idle;
  return *all;
}

/// A thread's hold on its context.
class Holder {
 public:
  ~Holder() {
    if (context_ == nullptr) return;
    const std::lock_guard lock(idle().mutex);
    idle().contexts.push_back(std::move(context_));
  }
  Context* get() const { return context_.get(); }
  Context& get_or_make() {
    if (context_ == nullptr) {
      const std::lock_guard lock(idle().mutex);
      if (!idle().contexts.empty()) {
        context_ = std::move(idle().contexts.back());
        idle().contexts.pop_back();
      }
    }
    if (context_ == nullptr) context_ = std::make_unique<Context>();
    return *context_;
  }

 private:
  std::unique_ptr<Context> context_;
};

thread_local Holder holder;

}  // namespace

void check(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());  // an error that can be lived with must not turn up at the next call
  fail(ErrorKind::kDevice, "CUDA: ", call, ": ", meaning(status), " (", cudaGetErrorName(status), ")");
}

void check(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  fail(ErrorKind::kDevice, "cuBLAS: ", call, ": ", cublasGetStatusString(status));
}

Context::Context() {
  try {
    make();
  } catch (...) {  // a GPU with too little memory must not lose what it gave
    release();
    throw;
  }
}

void Context::make() {
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  check(cudaEventCreateWithFlags(&fence_, cudaEventDisableTiming), "cudaEventCreateWithFlags");
  for (Slot& slot : slots_) check(cudaEventCreateWithFlags(&slot.copied, cudaEventDisableTiming), "cudaEventCreateWithFlags");
  check(cudaMallocHost(&slots_[0].pinned, kSlots * kSlotBytes), "cudaMallocHost");
  for (std::size_t i = 1; i < kSlots; ++i) slots_[i].pinned = static_cast<char*>(slots_[0].pinned) + i * kSlotBytes;
  check(cudaMalloc(&scratch_, kScratchBytes), "cudaMalloc");
  check(cudaMalloc(&blas_workspace_, kBlasWorkspaceBytes), "cudaMalloc");
  check(cublasCreate(&blas_), "cublasCreate");
  check(cublasSetStream(blas_, stream_), "cublasSetStream");
  check(cublasSetWorkspace(blas_, blas_workspace_, kBlasWorkspaceBytes), "cublasSetWorkspace");
  check(cublasSetMathMode(blas_, CUBLAS_DEFAULT_MATH), "cublasSetMathMode");  // float32 stays float32: no TF32
}

void Context::release() noexcept {
  if (blas_ != nullptr) cublasDestroy(blas_);
  cudaFree(blas_workspace_);
  cudaFree(scratch_);
  cudaFreeHost(slots_[0].pinned);
  for (const Slot& slot : slots_) {
    if (slot.copied != nullptr) cudaEventDestroy(slot.copied);
  }
  if (fence_ != nullptr) cudaEventDestroy(fence_);
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
}

void Context::refuse_in_capture(const char* what, std::size_t bytes) const {
  if (!capturing_) return;
  fail(ErrorKind::kMisuse, what, bytes > 0 ? concat(" (", bytes, " bytes)") : "",
       " within a step that is captured in a CUDA graph, which is repeated without the host: keep the numbers on the device, or "
       "move them before or after the step (TAPESTRY_GRAPHS=off captures none)");
}

void Context::upload(void* device, const void* host, std::size_t bytes) {
  refuse_in_capture("copying to the GPU", bytes);
  for (std::size_t done = 0; done < bytes; done += kSlotBytes) {
    const std::size_t size = std::min(kSlotBytes, bytes - done);
    Slot& slot = slots_[next_slot_];
    next_slot_ = (next_slot_ + 1) % kSlots;
    check(cudaEventSynchronize(slot.copied), "cudaEventSynchronize");  // at once, unless kSlots copies are still on their way
    std::memcpy(slot.pinned, static_cast<const char*>(host) + done, size);
    check(cudaMemcpyAsync(static_cast<char*>(device) + done, slot.pinned, size, cudaMemcpyHostToDevice, stream_),
          "cudaMemcpyAsync to the GPU");
    check(cudaEventRecord(slot.copied, stream_), "cudaEventRecord");
  }
}

void Context::run_after(cudaStream_t other) {
  check(cudaEventRecord(fence_, other), "cudaEventRecord");
  check(cudaStreamWaitEvent(stream_, fence_, 0), "cudaStreamWaitEvent");
}

Context& context() { return holder.get_or_make(); }

}  // namespace cuda

void* cuda_allocate(std::size_t bytes) {
  cuda::context();  // its errors say what is wrong with the device; the first call would blame the memory
  void* block = nullptr;
  const cudaError_t status = cudaMalloc(&block, bytes);
  if (status == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());
    return nullptr;
  }
  cuda::check(status, "cudaMalloc");
  return block;
}

void cuda_free(void* block) noexcept { static_cast<void>(cudaFree(block)); }

void cuda_upload(void* device, const void* host, std::size_t bytes) { cuda::context().upload(device, host, bytes); }

void cuda_download(void* host, const void* device, std::size_t bytes) {
  cuda::context().refuse_in_capture("copying from the GPU", bytes);
  const cudaStream_t stream = cuda::context().stream();
  cuda::check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream), "cudaMemcpyAsync from the GPU");
  cuda::check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
}

void cuda_copy(void* to, const void* from, std::size_t bytes) {
  cuda::check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, cuda::context().stream()),
              "cudaMemcpyAsync within the GPU");
}

void cuda_synchronize() {
  if (cuda::holder.get() == nullptr) return;
  cuda::context().refuse_in_capture("waiting for the GPU");
  cuda::check(cudaStreamSynchronize(cuda::context().stream()), "cudaStreamSynchronize");
}

void* cuda_stream_tag() { return cuda::holder.get() == nullptr ? nullptr : cuda::holder.get()->stream(); }

void* cuda_own_stream_tag() { return cuda::context().stream(); }

void cuda_run_after(void* stream_tag) { cuda::context().run_after(static_cast<cudaStream_t>(stream_tag)); }

}  // namespace tapestry
