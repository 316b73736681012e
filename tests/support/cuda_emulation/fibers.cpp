// Blocks of threads as fibers. A fiber runs one thread of the block after the other until one has to wait at a barrier; then the
// next fiber takes over with the threads that have not begun. Kernels without barriers therefore need a single fiber.
#undef _FORTIFY_SOURCE  // its longjmp refuses to change stacks
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

#include <ucontext.h>

#include "tests/support/cuda_emulation/cuda_runtime.h"

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace tapestry::tests::emulation {
namespace {

constexpr std::size_t kStackBytes = 64 << 10;
constexpr unsigned kMostThreads = 1024;

/// Counts who has come; whoever completes it opens it for all by beginning the next round.
struct Barrier {
  unsigned arrived = 0;
  unsigned round = 0;
};

struct Fiber {
  std::unique_ptr<char[]> stack;
  std::jmp_buf where;
  dim3 thread;
  unsigned exchanges = 0;             ///< that its thread has taken part in
  const Barrier* waits_at = nullptr;  ///< null: ready to run, or done
  unsigned round = 0;                 ///< of the barrier when it came
  bool started = false;
  bool done = false;
};

struct Block {
  void (*body)(const void*);
  const void* context;
  unsigned threads;
  unsigned begun;
  bool backwards;
  Barrier all;
  Barrier warps[kMostThreads / 32];
  unsigned lane_values[2][kMostThreads];  ///< of exchanges with even and odd numbers
};

std::mutex device;  // runs one kernel at a time
std::vector<std::unique_ptr<Fiber>> fibers;
Block block;
Fiber* running = nullptr;
std::jmp_buf scheduler;
unsigned launches = 0;

/// What a fiber does: threads of the block, as long as there are some that have not begun.
void run_threads() {
  while (true) {
    while (block.begun < block.threads) {
      const unsigned next = block.begun++;
      running->thread.x = block.backwards ? block.threads - 1 - next : next;
      running->exchanges = 0;
      threadIdx = running->thread;
      block.body(block.context);
    }
    running->done = true;
    if (_setjmp(running->where) == 0) _longjmp(scheduler, 1);
  }
}

void resume(Fiber& fiber) {
  running = &fiber;
  threadIdx = fiber.thread;
  if (_setjmp(scheduler) != 0) return;
  if (fiber.started) _longjmp(fiber.where, 1);
  fiber.started = true;
  if (!fiber.stack) fiber.stack = std::make_unique<char[]>(kStackBytes);
  ucontext_t context;
  getcontext(&context);
  context.uc_stack = {fiber.stack.get(), 0, kStackBytes};
  context.uc_link = nullptr;
  makecontext(&context, run_threads, 0);
  setcontext(&context);
}

void wait_at(Barrier& barrier, unsigned members) {
  if (++barrier.arrived == members) {
    barrier.arrived = 0;
    ++barrier.round;
    return;
  }
  running->waits_at = &barrier;
  running->round = barrier.round;
  if (_setjmp(running->where) == 0) _longjmp(scheduler, 1);
}

[[noreturn]] void deadlock() {
  std::fprintf(stderr, "emulated CUDA: threads of a block wait at a barrier that the others never reach\n");
  std::abort();
}

void run_block() {
  std::size_t used = 0;
  for (const auto& fiber : fibers) {
    fiber->done = false;
    fiber->waits_at = nullptr;
  }
  block.begun = 0;
  while (block.begun < block.threads) {  // every thread begins
    if (used == fibers.size()) fibers.push_back(std::make_unique<Fiber>());
    resume(*fibers[used++]);
  }
  for (bool waiting = true; waiting;) {  // and goes on from barrier to barrier
    waiting = false;
    bool moved = false;
    for (std::size_t i = 0; i < used; ++i) {
      Fiber& fiber = *fibers[block.backwards ? used - 1 - i : i];
      if (fiber.done) continue;
      if (fiber.waits_at->round != fiber.round) {
        moved = true;
        resume(fiber);
      }
      waiting = waiting || !fiber.done;
    }
    if (waiting && !moved) deadlock();
  }
  if (block.all.arrived > 0) deadlock();
}

}  // namespace

cudaError_t run_grid(const dim3& grid, const dim3& threads, void (*body)(const void*), const void* context) {
  if (grid.x == 0 || threads.x == 0 || threads.x > kMostThreads || threads.x % 32 != 0) return cudaErrorInvalidConfiguration;
  const std::lock_guard lock(device);
  const DeviceAccess access;
  block.body = body;
  block.context = context;
  block.threads = threads.x;
  block.backwards = launches++ % 2 != 0;
  gridDim = grid;
  blockDim = threads;
  for (unsigned i = 0; i < grid.x; ++i) {
    blockIdx.x = block.backwards ? grid.x - 1 - i : i;
    run_block();
  }
  return cudaSuccess;
}

void block_barrier() { wait_at(block.all, block.threads); }

/// One barrier will do: who is two exchanges ahead has met everybody in between, so that the values of two are never mixed up.
unsigned exchange_in_warp(unsigned value, unsigned other_lane) {
  const unsigned warp = threadIdx.x / 32;
  unsigned* const values = block.lane_values[running->exchanges++ % 2];
  values[threadIdx.x] = value;
  wait_at(block.warps[warp], 32);
  return values[warp * 32 + other_lane];
}

}  // namespace tapestry::tests::emulation
