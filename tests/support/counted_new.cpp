#include "tests/support/counted_new.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::int64_t> calls = 0;

void* allocated(std::size_t bytes) noexcept {
  ++calls;
  return std::malloc(bytes > 0 ? bytes : 1);
}

void* allocated(std::size_t bytes, std::align_val_t alignment) noexcept {
  ++calls;
  const auto unit = static_cast<std::size_t>(alignment);
  return std::aligned_alloc(unit, (bytes + unit - 1) / unit * unit);
}

void* or_throw(void* block) {
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

}  // namespace

// None is inlined: GCC would see malloc() and free() mixed with new and delete, and warn.
// clang-format off: one form beside the other
[[gnu::noinline]] void* operator new(std::size_t bytes) { return or_throw(allocated(bytes)); }
[[gnu::noinline]] void* operator new[](std::size_t bytes) { return or_throw(allocated(bytes)); }
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return allocated(bytes); }
[[gnu::noinline]] void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return allocated(bytes); }
[[gnu::noinline]] void* operator new(std::size_t bytes, std::align_val_t to) { return or_throw(allocated(bytes, to)); }
[[gnu::noinline]] void* operator new[](std::size_t bytes, std::align_val_t to) { return or_throw(allocated(bytes, to)); }
[[gnu::noinline]] void operator delete(void* block) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete[](void* block) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete[](void* block, std::size_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete[](void* block, std::align_val_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }
// clang-format on

namespace tapestry::tests {

std::int64_t counted_new() { return calls; }

}  // namespace tapestry::tests
