#include "tensor/parallel.h"

#include <omp.h>

#include <atomic>
#include <exception>

#include "tensor/cuda/cuda_memory.h"

namespace tapestry {

void set_num_threads(int threads) { omp_set_num_threads(threads > 0 ? threads : omp_get_num_procs()); }

int num_threads() { return omp_get_max_threads(); }

void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body) {
  cuda_synchronize();  // the GPU is done with what the jobs are going to read, and below with what they leave
  std::exception_ptr error;
  std::atomic<bool> stopped = false;
#pragma omp parallel for schedule(dynamic, 1)
  for (std::int64_t i = 0; i < count; ++i) {
    if (stopped) continue;
    try {
      body(i);
      cuda_synchronize();
    } catch (...) {  // an exception must not leave an OpenMP region
      if (!stopped.exchange(true)) error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace tapestry
