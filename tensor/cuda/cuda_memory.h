#pragma once

#include <cstddef>

namespace tapestry {

/// What the rest of the project needs of the CUDA runtime, as plain functions, so that no CUDA header leaves this folder. Without
/// CUDA (tensor/no_cuda.cpp) there is never work to wait for, and what needs a device throws Error(kDevice).
///
/// Each host thread has a stream of its own: what a thread asks for is done in the order it asked, and nothing waits unless it
/// says so below. Threads that hand tensors to each other call cuda_synchronize first; parallel_for does.

/// Device memory, or nullptr when none is left. Asks the driver, which is slow and waits: tensor/memory.h keeps what it gets.
void* cuda_allocate(std::size_t bytes);
void cuda_free(void* block) noexcept;

/// Host to device: returns when the host's memory may be written again; the bytes arrive in the order of the thread's work.
void cuda_upload(void* device, const void* host, std::size_t bytes);
/// Device to host: waits for the thread's work so far and the bytes.
void cuda_download(void* host, const void* device, std::size_t bytes);
/// Device to device, in the order of the thread's work.
void cuda_copy(void* to, const void* from, std::size_t bytes);

/// Waits until everything that this thread asked for is done. Nothing when it never used the device.
void cuda_synchronize();

/// The calling thread's stream, as a tag: a block that was freed on one stream may be used on it again at once. Null when the
/// thread has asked for nothing yet.
void* cuda_stream_tag();
/// The same, but a thread that has no stream yet gets one. Throws Error(kDevice) when that cannot be.
void* cuda_own_stream_tag();
/// What the calling thread asks for from now on starts after everything asked for so far on `stream_tag`.
void cuda_run_after(void* stream_tag);

/// Whether a usable CUDA device is present.
bool cuda_available();

}  // namespace tapestry
