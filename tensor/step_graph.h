#pragma once

#include <cstdint>
#include <vector>

#include "tensor/error.h"
#include "tensor/memory.h"

namespace tapestry {

struct CudaGraph;

/// Runs the steps of a loop. On a GPU a step is some hundred kernels, each of which takes the host longer to ask for than a small
/// one runs: a StepGraph lets a step be asked for once, records it as a CUDA graph, and from then on has the device repeat it in
/// one call.
///
///     StepGraph graph(model.device());
///     for (...) graph.run(batch_rows, [&] { ... });
///
/// On the CPU, and with TAPESTRY_GRAPHS=off in the environment, run() simply calls the step. On a GPU the first step with a key
/// is called, which warms pool and libraries; the second is called while it is recorded, then launched; later ones are launched
/// only. (A first call that throws does not count.) The numbers are the same bits either way. What a step has to keep to:
/// * Steps of one key do the same on the same tensors. What changes lies on the device and is advanced by the step itself:
///   RandomStream::counter, tables read at a counter (gather_rows), weighted_sum, Adam::step_prepared.
/// * It changes nothing of the host's, since it is not called every time, and needs nothing from there: copies from or to the
///   host throw Error(kMisuse) while it is recorded.
/// * Tensors from outside stay where they are as long as the graph lives. Those made within belong to it: one that is kept is
///   written over by the next step.
///
/// What a recorded step allocates comes from the pool and is set aside until the StepGraph is destroyed; the graphs of its keys
/// share it, since they run one after the other. A StepGraph belongs to the thread that runs it. Inside another one's step it
/// only calls. After an exception nothing of that step has been done if it was being recorded, and run() may be called again;
/// where the device ran out of memory, run() does so once itself, after the pool has given back what it kept for later, and where
/// something broke the recording off (another library waiting for the whole device) as well; broken off twice, the step is
/// called.
class StepGraph {
 public:
  /// Throws Error(kUsage) when TAPESTRY_GRAPHS is neither on nor off.
  explicit StepGraph(Device device);
  ~StepGraph();
  StepGraph(const StepGraph&) = delete;
  StepGraph& operator=(const StepGraph&) = delete;

  /// Does the step once. `key` tells steps of different shapes apart, such as the short last batch of an epoch.
  template <typename Step>
  void run(std::int64_t key, const Step& step) {
    if (!begin(key)) {
      step();
      return called(key);
    }
    for (bool again = false; !launchable(); again = true) {
      try {
        step();
        end();
      } catch (const Error& error) {
        const bool broken = abandon();
        if (error.kind() != ErrorKind::kDevice || !(again ? broken : give_back_cache() || broken)) throw;
        if (again) return step();
        begin(key);
        continue;
      } catch (...) {
        abandon();
        throw;
      }
    }
    launch();
  }

  /// How many steps of this process were graph launches so far.
  static std::int64_t launches();
  /// Whether the calling thread records a step now, of any StepGraph: what the host computes is then fixed for all later steps.
  static bool recording() { return PoolReserve::filling(); }

 private:
  struct Entry {
    std::int64_t key;
    CudaGraph* graph = nullptr;
  };

  /// Whether the step is to be launched, after it has been recorded unless it is launchable(); otherwise it is called.
  bool begin(std::int64_t key);
  /// A step was called to its end: the next one with its key may be recorded.
  void called(std::int64_t key);
  std::vector<Entry>::iterator find(std::int64_t key);
  bool launchable() const { return entries_[current_].graph != nullptr; }
  void end();
  /// Whether the recording had been broken off from outside.
  bool abandon() noexcept;
  /// Gives what the pool keeps for later back to the GPU, which cannot be done while a step is recorded. False when it keeps
  /// nothing.
  static bool give_back_cache();
  void launch();

  bool enabled_;
  std::vector<Entry> entries_;
  std::size_t current_ = 0;  ///< the entry of the step that runs
  PoolReserve reserve_;
};

/// For a program whose threads will record side by side, before the first call that asks for the GPU: the driver then loads every
/// kernel at its start, unless CUDA_MODULE_LOADING is set already. Left to itself it loads a kernel when it is first started,
/// which may fail while another thread records.
void load_kernels_at_start();

}  // namespace tapestry
