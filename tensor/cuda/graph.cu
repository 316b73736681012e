#include "tensor/cuda/cuda_graph.h"

#include "tensor/cuda/runtime.h"
#include "tensor/error.h"

namespace tapestry {

/// The graph and the stream it was recorded on, whose workspace and scratch memory its kernels use.
struct CudaGraph {
  cudaGraphExec_t executable = nullptr;
  cudaStream_t stream = nullptr;
};

void cuda_begin_capture() {
  cuda::Context& context = cuda::context();
  // Relaxed: the pool may have to ask for memory, and other threads may do what they like. What must not happen within a step is
  // refused by Context itself.
  cuda::check(cudaStreamBeginCapture(context.stream(), cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
  context.set_capturing(true);
}

CudaGraph* cuda_end_capture() {
  cuda::Context& context = cuda::context();
  context.set_capturing(false);
  cudaGraph_t recorded = nullptr;
  const cudaError_t ended = cudaStreamEndCapture(context.stream(), &recorded);
  context.set_capture_broken(ended == cudaErrorStreamCaptureInvalidated);
  cuda::check(ended, "cudaStreamEndCapture");
  cudaGraphExec_t executable = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&executable, recorded, 0ull);
  static_cast<void>(cudaGraphDestroy(recorded));
  cuda::check(status, "cudaGraphInstantiate");
  // Now, not at the first launch: if there is no memory for it, StepGraph::run can still record the step once more.
  const cudaError_t uploaded = cudaGraphUpload(executable, context.stream());
  if (uploaded != cudaSuccess) static_cast<void>(cudaGraphExecDestroy(executable));
  cuda::check(uploaded, "cudaGraphUpload");
  return new CudaGraph{executable, context.stream()};
}

bool cuda_abandon_capture() noexcept {
  cuda::Context& context = cuda::context();
  context.set_capturing(false);
  cudaGraph_t recorded = nullptr;
  const bool broken = cudaStreamEndCapture(context.stream(), &recorded) == cudaErrorStreamCaptureInvalidated;
  if (recorded != nullptr) static_cast<void>(cudaGraphDestroy(recorded));
  static_cast<void>(cudaGetLastError());  // a capture that was broken off is no error of the next call
  const bool at_its_end = context.capture_broken();
  context.set_capture_broken(false);
  return broken || at_its_end;
}

void cuda_launch_graph(CudaGraph* graph) {
  const cudaStream_t stream = cuda::context().stream();
  if (stream != graph->stream) {
    // Its kernels would share their working memory with what that other thread asks for.
    fail(ErrorKind::kMisuse, "StepGraph: run by another thread than the one that captured it");
  }
  cuda::check(cudaGraphLaunch(graph->executable, stream), "cudaGraphLaunch");
}

void cuda_free_graph(CudaGraph* graph) noexcept {
  if (graph == nullptr) return;
  static_cast<void>(cudaStreamSynchronize(graph->stream));
  static_cast<void>(cudaGraphExecDestroy(graph->executable));
  delete graph;
}

}  // namespace tapestry
