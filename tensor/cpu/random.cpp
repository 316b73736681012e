#include <array>
#include <cmath>

#include "tensor/cpu/loops.h"
#include "tensor/kernels.h"
#include "tensor/philox.h"

namespace tapestry {
namespace {

constexpr int kBlocks = static_cast<int>(philox::kBlocksPerGroup);

/// The four words of 16 consecutive blocks, word by word: what philox::block gives, computed side by side.
struct Group {
  alignas(64) std::array<std::array<std::uint32_t, kBlocks>, 4> word;
};

void philox_group(const RandomStream& stream, std::uint32_t row, std::uint32_t group, Group& out) {
  auto& w0 = out.word[0];  // no structured binding: Clang takes none into an OpenMP region
  auto& w1 = out.word[1];
  auto& w2 = out.word[2];
  auto& w3 = out.word[3];
  const std::uint32_t step = philox::step_of(stream);
  for (int j = 0; j < kBlocks; ++j) {
    const auto at = static_cast<std::size_t>(j);
    w0[at] = group * kBlocks + static_cast<std::uint32_t>(j);
    w1[at] = row;
    w2[at] = step;
    w3[at] = static_cast<std::uint32_t>(stream.purpose);
  }
  auto key0 = static_cast<std::uint32_t>(stream.seed);
  auto key1 = static_cast<std::uint32_t>(stream.seed >> 32);
  for (int round = 0; round < 10; ++round) {
#pragma omp simd
    for (int j = 0; j < kBlocks; ++j) {
      const auto at = static_cast<std::size_t>(j);
      const std::uint64_t product0 = std::uint64_t{0xD2511F53} * w0[at];
      const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * w2[at];
      w0[at] = static_cast<std::uint32_t>(product1 >> 32) ^ w1[at] ^ key0;
      w1[at] = static_cast<std::uint32_t>(product1);
      w2[at] = static_cast<std::uint32_t>(product0 >> 32) ^ w3[at] ^ key1;
      w3[at] = static_cast<std::uint32_t>(product0);
    }
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
}

/// Fills rows group by group: make(words, values) turns a group's words into 64 float32 numbers, which `store` consumes as
/// store(row, first column, count, values).
template <typename Make, typename Store>
void for_groups(std::int64_t rows, std::int64_t cols, const RandomStream& stream, const std::int32_t* row_ids, const Make& make,
                const Store& store) {
  for_rows(rows, cols * 4, [&](std::int64_t row) {
    const auto id = static_cast<std::uint32_t>(row_ids == nullptr ? row : row_ids[row]);
    Group words;
    alignas(64) std::array<float, philox::kGroup> values;
    for (std::int64_t begin = 0; begin < cols; begin += philox::kGroup) {
      philox_group(stream, id, static_cast<std::uint32_t>(begin / philox::kGroup), words);
      make(words, values);
      store(row, begin, std::min(philox::kGroup, cols - begin), values.data());
    }
  });
}

void make_uniforms(const Group& words, std::array<float, philox::kGroup>& values) {
  const std::uint32_t* word = words.word[0].data();
#pragma omp simd
  for (int i = 0; i < static_cast<int>(philox::kGroup); ++i) values[static_cast<std::size_t>(i)] = philox::uniform(word[i]);
}

void make_normals(const Group& words, std::array<float, philox::kGroup>& values) {
  float* out = values.data();
  const std::uint32_t* word = words.word[0].data();
#pragma omp simd
  for (int j = 0; j < kBlocks; ++j) {
    const philox::Pair low = philox::normal_pair(word[j], word[j + kBlocks]);
    const philox::Pair high = philox::normal_pair(word[j + 2 * kBlocks], word[j + 3 * kBlocks]);
    out[j] = low.first;
    out[j + kBlocks] = low.second;
    out[j + 2 * kBlocks] = high.first;
    out[j + 3 * kBlocks] = high.second;
  }
}

void make_gumbels(const Group& words, std::array<float, philox::kGroup>& values) {
  const std::uint32_t* word = words.word[0].data();
#pragma omp simd
  for (int i = 0; i < static_cast<int>(philox::kGroup); ++i) values[static_cast<std::size_t>(i)] = philox::gumbel(word[i]);
}

}  // namespace

template <typename T>
void CpuKernels<T>::random_uniform(std::int64_t rows, std::int64_t cols, const RandomStream& stream, const std::int32_t* row_ids,
                                   T low, T high, T* y) {
  for_groups(rows, cols, stream, row_ids, make_uniforms,
             [=](std::int64_t row, std::int64_t begin, std::int64_t count, const float* values) {
               T* out = y + row * cols + begin;
               for (std::int64_t i = 0; i < count; ++i) out[i] = std::fma(high - low, static_cast<T>(values[i]), low);
             });
}

template <typename T>
void CpuKernels<T>::random_normal(std::int64_t rows, std::int64_t cols, const RandomStream& stream, const std::int32_t* row_ids,
                                  T mean, T deviation, T* y) {
  for_groups(rows, cols, stream, row_ids, make_normals,
             [=](std::int64_t row, std::int64_t begin, std::int64_t count, const float* values) {
               T* out = y + row * cols + begin;
               for (std::int64_t i = 0; i < count; ++i) out[i] = std::fma(deviation, static_cast<T>(values[i]), mean);
             });
}

template <typename T>
void CpuKernels<T>::random_gumbel(std::int64_t rows, std::int64_t cols, const RandomStream& stream, const std::int32_t* row_ids,
                                  T* y) {
  for_groups(rows, cols, stream, row_ids, make_gumbels,
             [=](std::int64_t row, std::int64_t begin, std::int64_t count, const float* values) {
               std::copy_n(values, count, y + row * cols + begin);
             });
}

template <typename T>
void CpuKernels<T>::dropout(std::int64_t rows, std::int64_t cols, const T* x, T p, const RandomStream& stream,
                            const std::int32_t* row_ids, T* y) {
  const T scale = T(1) / (T(1) - p);
  const auto limit = static_cast<float>(p);
  for_groups(rows, cols, stream, row_ids, make_uniforms,
             [=](std::int64_t row, std::int64_t begin, std::int64_t count, const float* values) {
               const T* in = x + row * cols + begin;
               T* out = y + row * cols + begin;
#pragma omp simd
               for (std::int64_t i = 0; i < count; ++i) out[i] = values[i] >= limit ? in[i] * scale : T(0);
             });
}

template struct CpuKernels<float>;
template struct CpuKernels<double>;

}  // namespace tapestry
