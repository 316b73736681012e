#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <functional>
#include <latch>
#include <thread>
#include <vector>

#include "tensor/ops.h"
#include "tests/support/device.h"

namespace tapestry::tests {

/// Makes the calling thread's context of the GPU and loads what its libraries load at first use. Both may wait for the whole
/// device, which no graph that another thread records may meet with.
inline void warm_up() {
  const Tensor one = Tensor::full({1, 1}, 1, DType::kFloat32, test_device());
  static_cast<void>(matmul(one, one).item());
}

/// body(0), ..., body(count - 1), each on a thread of its own; none begins before all are warm. Throws what the first of them
/// threw.
inline void side_by_side(std::size_t count, const std::function<void(std::size_t)>& body) {
  std::latch warm(static_cast<std::ptrdiff_t>(count));
  std::vector<std::exception_ptr> errors(count);
  const auto guarded = [&](std::size_t i, const auto& call) {
    try {
      if (errors[i] == nullptr) call();
    } catch (...) {
      errors[i] = std::current_exception();
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      guarded(i, warm_up);
      warm.arrive_and_wait();
      guarded(i, [&] { body(i); });
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto error = std::find_if(errors.begin(), errors.end(), [](const std::exception_ptr& one) { return one != nullptr; });
  if (error != errors.end()) std::rethrow_exception(*error);
}

}  // namespace tapestry::tests
