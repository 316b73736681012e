#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace tapestry::apps {

/// The command line of `reproduce` as written, before names are looked up, with what stands where nothing is said.
struct RawOptions {
  using Names = std::vector<std::string>;
  std::string data;
  bool data_given = false;  ///< by --data or the environment, also where it is what is usual
  Names datasets, recommenders = {"svd"}, generators = {"original", "multivae++", "f-sdrm", "m-sdrm"}, settings = {"all"}, only,
                  without, ablations, reuse;
  std::string protocol = "published", variant = "published", device = "cpu", precision = "float32", out = "results",
              neumf_selection, checkpoint = "60";
  int runs = 5, folds = 0, threads = 0, jobs = 0;
  std::uint64_t seed = 1;
  bool quick = false, list = false, doctor = false, plan = false, paper = false;
};

/// Declares every option, its help and the values it can have; `raw` must outlive the parsing.
void declare_options(CLI::App& app, RawOptions& raw);

/// Puts the digits of a whole number into `text`, or returns what is wrong. CLI11 would take 010 for eight and 0x10 for sixteen,
/// and -1 or a number too large for the largest seed there is.
std::string read_decimal(std::string& text);

}  // namespace tapestry::apps
