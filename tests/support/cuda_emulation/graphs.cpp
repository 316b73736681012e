// Streams, events, and recording a stream as a graph. Work is done when it is asked for, so that all a stream has is what it
// records meanwhile, and all an event has is the recording it belongs to. The rules are CUDA's: what would have to wait for
// recorded work, or make it wait for other work, is an error and breaks the recording off.
#include <cstdint>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/cuda_emulation/cuda_runtime.h"

struct EmulatedGraph {
  std::vector<tapestry::tests::emulation::Work> work;
};

struct EmulatedGraphExec {
  std::vector<tapestry::tests::emulation::Work> work;
};

struct EmulatedStream {
  EmulatedGraph* recording = nullptr;
  std::uint64_t number = 0;  ///< of the recording
  bool broken = false;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id thread;  ///< that began it
};

struct EmulatedEvent {
  std::uint64_t recording = 0;  ///< in which it was recorded, 0: none
};

namespace tapestry::tests::emulation {
namespace {

std::mutex mutex;
std::uint64_t recordings = 0;
std::set<EmulatedStream*> recorded;  ///< the streams that record

cudaError_t broken(EmulatedStream* stream, cudaError_t error) {
  stream->broken = true;
  return error;
}

}  // namespace

bool is_capturing(cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  return stream != nullptr && stream->recording != nullptr;
}

cudaError_t record(cudaStream_t stream, Work work) {
  const std::lock_guard lock(mutex);
  if (stream->broken) return cudaErrorStreamCaptureInvalidated;
  stream->recording->work.push_back(std::move(work));
  return cudaSuccess;
}

cudaError_t break_capture(cudaStream_t stream, cudaError_t error) {
  const std::lock_guard lock(mutex);
  return broken(stream, error);
}

bool may_allocate() {
  const std::lock_guard lock(mutex);
  bool allowed = true;
  for (EmulatedStream* stream : recorded) {
    const bool own = stream->thread == std::this_thread::get_id();
    if (stream->mode == cudaStreamCaptureModeGlobal || (stream->mode == cudaStreamCaptureModeThreadLocal && own)) {
      stream->broken = true;
      allowed = false;
    }
  }
  return allowed;
}

bool may_wait_for_all() {
  const std::lock_guard lock(mutex);
  for (EmulatedStream* stream : recorded) stream->broken = true;
  return recorded.empty();
}

}  // namespace tapestry::tests::emulation

using tapestry::tests::emulation::broken;
using tapestry::tests::emulation::mutex;
using tapestry::tests::emulation::recorded;
using tapestry::tests::emulation::recordings;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) { return *stream = new EmulatedStream, cudaSuccess; }
cudaError_t cudaStreamDestroy(cudaStream_t stream) { return delete stream, cudaSuccess; }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return *event = new EmulatedEvent, cudaSuccess; }
cudaError_t cudaEventDestroy(cudaEvent_t event) { return delete event, cudaSuccess; }

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  return stream != nullptr && stream->recording != nullptr ? broken(stream, cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  event->recording = stream != nullptr && stream->recording != nullptr ? stream->number : 0;
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const std::lock_guard lock(mutex);
  return event->recording == 0 ? cudaSuccess : cudaErrorCapturedEvent;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const std::lock_guard lock(mutex);
  if (stream->recording != nullptr && event->recording != stream->number) return broken(stream, cudaErrorStreamCaptureIsolation);
  // CUDA would draw the waiting stream into the other one's recording. Nothing in tensor/cuda means that.
  if (stream->recording == nullptr && event->recording != 0) return cudaErrorStreamCaptureIsolation;
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  const std::lock_guard lock(mutex);
  if (stream == nullptr) return cudaErrorStreamCaptureUnsupported;  // the default stream
  if (stream->recording != nullptr) return cudaErrorIllegalState;
  *stream = {new EmulatedGraph, ++recordings, false, mode, std::this_thread::get_id()};
  recorded.insert(stream);
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const std::lock_guard lock(mutex);
  *graph = nullptr;
  if (stream == nullptr || stream->recording == nullptr) return cudaErrorIllegalState;
  if (stream->mode != cudaStreamCaptureModeRelaxed && stream->thread != std::this_thread::get_id()) {
    return broken(stream, cudaErrorStreamCaptureWrongThread);
  }
  recorded.erase(stream);
  EmulatedGraph* const taken = std::exchange(stream->recording, nullptr);
  if (!stream->broken) return *graph = taken, cudaSuccess;
  delete taken;
  return cudaErrorStreamCaptureInvalidated;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  return *executable = new EmulatedGraphExec{graph->work}, cudaSuccess;
}
cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t stream) {
  return tapestry::tests::emulation::is_capturing(stream) ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return delete graph, cudaSuccess; }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) { return delete executable, cudaSuccess; }

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  if (tapestry::tests::emulation::is_capturing(stream)) {
    return tapestry::tests::emulation::break_capture(stream, cudaErrorStreamCaptureUnsupported);
  }
  for (const auto& work : executable->work) {
    if (const cudaError_t error = work(); error != cudaSuccess) return error;
  }
  return cudaSuccess;
}
