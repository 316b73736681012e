#pragma once

#include <cstdint>
#include <optional>
#include <string>

/// A BLAS beside our own products, to say how fast the machine's best known sgemm is. Only where CMake finds one.
namespace tapestry::bench {

/// Its name, with the processor that OpenBLAS takes this machine for, which decides its speed: "OpenBLAS for SkylakeX".
std::string blas_name();

/// C = A B^T, A [m, k], B [n, k], on so many threads, if there is a BLAS that can be told how many. Returns whether there is.
bool blas_product(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* b, float* c, int threads);

}  // namespace tapestry::bench
