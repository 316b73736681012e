#include "recsys/data/dataset.h"

#include <string_view>

#include "recsys/data/sha256.h"

namespace tapestry::recsys {
namespace {

/// Little-endian on every machine, so that the digest is the same everywhere.
void append(std::string& bytes, std::uint64_t value, int width) {
  for (int byte = 0; byte < width; ++byte) bytes += static_cast<char>(value >> (8 * byte) & 0xff);
}

void append_pattern(std::string& bytes, const CsrMatrix& matrix) {
  append(bytes, static_cast<std::uint64_t>(matrix.rows()), 8);
  append(bytes, static_cast<std::uint64_t>(matrix.cols()), 8);
  for (const std::int64_t offset : matrix.offsets().span<std::int64_t>()) append(bytes, static_cast<std::uint64_t>(offset), 8);
  for (const std::int32_t column : matrix.columns().span<std::int32_t>()) append(bytes, static_cast<std::uint32_t>(column), 4);
}

}  // namespace

CsrMatrix likes(const CsrMatrix& stored) {
  if (!stored.has_values()) return stored;
  const Tensor values = stored.values().to(DType::kFloat32);
  const std::span<const float> liked = values.span<float>();
  std::vector<std::int64_t> offsets = {0};
  std::vector<std::int32_t> columns;
  std::size_t at = 0;
  for (std::int64_t user = 0; user < stored.rows(); ++user) {
    for (const std::int32_t item : stored.row(user)) {
      if (liked[at++] != 0) columns.push_back(item);
    }
    offsets.push_back(static_cast<std::int64_t>(columns.size()));
  }
  return CsrMatrix::from(stored.rows(), stored.cols(), offsets, columns);
}

CsrMatrix pattern(const CsrMatrix& stored) { return {stored.rows(), stored.cols(), stored.offsets(), stored.columns()}; }

std::string dataset_digest(const Dataset& dataset) {
  std::string bytes = "tapestry dataset 1\n";
  append_pattern(bytes, dataset.stored);
  for (const float value : dataset.stored.values().span<float>()) bytes += static_cast<char>(value != 0);
  for (const Part part : dataset.parts) bytes += static_cast<char>(part);
  append_pattern(bytes, dataset.holdout);
  append_pattern(bytes, dataset.holdout_likes);
  return sha256(bytes);
}

}  // namespace tapestry::recsys
