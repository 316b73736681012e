#include <cstring>
#include <iostream>

#include "bench/benches.h"
#include "tensor/parallel.h"

/// Runs every bench, or those whose names are given: `tapestry_bench [--threads N] [name...]`.
int main(int argc, char** argv) {
  using namespace tapestry;
  try {
    std::vector<std::string> wanted;
    for (int i = 1; i < argc; ++i) {
      if (std::strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
        set_num_threads(std::stoi(argv[++i]));
      } else {
        wanted.emplace_back(argv[i]);
      }
    }
    std::cout << "threads: " << num_threads() << "\n";
    for (const bench::Bench& one : bench::all()) {
      if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), one.name) == wanted.end()) continue;
      std::cout << "\n" << one.name << ": " << one.what << "\n";
      one.run();
    }
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
