#pragma once

namespace tapestry {

/// A step of a training or sampling loop as a CUDA graph, for tensor/step_graph.h: plain functions, so that no CUDA header leaves
/// this folder. Between begin and end, what the calling thread asks the device for is recorded and not done. What cannot be
/// repeated without the host, copies from and to it and waiting, throws Error(kMisuse) meanwhile.
struct CudaGraph;

/// Starts recording on the calling thread's stream. Other threads go on as before.
void cuda_begin_capture();
/// Ends it: the recorded work, ready to be launched. Throws Error(kDevice) when it cannot be made a graph; recording has ended.
CudaGraph* cuda_end_capture();
/// Ends recording and forgets what was recorded: after an exception. The stream is as it was before. True when the recording had
/// been broken off, by what this or another thread asked the device for.
bool cuda_abandon_capture() noexcept;
/// Queues the graph's work on the calling thread's stream, in one call.
void cuda_launch_graph(CudaGraph* graph);
/// Waits until the graph is no longer at work and frees it. Null is ignored.
void cuda_free_graph(CudaGraph* graph) noexcept;

}  // namespace tapestry
