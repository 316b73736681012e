#include "tensor/step_graph.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string_view>

#include "tensor/cuda/cuda_graph.h"

namespace tapestry {
namespace {

std::atomic<std::int64_t> all_launches = 0;

bool graphs_wanted() {
  const char* wanted = std::getenv("TAPESTRY_GRAPHS");
  if (wanted == nullptr || std::string_view(wanted) == "on") return true;
  if (std::string_view(wanted) == "off") return false;
  fail(ErrorKind::kUsage, "TAPESTRY_GRAPHS=", wanted, ": on or off is expected");
}

}  // namespace

void load_kernels_at_start() { ::setenv("CUDA_MODULE_LOADING", "EAGER", 0); }

StepGraph::StepGraph(Device device) : enabled_(graphs_wanted() && device == Device::kCuda && !pool_is_exact()) {}

StepGraph::~StepGraph() {
  for (const Entry& entry : entries_) cuda_free_graph(entry.graph);
}

std::vector<StepGraph::Entry>::iterator StepGraph::find(std::int64_t key) {
  return std::find_if(entries_.begin(), entries_.end(), [key](const Entry& entry) { return entry.key == key; });
}

void StepGraph::called(std::int64_t key) {
  if (enabled_ && !PoolReserve::filling() && find(key) == entries_.end()) entries_.push_back({key});
}

bool StepGraph::begin(std::int64_t key) {
  if (!enabled_ || PoolReserve::filling()) return false;
  const auto found = find(key);
  if (found == entries_.end()) return false;
  current_ = static_cast<std::size_t>(found - entries_.begin());
  if (launchable()) return true;
  reserve_.begin();
  try {
    cuda_begin_capture();
  } catch (...) {
    reserve_.end();
    throw;
  }
  return true;
}

void StepGraph::end() {
  entries_[current_].graph = cuda_end_capture();
  reserve_.end();
}

bool StepGraph::abandon() noexcept {
  const bool broken = cuda_abandon_capture();
  reserve_.end();
  return broken;
}

bool StepGraph::give_back_cache() {
  if (pool_stats(Device::kCuda).bytes_cached == 0) return false;
  pool_trim(Device::kCuda);
  return true;
}

void StepGraph::launch() {
  cuda_launch_graph(entries_[current_].graph);
  ++all_launches;
}

std::int64_t StepGraph::launches() { return all_launches; }

}  // namespace tapestry
