#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tapestry::recsys {

/// SHA-256 (FIPS 180-4) of bytes that arrive in pieces: names the content of a data set in manifests.
class Sha256 {
 public:
  void update(std::string_view bytes);
  /// The digest of everything seen so far as 64 lower-case hex digits. Ends the computation: call it once.
  std::string finish();

 private:
  static constexpr std::size_t kBlock = 64;  ///< bytes

  void compress(const unsigned char* block);

  std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, kBlock> pending_ = {};
  std::size_t pending_size_ = 0;
  std::uint64_t length_ = 0;  ///< bytes seen
};

/// The digest of one piece.
std::string sha256(std::string_view bytes);

}  // namespace tapestry::recsys
