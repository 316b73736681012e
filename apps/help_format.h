#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace tapestry::apps {

/// --help in lines of at most 100 columns, an option's explanation indented below its name where it does not fit beside it.
/// CLI11's own leaves the breaking to the terminal, and writes the bounds of a number into its name.
class HelpFormat : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
};

/// `text` broken at spaces into lines of at most `width` columns (a longer word stands alone), all but the first indented.
std::string wrapped(const std::string& text, std::size_t indent, std::size_t width);

}  // namespace tapestry::apps
