// The rules of the house, checked on the sources themselves: which folder may include which, where backends and machine-
// dependent things may appear, how long a file may get, that CMake's lists are complete. Each rule is a function from a file's
// path and text to the offending lines, so that it is itself tested on small strings.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace tapestry {
namespace {

namespace fs = std::filesystem;
using Offences = std::vector<std::string>;  ///< "path:line: what is wrong"

constexpr int kLineLimit = 400;
/// Files that may be longer, each with its reason beside it.
const std::set<std::string> kLongFiles = {};

/// What each folder's files may include: itself and everything its arrow leads to.
const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"tensor", {"tensor"}},
    {"autograd", {"autograd", "tensor"}},
    {"nn", {"nn", "autograd", "tensor"}},
    {"optim", {"optim", "autograd", "tensor"}},
    {"sdrm", {"sdrm", "optim", "nn", "autograd", "tensor"}},
    {"recsys", {"recsys", "sdrm", "optim", "nn", "autograd", "tensor"}},
    {"apps", {"apps", "recsys", "sdrm", "optim", "nn", "autograd", "tensor"}},
    {"bench", {"bench", "recsys", "sdrm", "optim", "nn", "autograd", "tensor"}},
    {"tests", {"tests", "bench", "apps", "recsys", "sdrm", "optim", "nn", "autograd", "tensor"}},
};

/// The rooms of recsys/, bottom up: what each may include of them. experiment/ stands on all.
const std::map<std::string, std::set<std::string>> kRooms = {
    {"recsys/data", {"recsys/data"}},
    {"recsys/metrics", {"recsys/metrics", "recsys/data"}},
    {"recsys/generators", {"recsys/generators", "recsys/metrics", "recsys/data"}},
    {"recsys/recommenders", {"recsys/recommenders", "recsys/generators", "recsys/metrics", "recsys/data"}},
    {"recsys/report", {"recsys/report", "recsys/metrics"}},
};

std::string first_folder(const std::string& path) {
  const std::size_t slash = path.find('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

bool lies_in(const std::string& path, const std::string& folder) { return path.rfind(folder + "/", 0) == 0; }

/// Calls `look(line, report)` on every line; what it passes to `report` becomes an offence at that line.
using Report = std::function<void(const std::string& what)>;
Offences scan_lines(const std::string& path, const std::string& text,
                    const std::function<void(const std::string& line, const Report& report)>& look) {
  Offences offences;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    look(line, [&](const std::string& what) { offences.push_back(path + ":" + std::to_string(number) + ": " + what); });
  }
  return offences;
}

/// The file an #include line names, with its quotes or brackets; empty for other lines.
std::string included(const std::string& line) {
  static const std::regex pattern(R"(^\s*#\s*include\s*(["<][^">]+[">]))");
  std::smatch match;
  return std::regex_search(line, match, pattern) ? match[1].str() : "";
}

Offences check_layers(const std::string& path, const std::string& text) {
  const auto allowed = kMayInclude.find(first_folder(path));
  if (allowed == kMayInclude.end()) return {};
  const auto room = kRooms.find(folder_of(path));
  return scan_lines(path, text, [&](const std::string& line, const Report& report) {
    const std::string name = included(line);
    if (name.empty() || name[0] != '"') return;
    const std::string target = name.substr(1, name.size() - 2);
    const std::string folder = first_folder(target);
    if (kMayInclude.count(folder) == 0) {
      report("includes " + name + ", which is not written from the root");
    } else if (allowed->second.count(folder) == 0) {
      report(allowed->first + "/ may not include " + folder + "/ (" + target + ")");
    } else if (room != kRooms.end() && folder == "recsys" && room->second.count(folder_of(target)) == 0) {
      report(room->first + "/ may not include " + folder_of(target) + "/ (" + target + ")");
    }
  });
}

/// CUDA only under tensor/cuda and in the bench that runs its libraries beside our kernels; Eigen, BLAS and OpenMP only under
/// tensor/cpu, in the SVD, in the SVD's test, which compares with Eigen's, and in the bench that runs a BLAS beside our products.
Offences check_backends(const std::string& path, const std::string& text) {
  static const std::regex cuda(R"(^["<](cuda|cublas|cusparse|curand|cusolver|nccl|cub/|thrust/|cooperative_groups))");
  static const std::regex cpu(R"(^["<](Eigen/|eigen3/|unsupported/Eigen|.*cblas|lapacke?|mkl|omp\.h))");
  static const std::regex pragma(R"(^\s*#\s*pragma\s+omp\b)");
  const bool cuda_allowed = lies_in(path, "tensor/cuda") || path == "bench/library_kernels.cu";
  const bool cpu_allowed = lies_in(path, "tensor/cpu") || lies_in(path, "recsys/recommenders") ||
                           path == "tests/recsys/recommenders/svd_test.cpp" || path == "bench/blas.cpp";
  return scan_lines(path, text, [&](const std::string& line, const Report& report) {
    const std::string name = included(line);
    if (!cuda_allowed && std::regex_search(name, cuda)) report("includes " + name + " outside tensor/cuda/");
    if (cpu_allowed) return;
    if (std::regex_search(name, cpu)) report("includes " + name + " outside tensor/cpu/ and recsys/recommenders/");
    if (std::regex_search(line, pragma)) report("uses OpenMP outside tensor/cpu/ and recsys/recommenders/");
  });
}

Offences check_length(const std::string& path, const std::string& text) {
  const auto lines = std::count(text.begin(), text.end(), '\n');
  if (lines <= kLineLimit || kLongFiles.count(path) != 0) return {};
  return {path + ": " + std::to_string(lines) + " lines, the limit is " + std::to_string(kLineLimit)};
}

/// Every draw comes from a Philox stream, or results could not be repeated.
Offences check_randomness(const std::string& path, const std::string& text) {
  static const std::regex pattern(R"(\b(std::rand|s?rand\s*\(|random_device|default_random_engine))");
  if (lies_in(path, "tests")) return {};
  return scan_lines(path, text, [&](const std::string& line, const Report& report) {
    const std::string code = line.substr(0, line.find("//"));
    if (std::regex_search(code, pattern)) report("draws from outside tensor/random.h");
  });
}

/// No file names a folder of somebody's machine. The pattern is put together here so that this file passes its own test.
Offences check_machine_paths(const std::string& path, const std::string& text) {
  static const std::regex pattern(std::string("(^|[^A-Za-z0-9_.}$])/(work|root|home|tmp)") + "/|\\.\\./" + "shared");
  return scan_lines(path, text, [&](const std::string& line, const Report& report) {
    std::smatch match;
    if (std::regex_search(line, match, pattern)) report("names a path of one machine: " + match.str());
  });
}

/// Files of `sources` (paths relative to the CMakeLists.txt) that its text does not list on a line of their own.
Offences check_listed(const std::string& path, const std::string& text, const std::vector<std::string>& sources) {
  std::set<std::string> listed;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin != std::string::npos) listed.insert(line.substr(begin, line.find_last_not_of(" \t\r") + 1 - begin));
  }
  Offences offences;
  for (const std::string& source : sources) {
    if (listed.count(source) == 0) offences.push_back(path + ": does not list " + source);
  }
  return offences;
}

/// Who uses integers of a fixed width includes <cstdint> or a file of the project that does: that <string> brings it holds for
/// some compilers only.
Offences check_integers(const std::map<std::string, std::string>& files, const std::string& path) {
  static const std::regex integer(R"(\bstd::u?int(8|16|32|64)_t\b)");
  if (!std::regex_search(files.at(path), integer)) return {};
  std::set<std::string> seen = {path};
  std::vector<std::string> open = {path};
  while (!open.empty()) {
    std::istringstream lines(files.at(open.back()));
    open.pop_back();
    for (std::string line; std::getline(lines, line);) {
      const std::string name = included(line);
      if (name == "<cstdint>") return {};
      const std::string target = name.empty() ? "" : name.substr(1, name.size() - 2);
      if (files.count(target) != 0 && seen.insert(target).second) open.push_back(target);
    }
  }
  return {path + ": uses integers of a fixed width, and neither it nor what it includes has #include <cstdint>"};
}

/// The switches declared in `options` (cmake/TapestryOptions.cmake) that have no row with their default in `page`'s table.
Offences check_switches(const std::string& options, const std::string& page) {
  static const std::regex declaration(R"((?:^|\n)(?:option\((TAPESTRY_\w+) "[^"]*" (ON|OFF)\)|set\((TAPESTRY_\w+) (\S+) CACHE))");
  Offences offences;
  for (std::sregex_iterator found(options.begin(), options.end(), declaration), end; found != end; ++found) {
    const std::string name = found->str(1) + found->str(3), value = found->str(2) + found->str(4);
    const std::string row = "\n| `" + name + "` | " + (value == "\"\"" ? "none" : "`" + value + "`") + " | ";
    if (page.find(row) == std::string::npos) offences.push_back("docs/dependencies.md: has no row" + row);
  }
  return offences;
}

bool has_extension(const std::string& path, const std::set<std::string>& extensions) {
  return extensions.count(fs::path(path).extension().string()) != 0;
}

/// A kernel without __launch_bounds__ may get more registers than its block can have: it compiles and never starts.
Offences check_launch_bounds(const std::string& path, const std::string& text) {
  static const std::regex kernel(R"(__global__[^;{]*)");
  Offences offences;
  if (!has_extension(path, {".cu", ".cuh"})) return offences;
  for (std::sregex_iterator found(text.begin(), text.end(), kernel), end; found != end; ++found) {
    if (found->str().find("__launch_bounds__") != std::string::npos) continue;
    const auto line = 1 + std::count(text.begin(), text.begin() + found->position(), '\n');
    offences.push_back(path + ":" + std::to_string(line) + ": a kernel without __launch_bounds__");
  }
  return offences;
}

/// The kernels declared in `contract` (tensor/kernel_contract.inc) that `text` never names behind `prefix`.
Offences check_kernels(const std::string& contract, const std::string& where, const std::string& text,
                       const std::string& prefix) {
  static const std::regex declaration(R"((?:^|\n)static \S+ (\w+)\()");
  std::set<std::string> missing;
  for (std::sregex_iterator found(contract.begin(), contract.end(), declaration), end; found != end; ++found) {
    const std::string name = (*found)[1];
    if (text.find(prefix + name + "(") == std::string::npos) missing.insert(where + ": has no " + name);
  }
  return {missing.begin(), missing.end()};
}

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + file.string());
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

bool is_source(const std::string& path) { return has_extension(path, {".h", ".cpp", ".cu", ".cuh"}); }

/// The project's text files by path from the root: its own folders and the files beside them, no build folders, no data.
std::map<std::string, std::string> project_files() {
  const fs::path root = TAPESTRY_SOURCE_DIR;
  static const std::set<std::string> kOtherFolders = {"cmake", "docs", "tools", ".ci"};
  static const std::set<std::string> kText = {".h", ".cpp", ".cu", ".cuh", ".md", ".cmake", ".txt", ".sh", ".py", ""};
  std::map<std::string, std::string> files;
  const auto add = [&](const fs::path& file) {
    const std::string path = fs::relative(file, root).generic_string();
    if (has_extension(path, kText)) files[path] = read_file(file);
  };
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && name != ".git") add(entry.path());
    if (!entry.is_directory() || (kMayInclude.count(name) == 0 && kOtherFolders.count(name) == 0)) continue;
    for (const fs::directory_entry& file : fs::recursive_directory_iterator(entry)) {
      if (file.is_regular_file()) add(file.path());
    }
  }
  return files;
}

using Rule = Offences (*)(const std::string& path, const std::string& text);

/// All offences against `rule` in the repository, one a line; empty when it is kept.
std::string offences_in_project(Rule rule, bool sources_only) {
  const std::map<std::string, std::string> files = project_files();
  EXPECT_GT(files.count("tests/structure_test.cpp"), 0U) << "the sources were not found at " << TAPESTRY_SOURCE_DIR;
  std::string all;
  for (const auto& [path, text] : files) {
    if (sources_only && !is_source(path)) continue;
    for (const std::string& offence : rule(path, text)) all += offence + "\n";
  }
  return all;
}

TEST(Structure, IncludesFollowTheArrows) { EXPECT_EQ(offences_in_project(check_layers, true), ""); }
TEST(Structure, BackendsStayInTheirFolders) { EXPECT_EQ(offences_in_project(check_backends, true), ""); }
TEST(Structure, FilesAreShort) { EXPECT_EQ(offences_in_project(check_length, true), ""); }
TEST(Structure, RandomNumbersComeFromStreams) { EXPECT_EQ(offences_in_project(check_randomness, true), ""); }
TEST(Structure, NoPathOfOneMachine) { EXPECT_EQ(offences_in_project(check_machine_paths, false), ""); }

TEST(Structure, CMakeListsEverySource) {
  const std::map<std::string, std::string> files = project_files();
  std::string all;
  for (const auto& [folder, unused] : kMayInclude) {
    std::vector<std::string> sources;
    for (const auto& [path, text] : files) {
      if (lies_in(path, folder) && has_extension(path, {".cpp", ".cu"})) sources.push_back(path.substr(folder.size() + 1));
    }
    const std::string lists = folder + "/CMakeLists.txt";
    ASSERT_EQ(files.count(lists), 1U) << lists;
    for (const std::string& offence : check_listed(lists, files.at(lists), sources)) all += offence + "\n";
  }
  EXPECT_EQ(all, "");
}

TEST(Structure, EverySwitchIsDocumented) {
  const std::map<std::string, std::string> files = project_files();
  const std::string &options = files.at("cmake/TapestryOptions.cmake"), &page = files.at("docs/dependencies.md");
  EXPECT_EQ(check_switches(options, page), Offences());
  EXPECT_GE(check_switches(options, "").size(), 9U) << "switches are declared in another way: this reads no more of them";
}

TEST(Structure, IntegersAreIncluded) {
  const std::map<std::string, std::string> files = project_files();
  std::string all;
  for (const auto& [path, text] : files) {
    if (!is_source(path)) continue;
    for (const std::string& offence : check_integers(files, path)) all += offence + "\n";
  }
  EXPECT_EQ(all, "");
}

TEST(Structure, KernelsHaveLaunchBounds) { EXPECT_EQ(offences_in_project(check_launch_bounds, true), ""); }

TEST(Structure, EveryKernelIsMadeForTheGpuAndTested) {
  const std::string contract = read_file(fs::path(TAPESTRY_SOURCE_DIR) / "tensor/kernel_contract.inc");
  std::string cases, kernels, stand_ins;
  for (const auto& [path, text] : project_files()) {
    if (path.rfind("tests/tensor/kernel_cases", 0) == 0) cases += text;
    if (lies_in(path, "tensor/cuda") && has_extension(path, {".cu"})) kernels += text;
    if (path == "tensor/no_cuda_kernels.cpp") stand_ins = text;
  }
  EXPECT_EQ(check_kernels(contract, "tests/tensor/kernel_cases*.h", cases, "K::"), Offences());
  EXPECT_EQ(check_kernels(contract, "tensor/cuda/*.cu", kernels, "CudaKernels<T>::"), Offences());
  EXPECT_EQ(check_kernels(contract, "tensor/no_cuda_kernels.cpp", stand_ins, "CudaKernels<T>::"), Offences());
}

/// A rule that cannot fail protects nothing: each is shown a line that breaks it and one that does not.
TEST(StructureRules, Layers) {
  EXPECT_EQ(check_layers("nn/linear.cpp", "#include \"autograd/ops.h\"\n#include <vector>\n").size(), 0U);
  EXPECT_EQ(check_layers("tensor/ops.cpp", "\n#include \"nn/linear.h\"\n"),
            Offences{"tensor/ops.cpp:2: tensor/ may not include nn/ (nn/linear.h)"});
  EXPECT_EQ(check_layers("nn/module.h", "#include \"optim/adam.h\"\n").size(), 1U);
  EXPECT_EQ(check_layers("optim/adam.h", "# include \"nn/module.h\"\n").size(), 1U);
  EXPECT_EQ(check_layers("sdrm/vae.cpp", "#include \"recsys/data/dataset.h\"\n").size(), 1U);
  EXPECT_EQ(check_layers("recsys/a.cpp", "#include \"tests/support/a.h\"\n").size(), 1U);
  EXPECT_EQ(check_layers("recsys/generators/cut.cpp", "#include \"recsys/data/split.h\"\n#include \"sdrm/vae.h\"\n").size(), 0U);
  EXPECT_EQ(check_layers("recsys/data/split.cpp", "#include \"recsys/metrics/ranking.h\"\n"),
            Offences{"recsys/data/split.cpp:1: recsys/data/ may not include recsys/metrics/ (recsys/metrics/ranking.h)"});
  EXPECT_EQ(check_layers("recsys/experiment/runner.h", "#include \"recsys/report/table.h\"\n").size(), 0U);
  EXPECT_EQ(check_layers("nn/linear.cpp", "#include \"linear.h\"\n").size(), 1U);
  EXPECT_EQ(check_layers("nn/linear.cpp", "#include \"../tensor/tensor.h\"\n").size(), 1U);
}

TEST(StructureRules, Backends) {
  const std::string eigen = "#include <Eigen/Core>\n";
  EXPECT_EQ(check_backends("tensor/cpu/matmul.cpp", eigen + "#pragma omp parallel for\n#include <omp.h>\n").size(), 0U);
  EXPECT_EQ(check_backends("recsys/recommenders/svd.cpp", eigen).size(), 0U);
  EXPECT_EQ(check_backends("recsys/data/dataset.cpp", eigen).size(), 1U);
  EXPECT_EQ(check_backends("nn/linear.cpp", "#include <omp.h>\n  #pragma omp parallel\n#include <cblas.h>\n").size(), 3U);
  EXPECT_EQ(check_backends("tensor/cuda/matmul.cu", "#include <cublas_v2.h>\n").size(), 0U);
  EXPECT_EQ(check_backends("bench/library_kernels.cu", "#include <cusparse.h>\n").size(), 0U);
  EXPECT_EQ(check_backends("bench/record.cpp", "#include <cusparse.h>\n").size(), 1U);
  EXPECT_EQ(check_backends("tensor/cpu/matmul.cpp", "#include <cuda_runtime.h>\n#include <cub/cub.cuh>\n").size(), 2U);
}

TEST(StructureRules, Length) {
  EXPECT_EQ(check_length("nn/a.cpp", std::string(kLineLimit, '\n')).size(), 0U);
  EXPECT_EQ(check_length("nn/a.cpp", std::string(kLineLimit + 1, '\n')).size(), 1U);
}

TEST(StructureRules, Randomness) {
  EXPECT_EQ(check_randomness("nn/a.cpp", "int x = std::rand();\nstd::random_device d;\nsrand(1);\n").size(), 3U);
  EXPECT_EQ(check_randomness("nn/a.cpp", "strand(x);  // unlike std::rand\nint operand;\n").size(), 0U);
  EXPECT_EQ(check_randomness("tests/a.cpp", "std::random_device d;\n").size(), 0U);
}

TEST(StructureRules, Integers) {
  const std::string standard = "std::";  // in two parts, so that this file passes its own test
  const std::map<std::string, std::string> files = {
      {"a.h", "#include <cstdint>\n" + standard + "int8_t a;\n"},
      {"b.h", "#include \"a.h\"\n#include \"b.h\"\n" + standard + "uint64_t b;\n"},
      {"c.h", "#include <string>\n" + standard + "uint8_t c;\n"},
      {"d.h", "#include <string>\nint d;\n"},
  };
  for (const char* path : {"a.h", "b.h", "d.h"}) EXPECT_EQ(check_integers(files, path).size(), 0U) << path;
  EXPECT_EQ(check_integers(files, "c.h").size(), 1U);
}

TEST(StructureRules, Kernels) {
  const std::string global = "__global__ void ";
  EXPECT_EQ(check_launch_bounds("a.cu", global + "__launch_bounds__(256) a(int n) {}\n").size(), 0U);
  EXPECT_EQ(check_launch_bounds("a.cu", global + "__launch_bounds__(256)\n    a(int n) {}\n\n" + global + "b(int n) {}\n"),
            Offences{"a.cu:4: a kernel without __launch_bounds__"});
  const std::string contract = "/// y = 0.\nstatic void zero(int n,\n                 int* y);\nstatic Room zero_room(int n);\n";
  EXPECT_EQ(check_kernels(contract, "cases", "K::zero(c.n, y); K::zero_room(c.n);", "K::").size(), 0U);
  EXPECT_EQ(check_kernels(contract, "cases", "K::zero(c.n, y); zero_room(c.n);", "K::"), Offences{"cases: has no zero_room"});
}

TEST(StructureRules, MachinePaths) {
  const std::string slash = "/";
  EXPECT_EQ(check_machine_paths("README.md", "see " + slash + "work/x\n" + slash + "tmp/y\n").size(), 2U);
  EXPECT_EQ(check_machine_paths("README.md", "data in .." + slash + "shared\n").size(), 1U);
  EXPECT_EQ(check_machine_paths("README.md", "the frame" + slash + "work/ and recsys" + slash + "home/\n").size(), 0U);
}

TEST(StructureRules, Switches) {
  const std::string options =
      "option(TAPESTRY_A \"One, two\" ON)\nset(TAPESTRY_B AUTO CACHE STRING\n    \"B\")\nset(TAPESTRY_C \"\" CACHE PATH \"C\")\n";
  const std::string page = "\n| `TAPESTRY_A` | `ON` | a |\n| `TAPESTRY_B` | `AUTO` | b |\n| `TAPESTRY_C` | none | c |\n";
  EXPECT_EQ(check_switches(options, page), Offences());
  EXPECT_EQ(check_switches(options, "").size(), 3U);
  EXPECT_EQ(check_switches("option(TAPESTRY_A \"One\" OFF)\n", page).size(), 1U) << "another default";
}

TEST(StructureRules, Listed) {
  const std::string lists = "tapestry_library(nn\n  SOURCES\n    linear.cpp\n)\n";
  EXPECT_EQ(check_listed("nn/CMakeLists.txt", lists, {"linear.cpp"}).size(), 0U);
  EXPECT_EQ(check_listed("nn/CMakeLists.txt", lists, {"linear.cpp", "near.cpp"}).size(), 1U);
}

}  // namespace
}  // namespace tapestry
