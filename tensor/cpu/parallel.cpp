#include "tensor/parallel.h"

#include <omp.h>

#include <atomic>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <system_error>

#ifdef __linux__
#include <unistd.h>
#endif

#include "tensor/cuda/cuda_memory.h"

namespace tapestry {

void set_num_threads(int threads) { omp_set_num_threads(threads > 0 ? threads : omp_get_num_procs()); }

int num_threads() { return omp_get_max_threads(); }

void let_waiting_threads_sleep([[maybe_unused]] char** argv) {
#ifdef __linux__
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return;
  // A tenth or two of a millisecond: longer than what lies between two kernels of a training step.
  if (::setenv("GOMP_SPINCOUNT", "3000", 1) == 0)
    ::execv(self.c_str(), argv);  // returns only where it fails, then all is as it was
#endif
}

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
