#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <cstdint>

namespace tapestry::cuda {

/// Throws Error(kDevice) naming the call and what its status means. A kernel's own failure shows at a later call.
void check(cudaError_t status, const char* call);
void check(cublasStatus_t status, const char* call);

/// A thread's stream and what is bound to it: a cuBLAS handle with a workspace of its own, without which products would not give
/// the same bits whenever several streams are at work, and a little device memory for the partial sums of reductions, used by one
/// kernel after the other.
class Context {
 public:
  Context();
  ~Context() { release(); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  cudaStream_t stream() const { return stream_; }
  cublasHandle_t blas() const { return blas_; }
  /// kScratchBytes bytes of device memory, 256-byte aligned.
  void* scratch() const { return scratch_; }
  static constexpr std::size_t kScratchBytes = 64 << 10;

  /// Copies through pinned memory, which the copy engine reads while the host goes on.
  void upload(void* device, const void* host, std::size_t bytes);
  /// What is queued here from now on starts after everything queued so far on `other`.
  void run_after(cudaStream_t other);

  /// Whether what is asked for is recorded in a graph (cuda_graph.h) instead of being done.
  bool capturing() const { return capturing_; }
  void set_capturing(bool capturing) { capturing_ = capturing; }
  /// Whether the last recording turned out to be broken off when it was ended.
  bool capture_broken() const { return capture_broken_; }
  void set_capture_broken(bool broken) { capture_broken_ = broken; }
  /// Throws Error(kMisuse) while it is: `what`, "copying 8 bytes from the GPU", cannot be repeated without the host.
  void refuse_in_capture(const char* what, std::size_t bytes = 0) const;

 private:
  void make();
  void release() noexcept;

  static constexpr std::size_t kSlots = 8;
  static constexpr std::size_t kSlotBytes = 1 << 20;
  static constexpr std::size_t kBlasWorkspaceBytes = 32 << 20;  // what NVIDIA recommends for Hopper; smaller chips use less

  struct Slot {
    void* pinned = nullptr;
    cudaEvent_t copied = nullptr;  ///< when the copy out of `pinned` is done
  };

  cudaStream_t stream_ = nullptr;
  cudaEvent_t fence_ = nullptr;
  cublasHandle_t blas_ = nullptr;
  void* blas_workspace_ = nullptr;
  void* scratch_ = nullptr;
  Slot slots_[kSlots];
  std::size_t next_slot_ = 0;
  bool capturing_ = false;
  bool capture_broken_ = false;
};

/// The calling thread's, made at its first use. When the thread ends, it waits for another thread.
Context& context();

}  // namespace tapestry::cuda
