// Suites for a GPU alone are chosen by filters that are kept by hand, in tools/gpu.sh for real GPUs and in CMakeLists.txt for the
// emulated one: one that a filter leaves out would run nowhere, and nobody would notice.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace tapestry {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

/// The fixtures in a source that derive from GpuTest.
Names gpu_fixtures(const std::string& source) {
  static const std::regex pattern(R"(class (\w+) : public (?:\w+::)*GpuTest\b)");
  Names names;
  for (std::sregex_iterator found(source.begin(), source.end(), pattern), end; found != end; ++found)
    names.push_back((*found)[1]);
  return names;
}

/// Whether GoogleTest takes the tests of `suite` by this filter: patterns with * between colons.
bool chooses(const std::string& filter, const std::string& suite) {
  std::string pattern;
  for (const char letter : filter) {
    pattern += letter == '*' ? ".*" : letter == '.' ? "\\." : letter == ':' ? "|" : std::string(1, letter);
  }
  return std::regex_match(suite + ".AnyTest", std::regex(pattern));
}

/// The filter that a file gives a suite, what `pattern` has in brackets; empty where there is none.
std::string filter_in(const char* file, const std::string& pattern) {
  const std::string text = text_of(fs::path(TAPESTRY_SOURCE_DIR) / file);
  std::smatch match;
  return std::regex_search(text, match, std::regex(pattern)) ? match[1].str() : "";
}

TEST(GpuSuites, AreChosenOnEveryGpu) {
  const std::string rooms[][2] = {{"tests/sdrm", "sdrm"}, {"tests/recsys/generators", "generators"}};
  for (const auto& [folder, program] : rooms) {
    const std::string real = filter_in("tools/gpu.sh", "\\b" + program + "\\) chosen='([^']+)'");
    const std::string emulated =
        filter_in("tests/CMakeLists.txt", "tapestry_emulated_test\\(" + program + "\\s[^)]*FILTER \"([^\"]+)\"");
    int fixtures = 0;
    for (const fs::directory_entry& file : fs::directory_iterator(fs::path(TAPESTRY_SOURCE_DIR) / folder)) {
      for (const std::string& name : gpu_fixtures(text_of(file.path()))) {
        ++fixtures;
        EXPECT_TRUE(chooses(real, name)) << name << " is left out by tools/gpu.sh: " << real;
        EXPECT_TRUE(chooses(emulated, name)) << name << " is left out by tests/CMakeLists.txt: " << emulated;
      }
    }
    EXPECT_GT(fixtures, 0) << folder;
  }
}

TEST(GpuSuites, AreToldFromOthersAndMatchedAsGoogleTestDoes) {
  EXPECT_EQ(gpu_fixtures("class A : public GpuTest {};\nclass B : public DeviceTest {};\nclass C : public x::tests::GpuTest {\n"),
            (Names{"A", "C"}));
  EXPECT_TRUE(chooses("B.*:AOnDevice*", "AOnDeviceGraphs"));
  EXPECT_TRUE(chooses("B.*:AOnDevice.*", "AOnDevice"));
  EXPECT_FALSE(chooses("B.*:AOnDevice.*", "AOnDeviceGraphs"));
  EXPECT_FALSE(chooses("", "AOnDevice"));
}

}  // namespace
}  // namespace tapestry
