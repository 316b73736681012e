#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

/// The order in which the printed figures stand in their tables here.
namespace tapestry::recsys::printed {

inline constexpr std::array<std::string_view, 2> kSettings = {"augment", "replace"};
inline constexpr std::array<std::string_view, 3> kRecommenders = {"SVD", "MLP", "NeuMF"};
inline constexpr std::array<std::string_view, 4> kDatasets = {"amazon-luxury-beauty", "ml-100k", "amazon-digital-music", "ml-1m"};
inline constexpr std::array<std::string_view, 12> kMetrics = {"Recall@1",  "Recall@3",  "Recall@5", "Recall@10",
                                                              "Recall@20", "Recall@50", "NDCG@1",   "NDCG@3",
                                                              "NDCG@5",    "NDCG@10",   "NDCG@20",  "NDCG@50"};

/// The place of a name, nothing when it has none.
template <std::size_t N>
std::optional<std::size_t> index_of(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) return i;
  }
  return std::nullopt;
}

}  // namespace tapestry::recsys::printed
