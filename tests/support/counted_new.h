#pragma once

#include <cstdint>

namespace tapestry::tests {

/// How often operator new was called in this program, in any of its forms, by any thread. A program that is linked with
/// counted_new.cpp counts all of them, so that a test can show that a step asks for no memory.
std::int64_t counted_new();

}  // namespace tapestry::tests
