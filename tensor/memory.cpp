#include "tensor/memory.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tensor/cuda/cuda_memory.h"

namespace tapestry {
namespace {

/// A free block, in a list of its size class.
struct Link {
  Link* next;
  void* block;
  void* stream;       ///< cuda_stream_tag() of the thread that freed the block
  std::size_t bytes;  ///< of its class
};

constexpr std::size_t kAlignment = 64;
constexpr int kClassesPerDoubling = 4;  // from 256 bytes on at most a fifth of a block is wasted
constexpr int kClasses = 48 * kClassesPerDoubling;
constexpr std::size_t kLargestBlock = std::size_t{1} << 50;  // no machine has this much: surely a size gone wrong

struct SizeClass {
  std::size_t index;
  std::size_t bytes;
};

/// The smallest class that holds `bytes`: 64, 128, 192, 256, 320, ..., from 256 on a quarter of a power of two apart.
SizeClass size_class(std::size_t bytes) {
  const std::size_t wanted = (std::max<std::size_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
  const int doubling = std::bit_width(wanted) - 1;  // 2^doubling <= wanted
  const std::size_t base = std::size_t{1} << doubling;
  const std::size_t step = base / kClassesPerDoubling;
  const std::size_t steps = (wanted - base + step - 1) / step;
  const std::size_t size = base + steps * step;
  const std::size_t index = static_cast<std::size_t>(doubling - 6) * kClassesPerDoubling + steps;
  return {index, size};
}

void* system_allocate(Device device, std::size_t bytes) {
  return device == Device::kCpu ? std::aligned_alloc(kAlignment, bytes) : cuda_allocate(bytes);
}

void system_free(Device device, void* block) {
  if (device == Device::kCpu) {
    std::free(block);
  } else {
    cuda_free(block);
  }
}

}  // namespace

/// Free blocks by size class.
struct PoolLists {
  std::array<Link*, kClasses> head = {};
};

namespace {

/// Of the step that the calling thread records, null when it records none.
thread_local PoolLists* filled_lists = nullptr;

/// One device's free lists. On the host a free block's first word links to the next; on CUDA the host cannot write there, so the
/// links are kept in nodes of their own.
///
/// On CUDA a thread frees a block as soon as it has asked for the last kernel that uses it, which need not have run. Whatever the
/// same thread asks for next runs later on the same stream, so it may have the block at once. A thread with another stream gets
/// it only when its class holds no other, and its stream then waits for the one that freed it. A stream that is being recorded
/// cannot be waited for, nor wait for another: across its borders no block changes hands meanwhile.
class Pool {
 public:
  explicit Pool(Device device) : device_(device) {}

  void* allocate(std::size_t bytes) {
    if (bytes > kLargestBlock)
      fail(ErrorKind::kDevice, "out of memory on ", device_, ": ", bytes, " bytes asked for, more than any has");
    const SizeClass wanted = exact() ? exact_size(bytes) : size_class(bytes);  // in exact mode every list stays empty
    PoolLists* const reserve = device_ == Device::kCpu || exact() ? nullptr : filled_lists;
    std::unique_lock lock(mutex_);
    if (reserve != nullptr) {  // what it holds is in use already
      if (Link* link = take_link(reserve->head[wanted.index])) return take_block(link);
    }
    if (Link* link = take_link(lists_.head[wanted.index])) {
      stats_.bytes_cached -= static_cast<std::int64_t>(wanted.bytes);
      stats_.bytes_in_use += static_cast<std::int64_t>(wanted.bytes);
      return owned_by(reserve, take_block(link));
    }
    void* block = system_allocate(device_, wanted.bytes);
    if (block == nullptr) {
      std::int64_t given_back = 0;
      if (reserve == nullptr) {  // while a step is recorded nothing can be freed, since that waits
        wait_for_recordings(lock);
        given_back = stats_.bytes_cached;
        trim_locked();
        block = system_allocate(device_, wanted.bytes);
      }
      if (block == nullptr) fail_exhausted(bytes, given_back);
    }
    ++stats_.system_allocations;
    stats_.bytes_in_use += static_cast<std::int64_t>(wanted.bytes);
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.bytes_in_use + stats_.bytes_cached);
    return owned_by(reserve, block);
  }

  void free(void* block, std::size_t bytes) {
    const SizeClass given = exact() ? exact_size(bytes) : size_class(bytes);
    const std::lock_guard lock(mutex_);
    if (exact()) {  // the driver waits until no kernel uses it
      system_free(device_, block);
      stats_.bytes_in_use -= static_cast<std::int64_t>(given.bytes);
      return;
    }
    PoolLists* reserve = device_ == Device::kCpu ? nullptr : filled_lists;
    if (const auto owner = owners_.empty() ? owners_.end() : owners_.find(block); owner != owners_.end()) {
      reserve = owner->second;
    } else {
      owned_by(reserve, block);
    }
    Link* link = make_link(block);
    link->bytes = given.bytes;
    push(reserve == nullptr ? lists_ : *reserve, given.index, link);
    if (reserve == nullptr) count_as_cached(given.bytes);
  }

  /// From now on no other stream waits for the calling thread's, which is made here if recording is the first that the thread
  /// does on the GPU: end_reserve has to find what stands in the list.
  void begin_reserve() {
    void* const stream = cuda_own_stream_tag();
    const std::lock_guard lock(mutex_);
    recorded_streams_.push_back(stream);
  }
  void end_reserve() {
    {
      const std::lock_guard lock(mutex_);
      std::erase(recorded_streams_, cuda_stream_tag());
    }
    recording_ended_.notify_all();
  }
  /// The reserve's blocks become the pool's.
  void release(PoolLists& reserve) {
    const std::lock_guard lock(mutex_);
    std::erase_if(owners_, [&](const auto& owner) { return owner.second == &reserve; });
    for (std::size_t index = 0; index < reserve.head.size(); ++index) {
      while (Link* link = reserve.head[index]) {
        reserve.head[index] = link->next;
        push(lists_, index, link);
        count_as_cached(link->bytes);
      }
    }
  }

  void trim() {
    check(device_ == Device::kCpu || filled_lists == nullptr, "pool_trim: called within a step that is recorded");
    std::unique_lock lock(mutex_);
    wait_for_recordings(lock);
    trim_locked();
  }

  PoolStats stats() {
    const std::lock_guard lock(mutex_);
    return stats_;
  }

 private:
  bool exact() const { return device_ == Device::kCuda && pool_is_exact(); }
  static SizeClass exact_size(std::size_t bytes) { return {0, std::max<std::size_t>(bytes, 1)}; }

  void* owned_by(PoolLists* reserve, void* block) {
    if (reserve != nullptr) owners_[block] = reserve;
    return block;
  }

  static void push(PoolLists& lists, std::size_t index, Link* link) {
    link->next = lists.head[index];
    lists.head[index] = link;
  }

  void count_as_cached(std::size_t bytes) {
    stats_.bytes_in_use -= static_cast<std::int64_t>(bytes);
    stats_.bytes_cached += static_cast<std::int64_t>(bytes);
  }

  Link* make_link(void* block) {
    Link* link = static_cast<Link*>(block);
    if (device_ != Device::kCpu) {
      link = spare_ == nullptr ? new Link : spare_;
      if (spare_ != nullptr) spare_ = spare_->next;
    }
    link->block = block;
    link->stream = device_ == Device::kCpu ? nullptr : cuda_stream_tag();
    return link;
  }

  /// Takes one block out of a list, null when it has none that the calling thread may have.
  Link* take_link(Link*& head) const {
    if (head == nullptr) return nullptr;
    Link** chosen = &head;
    if (device_ != Device::kCpu) {
      void* const own = cuda_stream_tag();
      chosen = find(&head, [own](const Link& link) { return link.stream == nullptr || link.stream == own; });
      if (*chosen == nullptr && filled_lists == nullptr) {
        chosen = find(&head, [this](const Link& link) { return !is_recorded(link.stream); });
        if (*chosen != nullptr) cuda_run_after((*chosen)->stream);
      }
      if (*chosen == nullptr) return nullptr;
    }
    Link* const link = *chosen;
    *chosen = link->next;
    return link;
  }

  /// Where in a list the first link stands that `suits`: its end when none does.
  template <typename Suits>
  static Link** find(Link** at, const Suits& suits) {
    while (*at != nullptr && !suits(**at)) at = &(*at)->next;
    return at;
  }
  bool is_recorded(void* stream) const {
    return std::find(recorded_streams_.begin(), recorded_streams_.end(), stream) != recorded_streams_.end();
  }

  void* take_block(Link* link) {
    void* block = link->block;
    if (device_ != Device::kCpu) {
      link->next = spare_;
      spare_ = link;
    }
    return block;
  }

  [[noreturn]] void fail_exhausted(std::size_t bytes, std::int64_t given_back) const {
    const auto mebibytes = [](auto count) { return concat(count >> 20, ".", (count >> 10) % 1024 * 10 / 1024, " MiB"); };
    fail(ErrorKind::kDevice, "out of memory on ", device_, ": ", mebibytes(bytes), " asked for, ", mebibytes(stats_.bytes_in_use),
         " in use by this process, ", mebibytes(given_back),
         " that it kept for later given back in vain; fewer runs side by side (--jobs) need less, and so does a ",
         device_ == Device::kCpu ? "machine" : "GPU", " that no other program uses");
  }

  /// Freeing device memory waits for the whole device, which breaks off what any thread records. None begins to record while the
  /// lock is held, and who records does not wait for others.
  void wait_for_recordings(std::unique_lock<std::mutex>& lock) {
    recording_ended_.wait(lock, [this] { return recorded_streams_.empty(); });
  }

  /// On CUDA only when no thread records.
  void trim_locked() {
    for (Link*& head : lists_.head) {
      while (head != nullptr) {
        Link* link = head;
        head = link->next;
        system_free(device_, take_block(link));
      }
    }
    stats_.bytes_cached = 0;
  }

  Device device_;
  std::mutex mutex_;
  PoolLists lists_;
  Link* spare_ = nullptr;                         ///< nodes of blocks that were taken, on CUDA
  std::unordered_map<void*, PoolLists*> owners_;  ///< of every block of a reserve
  std::vector<void*> recorded_streams_;
  std::condition_variable recording_ended_;
  PoolStats stats_;
};

/// Never destroyed: tensors in static objects may be freed after any destructor of ours has run.
Pool& pool_of(Device device) {
  static Pool* const pools[] = {new Pool(Device::kCpu), new Pool(Device::kCuda)};
  return *pools[static_cast<std::size_t>(device)];
}

std::atomic<std::int64_t> copies_to_device = 0;
std::atomic<std::int64_t> copies_to_host = 0;
std::atomic<std::int64_t> bytes_to_host = 0;

}  // namespace

void* pool_allocate(Device device, std::size_t bytes) { return pool_of(device).allocate(bytes); }
void pool_free(Device device, void* block, std::size_t bytes) noexcept { pool_of(device).free(block, bytes); }
PoolStats pool_stats(Device device) { return pool_of(device).stats(); }
void pool_trim(Device device) { pool_of(device).trim(); }

bool pool_is_exact() {
  static const bool exact = [] {
    const char* wanted = std::getenv("TAPESTRY_POOL");
    if (wanted == nullptr || std::string_view(wanted) == "kept") return false;
    if (std::string_view(wanted) == "exact") return true;
    fail(ErrorKind::kUsage, "TAPESTRY_POOL=", wanted, ": kept or exact is expected");
  }();
  return exact;
}

PoolReserve::PoolReserve() = default;

PoolReserve::~PoolReserve() {
  if (lists_ != nullptr) pool_of(Device::kCuda).release(*lists_);
}

void PoolReserve::begin() {
  check(filled_lists == nullptr, "PoolReserve: this thread fills another one already");
  if (lists_ == nullptr) lists_ = std::make_unique<PoolLists>();
  pool_of(Device::kCuda).begin_reserve();
  filled_lists = lists_.get();
}

void PoolReserve::end() noexcept {
  filled_lists = nullptr;
  pool_of(Device::kCuda).end_reserve();
}

bool PoolReserve::filling() { return filled_lists != nullptr; }

CopyStats copy_stats() { return {copies_to_device, copies_to_host, bytes_to_host}; }

void copy_bytes(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes) {
  if (bytes == 0) return;
  if (from_device == to_device) {
    from_device == Device::kCpu ? static_cast<void>(std::memcpy(to, from, bytes)) : cuda_copy(to, from, bytes);
  } else if (to_device == Device::kCuda) {
    cuda_upload(to, from, bytes);
    ++copies_to_device;
  } else {
    cuda_download(to, from, bytes);
    ++copies_to_host;
    bytes_to_host += static_cast<std::int64_t>(bytes);
  }
}

}  // namespace tapestry
