// A program that would say that it has begun, twice, on a processor that it is for: of which there is none, since those with XOP
// have no AVX-512. processor_check_test.cpp starts it.
#include <cstdio>

#include "tensor/built_for.h"

namespace tapestry {

const unsigned kBuiltFor = ~0U;

}  // namespace tapestry

namespace {

[[maybe_unused]] const int kBegun = std::fputs("an initialiser has run\n", stderr);

}  // namespace

int main() {
  std::fputs("main has run\n", stderr);
  return 0;
}
