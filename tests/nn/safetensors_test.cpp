#include "nn/safetensors.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "nn/safetensors_header.h"
#include "tensor/memory.h"
#include "tensor/random.h"
#include "tests/support/compare.h"
#include "tests/support/random_data.h"
#include "tests/support/temp_folder.h"

namespace tapestry::nn {
namespace {

namespace fs = std::filesystem;
using std::string_literals::operator""s;

class SafetensorsTest : public ::testing::Test {
 protected:
  std::string read() const {
    std::ostringstream text;
    text << std::ifstream(path_, std::ios::binary).rdbuf();
    return text.str();
  }
  void write(const std::string& bytes) const { std::ofstream(path_, std::ios::binary) << bytes; }

  /// Loading a file of this header and as much data must throw kData with exactly this message behind the path.
  void expect_refused(const std::string& header, std::size_t data_bytes, const std::string& message) const {
    write(file_of(header, std::string(data_bytes, '\1')));
    expect_file_refused(message);
  }
  void expect_file_refused(const std::string& message) const {
    try {
      load_tensors(path_);
      ADD_FAILURE() << "accepted, but expected: " << message;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kData);
      EXPECT_EQ(std::string(error.what()), path_.string() + ": " + message);
    }
  }

  static std::string length_bytes(std::uint64_t length) {
    std::string bytes(8, '\0');
    for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(length >> (8 * i) & 0xff);
    return bytes;
  }
  static std::string file_of(const std::string& header, const std::string& data) {
    return length_bytes(header.size()) + header + data;
  }
  /// A header of one tensor "a".
  static std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"a":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  }

  const tests::TempFolder folder_;
  const fs::path path_ = folder_.path() / "model.safetensors";
};

void expect_same(const Tensor& a, const Tensor& b) {
  EXPECT_TRUE(tests::same_bits(a, b)) << a.dtype() << " " << a.shape() << " and " << b.dtype() << " " << b.shape();
}

TensorFile example() {
  const float inf = std::numeric_limits<float>::infinity();
  TensorFile file;
  file.tensors["encoder.0.weight"] = Tensor::from<float>({1.5f, -0.0f, inf, std::nanf(""), 1e-42f, -3}, {2, 3});
  file.tensors["b"] = Tensor::from<double>({0.1, -1e300}, {2});
  file.tensors["steps"] = Tensor::from<std::int64_t>({std::numeric_limits<std::int64_t>::min()}, {});
  file.tensors["index"] = Tensor::from<std::int32_t>({1, -2, 3}, {1, 1, 3, 1});
  file.tensors["nothing"] = Tensor::empty({3, 0}, DType::kFloat64);
  file.tensors["na\u00efve \"quoted\"\n"] = Tensor::from<float>({7}, {1});
  file.metadata = {{"variant", "published"}, {"note", "caf\u00e9 \"x\"\n"}, {"", ""}};
  return file;
}

TEST_F(SafetensorsTest, RoundTrip) {
  const TensorFile file = example();
  save_tensors(path_, file);
  const TensorFile loaded = load_tensors(path_);
  EXPECT_EQ(loaded.metadata, file.metadata);
  ASSERT_EQ(loaded.tensors.size(), file.tensors.size());
  for (const auto& [name, tensor] : file.tensors) {
    ASSERT_TRUE(loaded.tensors.contains(name)) << name;
    expect_same(loaded.tensors.at(name), tensor);
  }
}

TEST_F(SafetensorsTest, EmptyFileRoundTrip) {
  save_tensors(path_, {});
  EXPECT_EQ(read(), file_of("{}      ", ""));
  const TensorFile loaded = load_tensors(path_);
  EXPECT_TRUE(loaded.tensors.empty());
  EXPECT_TRUE(loaded.metadata.empty());
}

TEST_F(SafetensorsTest, BytesAreTheFormats) {
  TensorFile file;
  file.tensors["b"] = Tensor::from<std::int32_t>({258}, {1});
  file.tensors["c"] = Tensor::from<double>({1}, {1, 1});
  file.metadata["k"] = "v";
  save_tensors(path_, file);
  // The 8-byte type lies first, so that both are aligned; names are listed in order.
  std::string header = R"({"__metadata__":{"k":"v"},"b":{"data_offsets":[8,12],"dtype":"I32","shape":[1]},)"
                       R"("c":{"data_offsets":[0,8],"dtype":"F64","shape":[1,1]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  EXPECT_EQ(read(), file_of(header, std::string("\0\0\0\0\0\0\xf0\x3f\2\1\0\0", 12)));
}

TEST_F(SafetensorsTest, WritesViewsOfLargerTensors) {
  const Tensor whole = Tensor::from<float>({0, 1, 2, 3, 4, 5}, {3, 2});
  save_tensors(path_, {{{"rows", whole.slice_rows(1, 3)}}, {}});
  expect_same(load_tensors(path_).tensors.at("rows"), Tensor::from<float>({2, 3, 4, 5}, {2, 2}));
}

// Written by the Python package safetensors 0.8.0 with NumPy:
//   save_file({"w": float32 [[1, -2.5], [3, 0.25]], "i": int64 [7, -1], "z": float64 (0, 2)}, metadata={"made by": "python"})
TEST_F(SafetensorsTest, ReadsAFileOfTheReferenceImplementation) {
  write(
      "\xd0\0\0\0\0\0\0\0"s
      R"({"__metadata__":{"made by":"python"},"i":{"dtype":"I64","shape":[2],"data_offsets":[0,16]},)"
      R"("z":{"dtype":"F64","shape":[0,2],"data_offsets":[16,16]},"w":{"dtype":"F32","shape":[2,2],"data_offsets":[16,32]}}   )"
      "\7\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\x80?\0\0 \xc0\0\0@@\0\0\x80>"s);
  const TensorFile loaded = load_tensors(path_);
  EXPECT_EQ(loaded.metadata, (std::map<std::string, std::string>{{"made by", "python"}}));
  ASSERT_EQ(loaded.tensors.size(), 3u);
  expect_same(loaded.tensors.at("w"), Tensor::from<float>({1, -2.5f, 3, 0.25f}, {2, 2}));
  expect_same(loaded.tensors.at("i"), Tensor::from<std::int64_t>({7, -1}, {2}));
  expect_same(loaded.tensors.at("z"), Tensor::empty({0, 2}, DType::kFloat64));
}

TEST_F(SafetensorsTest, AReaderRefusesANameThatTheFileHasNot) {
  save_tensors(path_, example());
  TensorReader reader(path_);
  const std::vector<std::function<void()>> calls = {[&] { reader.read("c"); },
                                                    [&] { reader.read("c", Tensor::empty({2}, DType::kFloat64)); },
                                                    [&] { reader.read("c", [](std::string_view) {}); }};
  for (const std::function<void()>& call : calls) {
    try {
      call();
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kData);
      EXPECT_EQ(std::string(error.what()), path_.string() + ": holds no tensor \"c\"");
    }
  }
  EXPECT_EQ(reader.read("b").numel(), 2);
}

TEST_F(SafetensorsTest, WriterRefusesWhatTheFormatCannotHold) {
  const Tensor one = Tensor::from<float>({1}, {1});
  EXPECT_THROW(save_tensors(path_, {{{"__metadata__", one}}, {}}), Error);
  EXPECT_THROW(save_tensors(path_, {{{std::string("a\0b", 3), one}}, {}}), Error);
  EXPECT_THROW(save_tensors(path_, {{{"\xff", one}}, {}}), Error);
  EXPECT_THROW(save_tensors(path_, {{{"a", one}}, {{"key", "\xc3"}}}), Error);
  EXPECT_THROW(save_tensors(path_, {{{"a", Tensor()}}, {}}), Error);
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_THROW(save_tensors(folder_.path() / "absent" / "file", {{{"a", one}}, {}}), Error);
}

TEST_F(SafetensorsTest, RefusesFilesThatAreNone) {
  expect_file_refused("cannot be read: No such file or directory");
  write("");
  expect_file_refused("0 bytes are too few for a safetensors file");
  write("1234567");
  expect_file_refused("7 bytes are too few for a safetensors file");
  write(length_bytes(3) + "{}");
  expect_file_refused("a header of 3 bytes in a file of 10: not a safetensors file, or cut short");
  write(std::string(100, '\xff'));
  expect_file_refused("a header of 18446744073709551615 bytes in a file of 100: not a safetensors file, or cut short");
  write(length_bytes(100'000'001));
  fs::resize_file(path_, 100'000'100);  // sparse
  expect_file_refused("a header of 100000001 bytes, 100000000 are allowed");
  fs::remove(path_);
  fs::create_directory(path_);
  expect_file_refused("cannot be read: Is a directory");
}

TEST_F(SafetensorsTest, RefusesHeadersThatAreNotJson) {
  expect_refused("", 0, "the header does not begin with '{'");
  expect_refused(" {}", 0, "the header does not begin with '{'");
  expect_refused("[]", 0, "the header does not begin with '{'");
  expect_refused("\xef\xbb\xbf{}", 0, "the header does not begin with '{'");
  expect_refused("{", 0, "the header is not JSON: wrong at its byte 2");
  expect_refused("{} x", 0, "the header is not JSON: wrong at its byte 4");
  expect_refused(std::string("{}\0\0", 4), 0, "the header is not JSON: it has a NUL byte");
  expect_refused("{\"\xff\":1}", 0, "the header is not JSON: wrong at its byte 3");
  expect_refused("{\"\xed\xa0\x80\":1}", 0, "the header is not JSON: wrong at its byte 4");  // a lone surrogate in UTF-8
}

TEST_F(SafetensorsTest, RefusesEntriesOfTheWrongForm) {
  expect_refused(R"({"a":1})", 0, R"("a": an object was expected, not a number)");
  expect_refused(R"({"a":{}})", 0, R"("a": dtype, shape and data_offsets are not all there)");
  expect_refused(R"({"a":{"dtype":"F32","shape":[]}})", 4, R"("a": dtype, shape and data_offsets are not all there)");
  expect_refused(R"({"a":{"dtype":"F32","dtype":"F32"}})", 4, R"("a": key dtype is there twice)");
  expect_refused(R"({"a":{"type":"F32"}})", 4, R"("a": unknown key "type")");
  expect_refused(R"({"a\u0000b":{}})", 0, R"("a\u0000b": the name has a NUL character)");
  const std::string one = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  expect_refused("{" + one + "," + one + "}", 4, R"("a": the name is there twice)");
  expect_refused(entry("\"F16\"", "[2]", "[0,4]"), 4, R"("a": dtype "F16" is none of F32, F64, I32, I64)");
  expect_refused(entry("[\"F32\"]", "[1]", "[0,4]"), 4, R"("a": dtype: text was expected, not a list)");
  expect_refused(entry("null", "[1]", "[0,4]"), 4, R"("a": dtype: text was expected, not null)");
  expect_refused(entry("\"F32\"", "1", "[0,4]"), 4, R"("a": shape: a list was expected, not a number)");
  expect_refused(entry("\"F32\"", "\"1\"", "[0,4]"), 4, R"("a": shape: a list was expected, not text)");
  expect_refused(entry("\"F32\"", "{}", "[0,4]"), 4, R"("a": shape: a list was expected, not an object)");
  expect_refused(entry("\"F32\"", "[[1]]", "[0,4]"), 4, R"("a": shape: integers from 0 on were expected, not a list)");
  expect_refused(entry("\"F32\"", "[true]", "[0,4]"), 4, R"("a": shape: integers from 0 on were expected, not true or false)");
}

TEST_F(SafetensorsTest, RefusesImpossibleShapes) {
  const std::string no_integer = R"("a": shape: integers from 0 on were expected, not a number that is no 64-bit integer)";
  expect_refused(entry("\"F32\"", "[1.0]", "[0,4]"), 4, no_integer);
  expect_refused(entry("\"F32\"", "[1e0]", "[0,4]"), 4, no_integer);
  expect_refused(entry("\"F32\"", "[18446744073709551616]", "[0,4]"), 4, no_integer);
  expect_refused(entry("\"F32\"", "[-1]", "[0,4]"), 4, R"("a": shape: integers from 0 on were expected, not a negative number)");
  expect_refused(entry("\"F32\"", "[1,1,1,1,1]", "[0,4]"), 4, R"("a": shape has more than 4 numbers)");
  const std::string too_many = R"("a": the shape has too many elements)";
  expect_refused(entry("\"F32\"", "[18446744073709551615]", "[0,4]"), 4, too_many);
  expect_refused(entry("\"F32\"", "[4294967296,4294967296]", "[0,0]"), 0, too_many);  // 2^64: 0 elements if it wrapped
  expect_refused(entry("\"F32\"", "[9223372036854775807,3,0]", "[0,0]"), 0, too_many);
  expect_refused(entry("\"F64\"", "[576460752303423488]", "[0,4]"), 4,
                 R"("a": data_offsets span 4 bytes, but float64 [576460752303423488] takes 4611686018427387904)");
}

TEST_F(SafetensorsTest, RefusesWrongOffsets) {
  const std::string integers = R"("a": data_offsets: integers from 0 on were expected, not )";
  expect_refused(entry("\"F32\"", "[1]", "[0,4.0]"), 4, integers + "a number that is no 64-bit integer");
  expect_refused(entry("\"F32\"", "[1]", "[-4,0]"), 4, integers + "a negative number");
  expect_refused(entry("\"F32\"", "[1]", "[\"0\",4]"), 4, integers + "text");
  expect_refused(entry("\"F32\"", "[1]", "[4]"), 4, R"("a": data_offsets has 1 numbers, not 2)");
  expect_refused(entry("\"F32\"", "[1]", "[0,4,4]"), 4, R"("a": data_offsets has more than 2 numbers)");
  expect_refused(entry("\"F32\"", "[1]", "[4,0]"), 4, R"("a": data_offsets [4, 0] run backwards)");
  expect_refused(entry("\"F32\"", "[2]", "[0,8]"), 4, R"("a": data_offsets end at 8, behind the 4 bytes of data)");
  expect_refused(entry("\"F32\"", "[1]", "[18446744073709551612,18446744073709551615]"), 4,
                 R"("a": data_offsets end at 18446744073709551615, behind the 4 bytes of data)");
  expect_refused(entry("\"F32\"", "[2]", "[0,4]"), 4, R"("a": data_offsets span 4 bytes, but float32 [2] takes 8)");
  expect_refused(entry("\"F64\"", "[0]", "[0,4]"), 4, R"("a": data_offsets span 4 bytes, but float64 [0] takes 0)");
  expect_refused(entry("\"F32\"", "[1]", "[4,8]"), 8, R"("a": begins at byte 4 of the data, behind a gap that ends at 4)");
  expect_refused(entry("\"F32\"", "[1]", "[0,4]"), 7, "3 bytes behind the last tensor");
  expect_refused("{}", 1, "1 bytes behind the last tensor");
  const auto two = [](const std::string& first, const std::string& second) {
    return R"({"a":{"dtype":"F32","shape":[2],"data_offsets":)" + first + R"(},"b":{"dtype":"I32","shape":[2],"data_offsets":)" +
           second + "}}";
  };
  expect_refused(two("[0,8]", "[0,8]"), 8, R"("b": begins at byte 0 of the data, inside another tensor that ends at 8)");
  expect_refused(two("[0,8]", "[4,12]"), 12, R"("b": begins at byte 4 of the data, inside another tensor that ends at 8)");
  expect_refused(two("[12,20]", "[0,8]"), 20, R"("a": begins at byte 12 of the data, behind a gap that ends at 12)");
  write(file_of(two("[8,16]", "[0,8]"), std::string(16, '\0')));  // any order will do
  EXPECT_EQ(load_tensors(path_).tensors.size(), 2u);
}

TEST_F(SafetensorsTest, RefusesMetadataThatIsNotText) {
  expect_refused(R"({"__metadata__":"x"})", 0, R"("__metadata__": an object was expected, not text)");
  expect_refused(R"({"__metadata__":{"k":1}})", 0, R"("__metadata__": key "k": text was expected, not a number)");
  expect_refused(R"({"__metadata__":{"k":{}}})", 0, R"("__metadata__": key "k": text was expected, not an object)");
  expect_refused(R"({"__metadata__":{"k":[]}})", 0, R"("__metadata__": key "k": text was expected, not a list)");
  expect_refused(R"({"__metadata__":{"k":"1","k":"2"}})", 0, R"("__metadata__": key "k" is there twice)");
  expect_refused(R"({"__metadata__":{},"__metadata__":{}})", 0, R"("__metadata__": the name is there twice)");
}

TEST_F(SafetensorsTest, DeepNestingIsRefusedAtOnce) {
  const std::string deep(1'000'000, '[');
  expect_refused(R"({"a":)" + deep, 0, R"("a": an object was expected, not a list)");
  expect_refused(entry("\"F32\"", deep, "[0,4]"), 4, R"("a": shape: integers from 0 on were expected, not a list)");
}

TEST_F(SafetensorsTest, MessagesStayOneSafeLine) {
  expect_refused(R"({"\u001b[31m\n)" + std::string(1000, 'x') + R"(":1})", 0,
                 R"("\u001b[31m\n)" + std::string(74, 'x') + R"(...": an object was expected, not a number)");
}

/// Damages bytes in one to three places, drawn by `random`: changes, insertions, deletions, repetitions, truncation.
std::string damaged(std::string bytes, RandomSequence& random) {
  const std::string original = bytes;
  const std::string interesting = "{}[]\",:0123456789-+eE.\\u \x01\xff";
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random.below(static_cast<std::uint32_t>(bound))); };
  for (std::size_t edits = 1 + below(3); edits > 0 && !bytes.empty(); --edits) {
    const std::size_t at = below(bytes.size());
    switch (below(6)) {
      case 0:
        bytes[at] = static_cast<char>(below(256));
        break;
      case 1:
        bytes[at] = interesting[below(interesting.size())];
        break;
      case 2:
        bytes.insert(at, 1, interesting[below(interesting.size())]);
        break;
      case 3:
        bytes.erase(at, 1 + below(20));
        break;
      case 4:
        bytes.insert(at, original, below(original.size()), 1 + below(60));
        break;
      case 5:
        bytes.resize(below(10) == 0 ? at : bytes.size());
        break;
    }
  }
  return bytes;
}

/// Whether `load` went well; it may only throw Error(kData) of one line.
bool loads(const std::function<void()>& load) {
  try {
    load();
    return true;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kData) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return false;
  }
}

// Any damage must load as something or throw Error(kData): no crash, no other exception, no memory beyond the file's size. The
// sanitizers' build gives this its full meaning.
TEST_F(SafetensorsTest, SurvivesThousandsOfDamagedHeaders) {
  save_tensors(path_, example());
  const std::string valid = read();
  const std::size_t length = static_cast<std::uint8_t>(valid[0]) + 256u * static_cast<std::uint8_t>(valid[1]);
  const std::uint64_t data_bytes = valid.size() - 8 - length;
  RandomSequence random({17, Purpose::kTest, 0});
  int loaded = 0;
  constexpr int kRounds = 30000;
  for (int round = 0; round < kRounds; ++round) {
    const std::string header = damaged(valid.substr(8, length), random);
    loaded += loads([&] {
      std::uint64_t total = 0;
      for (const auto& [name, entry] : parse_safetensors_header("file", header, data_bytes).tensors)
        total += entry.end - entry.begin;
      EXPECT_EQ(total, data_bytes);
    });
  }
  EXPECT_GT(loaded, kRounds / 100);
  EXPECT_LT(loaded, kRounds / 2);
}

TEST_F(SafetensorsTest, SurvivesHundredsOfDamagedFiles) {
  save_tensors(path_, example());
  const std::string valid = read();
  const std::int64_t memory = pool_stats(Device::kCpu).bytes_in_use;
  RandomSequence random({18, Purpose::kTest, 0});
  int loaded = 0;
  for (int round = 0; round < 600; ++round) {
    // Every sixth time the length is hit, and every sixth time the file just ends early.
    std::string bytes = round % 6 == 0 ? damaged(valid.substr(0, 8), random) + valid.substr(8) : damaged(valid, random);
    if (round % 6 == 1) bytes = valid.substr(0, random.below(static_cast<std::uint32_t>(valid.size())));
    write(bytes);
    loaded += loads([&] {
      std::int64_t total = 0;
      for (const auto& [name, tensor] : load_tensors(path_).tensors) total += tensor.bytes();
      EXPECT_LE(total, static_cast<std::int64_t>(bytes.size()));
    });
  }
  EXPECT_GT(loaded, 10);
  EXPECT_LT(loaded, 400);
  EXPECT_EQ(pool_stats(Device::kCpu).bytes_in_use, memory);
}

}  // namespace
}  // namespace tapestry::nn
