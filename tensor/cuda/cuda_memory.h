#pragma once

#include <cstddef>

namespace tapestry {

/// The memory calls of the CUDA runtime as plain functions, so that no CUDA header leaves this folder. Without CUDA they throw
/// Error(kDevice).

/// Device memory, or nullptr when none is left.
void* cuda_allocate(std::size_t bytes);
void cuda_free(void* block);
/// Copies between host and device in either direction (unified addressing tells which is which) and waits.
void cuda_copy(void* to, const void* from, std::size_t bytes);
/// Whether a usable CUDA device is present.
bool cuda_available();

}  // namespace tapestry
