#include "recsys/data/sha256.h"

#include <gtest/gtest.h>

#include "recsys/data/load_dataset.h"
#include "tests/recsys/data/data_support.h"

namespace tapestry::recsys {
namespace {

// Examples of FIPS 180-4 and of NIST's message files.
TEST(Sha256, GivesTheStandardsExamples) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotDependOnThePieces) {
  const std::string text(200, 'x');
  for (const std::size_t piece : {1, 7, 55, 56, 63, 64, 65, 128}) {
    Sha256 hash;
    for (std::size_t at = 0; at < text.size(); at += piece) hash.update(std::string_view(text).substr(at, piece));
    EXPECT_EQ(hash.finish(), sha256(text)) << "pieces of " << piece;
  }
}

/// The low `width` bytes of a number, little-endian.
std::string bytes_of(std::uint64_t number, int width) {
  std::string bytes;
  for (int i = 0; i < width; ++i) bytes += static_cast<char>(number >> (8 * i) & 0xff);
  return bytes;
}

/// A matrix of `rows` rows as the digest has it: its sizes, row offsets and columns.
std::string pattern_of(std::uint64_t rows, std::uint64_t cols, const std::vector<std::uint64_t>& offsets,
                       const std::vector<std::uint64_t>& columns) {
  std::string bytes = bytes_of(rows, 8) + bytes_of(cols, 8);
  for (const std::uint64_t offset : offsets) bytes += bytes_of(offset, 8);
  for (const std::uint64_t column : columns) bytes += bytes_of(column, 4);
  return bytes;
}

TEST(DatasetDigest, IsOfTheBytesThatTheDocumentationNames) {
  Dataset dataset;
  dataset.stored = CsrMatrix::from(3, 300, {0, 2, 3, 5}, {0, 258, 1, 2, 3}, {1, 0, 1, 0, 1});
  dataset.parts = {Part::kTrain, Part::kTest, Part::kValid};
  dataset.holdout = CsrMatrix::from_rows(300, {{}, {}, {2}});
  dataset.holdout_likes = CsrMatrix::from_rows(300, {{}, {}, {3}});
  const std::string bytes = "tapestry dataset 1\n" + pattern_of(3, 300, {0, 2, 3, 5}, {0, 258, 1, 2, 3}) +
                            std::string("\1\0\1\0\1", 5) + std::string("\0\1\2", 3) + pattern_of(3, 300, {0, 0, 0, 1}, {2}) +
                            pattern_of(3, 300, {0, 0, 0, 1}, {3});
  EXPECT_EQ(dataset_digest(dataset), sha256(bytes));
}

TEST(PaperDigest, IsTheDocumentations) {
  const std::string page = tests::read_file(std::string(TAPESTRY_SOURCE_DIR) + "/docs/formats.md");
  for (const std::string& name : known_datasets()) {
    const std::string digest = paper_digest(name);
    EXPECT_EQ(digest.empty(), name == "simulated") << name;
    const std::size_t line = page.find("\n| " + name + " | ");
    ASSERT_EQ(line == std::string::npos, digest.empty()) << name;
    if (digest.empty()) continue;
    EXPECT_NE(page.substr(line + 1, page.find('\n', line + 1) - line).find(" `" + digest + "` |"), std::string::npos) << name;
  }
  EXPECT_EQ(paper_digest("mine"), "");
}

}  // namespace
}  // namespace tapestry::recsys
