#pragma once

#include <cmath>
#include <cstdint>

#include "tensor/elementwise.h"
#include "tensor/random.h"

/// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) and what is made of its words; one
/// text for host and device.
namespace tapestry::philox {

struct Words {
  std::uint32_t word[4];
};

/// Ten rounds of the bijection on `counter` under the 64-bit `key`.
TAPESTRY_HD inline Words block(Words counter, std::uint64_t key) {
  auto key0 = static_cast<std::uint32_t>(key);
  auto key1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53} * counter.word[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * counter.word[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter.word[1] ^ key0, static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter.word[3] ^ key1, static_cast<std::uint32_t>(product0)};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return counter;
}

/// A random matrix's columns come in groups of 64: 16 consecutive blocks of 4 words, and column 64 g + 16 w + j is word w of
/// block 16 g + j. Vector code then computes the 16 blocks of a group side by side and stores each word contiguously.
inline constexpr std::int64_t kGroup = 64;
inline constexpr std::int64_t kBlocksPerGroup = 16;

/// The step that a stream draws for, its counter included.
TAPESTRY_HD inline std::uint32_t step_of(const RandomStream& stream) {
  return stream.step + (stream.counter == nullptr ? 0u : static_cast<std::uint32_t>(*stream.counter));
}

TAPESTRY_HD inline Words counter(const RandomStream& stream, std::uint32_t row, std::uint32_t block_index) {
  return {{block_index, row, step_of(stream), static_cast<std::uint32_t>(stream.purpose)}};
}

/// The word behind element (row, column) of a stream.
TAPESTRY_HD inline std::uint32_t word_at(const RandomStream& stream, std::uint32_t row, std::uint32_t column) {
  const auto group = static_cast<std::uint32_t>(column / kGroup);
  const auto within = static_cast<std::uint32_t>(column % kGroup);
  const auto block_index = static_cast<std::uint32_t>(group * kBlocksPerGroup + within % kBlocksPerGroup);
  return block(counter(stream, row, block_index), stream.seed).word[within / kBlocksPerGroup];
}

/// Uniform in [0, 1) with 24 bits.
TAPESTRY_HD inline float uniform(std::uint32_t word) {
  return static_cast<float>(static_cast<std::int32_t>(word >> 8)) * 5.9604644775390625e-8f;
}

/// Whether dropout keeps an element: probability 1 - p.
TAPESTRY_HD inline bool keeps(std::uint32_t word, float p) { return uniform(word) >= p; }

struct Pair {
  float first;
  float second;
};

/// Two independent standard normals from two words (Box and Muller 1958): radius sqrt(-2 ln u), angle 2 pi v.
TAPESTRY_HD inline Pair normal_pair(std::uint32_t word0, std::uint32_t word1) {
  const float u = uniform(word0) + 5.9604644775390625e-8f;  // (0, 1]
  const float radius = std::sqrt(-2.0f * scalar::log(u));
  // Angle in quarter turns: nearest quarter q and rest r in [-1/2, 1/2].
  const float quarters = 4.0f * uniform(word1);
  const auto q = static_cast<std::int32_t>(quarters + 0.5f);
  const float r = quarters - static_cast<float>(q);
  const float z = r * r;
  // sin and cos of r pi / 2 by their series; the last terms are below 2e-9.
  float sine = 1.6044118e-4f;
  sine = std::fma(sine, z, -4.6817541e-3f);
  sine = std::fma(sine, z, 7.9692626e-2f);
  sine = std::fma(sine, z, -6.4596410e-1f);
  sine = std::fma(sine, z, 1.5707963f) * r;
  float cosine = 9.1926027e-4f;
  cosine = std::fma(cosine, z, -2.0863481e-2f);
  cosine = std::fma(cosine, z, 2.5366951e-1f);
  cosine = std::fma(cosine, z, -1.2337006f);
  cosine = std::fma(cosine, z, 1.0f);
  const bool swapped = (q & 1) != 0;
  const float c = swapped ? sine : cosine;
  const float s = swapped ? cosine : sine;
  return {radius * (((q + 1) & 2) != 0 ? -c : c), radius * ((q & 2) != 0 ? -s : s)};
}

/// A standard Gumbel number -ln(-ln u). u is kept away from 0 and 1, where this is infinite.
TAPESTRY_HD inline float gumbel(std::uint32_t word) {
  const float above_zero = uniform(word) + 2.98023223876953125e-8f;
  const float u = above_zero < 0.99999994f ? above_zero : 0.99999994f;
  return -scalar::log(-scalar::log(u));
}

}  // namespace tapestry::philox
