#include "tensor/random.h"

#include <cmath>
#include <numbers>

#include "tensor/philox.h"

namespace tapestry {

std::uint64_t derive_seed(std::uint64_t seed, std::uint64_t index) {
  // One Philox block under the parent's key, in a counter range (all ones in the last word) that no Purpose uses.
  const philox::Words words =
      philox::block({{static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32), 0, 0xFFFFFFFF}}, seed);
  return (std::uint64_t{words.word[1]} << 32) | words.word[0];
}

std::uint32_t RandomSequence::next_u32() {
  const auto within = static_cast<unsigned>(position_ % 4);
  if (within == 0) {
    const std::uint64_t index = position_ / 4;
    const philox::Words words = philox::block(
        philox::counter(stream_, static_cast<std::uint32_t>(index >> 32), static_cast<std::uint32_t>(index)), stream_.seed);
    for (unsigned lane = 0; lane < 4; ++lane) block_[lane] = words.word[lane];
  }
  ++position_;
  return block_[within];
}

std::uint32_t RandomSequence::below(std::uint32_t bound) {
  // Words below 2^32 mod bound would make the low residues likelier by one: they are drawn again.
  const std::uint32_t rejected = (0u - bound) % bound;
  std::uint32_t word = next_u32();
  while (word < rejected) word = next_u32();
  return word % bound;
}

double RandomSequence::uniform() {
  const std::uint64_t high = next_u32() >> 5;
  const std::uint64_t low = next_u32() >> 6;
  return static_cast<double>((high << 26) | low) * 0x1.0p-53;
}

double RandomSequence::normal() {
  const double u = 1.0 - uniform();
  const double v = uniform();
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

}  // namespace tapestry
