#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tensor/csr.h"

namespace tapestry::recsys {

/// The group a user belongs to in a prepared split.
enum class Part : std::uint8_t { kTrain, kTest, kValid };

/// A preprocessed interaction matrix with its published split. U users, I items.
struct Dataset {
  std::string name;
  std::string source;       ///< what was read, in words, for the manifest ("raw ratings u.data", "simulated, seed 1")
  std::string sha256;       ///< hex digest of the content that matters (see dataset_digest), for the manifest and resuming
  CsrMatrix stored;         ///< [U, I], values float32: 1 liked, 0 disliked (an explicit zero)
  std::vector<Part> parts;  ///< [U]
  CsrMatrix holdout;        ///< [U, I] ones: held-out entries of the valid users, empty rows elsewhere
  CsrMatrix holdout_likes;  ///< [U, I] ones: the same drawn from likes only (NeuMF)
  std::vector<std::string> user_ids;  ///< raw ids by index; dense indices when the files hold no others
  std::vector<std::string> item_ids;
};

/// Only the liked entries, as a matrix of ones.
CsrMatrix likes(const CsrMatrix& stored);
/// Every stored entry, explicit zeros included, as a matrix of ones.
CsrMatrix pattern(const CsrMatrix& stored);

/// SHA-256 over the matrix, the parts and both hold-outs (not the raw ids): equal for a raw file and its prepared files.
std::string dataset_digest(const Dataset& dataset);

}  // namespace tapestry::recsys
