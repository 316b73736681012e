#pragma once

#include <cstdint>
#include <type_traits>

namespace tapestry {

/// What a random stream is for. Part of the stream's address, so that no two uses ever share numbers. Append only: a changed
/// number changes every result. Numbers from 1000 to 2^32 - 2 are for programs that link this library, which takes none of them
/// itself: `constexpr Purpose kMine{1000};`. (2^32 - 1 is derive_seed's.)
enum class Purpose : std::uint32_t {
  kTest = 0,
  kInit = 1,
  kShuffle = 2,
  kVaeDropout = 3,
  kVaeLatent = 4,
  kHoldout = 5,
  kTimestep = 6,
  kNoise = 7,
  kPerturbation = 8,
  kScoreDropout = 9,
  kSampleStart = 10,
  kSampleLatent = 11,
  kSampleNoise = 12,
  kSampleDropout = 13,
  kSvd = 14,
  kSimulation = 15,
  kSplit = 16,
  kBootstrap = 17,
  kProfileLength = 18,
  kSampleStep = 19,
  kRecommenderDropout = 40,
  kTriples = 41,
  kNegatives = 42,
  kTableCondition = 43,
  kTableRow = 44,
  kTableLatent = 45,
  kTableGumbel = 46,
  kCriticDropout = 47,
  kCriticMixture = 48,
};

/// The address of a random matrix: Philox 4x32-10 with the seed as its key and (block, row, step, purpose) as its
/// counter, a block for every four columns (tensor/philox.h says which).
/// A stream holds no state: the same address gives the same numbers on every device, for any number of threads and in any
/// order, which is why dropout masks need not be stored and why a resumed run continues exactly.
struct RandomStream {
  std::uint64_t seed = 0;
  Purpose purpose = Purpose::kTest;
  std::uint32_t step = 0;
  /// A number on the device that draws, added to `step` when it draws (null: none). A step that is captured in a CUDA graph
  /// addresses its streams so: what it was called with is fixed, what lies there advances (tensor/step_graph.h).
  const std::int32_t* counter = nullptr;

  /// The stream of another step under the same seed and purpose.
  RandomStream at(std::uint32_t other_step) const { return {seed, purpose, other_step, counter}; }
};

/// An independent seed for part `index` of whatever `seed` governs (run 3 of an experiment, layer 2 of a model).
std::uint64_t derive_seed(std::uint64_t seed, std::uint64_t index);
/// The same for a part that an enum numbers. Such an enum is append only: a changed number changes every result.
template <typename Part>
requires std::is_enum_v<Part> std::uint64_t derive_seed(std::uint64_t seed, Part part) {
  return derive_seed(seed, static_cast<std::uint64_t>(part));
}

/// A sequential reader of one stream for host code that draws an unknown count: shuffles, splits, simulation.
class RandomSequence {
 public:
  explicit RandomSequence(RandomStream stream) : stream_(stream) {}

  std::uint32_t next_u32();
  /// Uniform in {0, ..., bound - 1}, without modulo bias. bound must be positive.
  std::uint32_t below(std::uint32_t bound);
  /// Uniform in [0, 1) with 53 bits.
  double uniform();
  /// Standard normal.
  double normal();

 private:
  RandomStream stream_;
  std::uint64_t position_ = 0;  ///< 32-bit words read so far
  std::uint32_t block_[4] = {};
};

}  // namespace tapestry
