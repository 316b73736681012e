#include "apps/help_format.h"

#include <sstream>
#include <utility>

namespace tapestry::apps {
namespace {

constexpr std::size_t kWidth = 100, kNameWidth = 26;

}  // namespace

std::string wrapped(const std::string& text, std::size_t indent, std::size_t width) {
  std::istringstream words(text);
  std::string result;
  std::size_t column = indent;
  for (std::string word; words >> word; column += word.size()) {
    if (result.empty()) {
      result = word;
    } else if (column + 1 + word.size() > width) {
      result += "\n" + std::string(indent, ' ') + word;
      column = indent;
    } else {
      result += " " + word;
      ++column;
    }
  }
  return result;
}

std::string HelpFormat::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const {
  std::string help = CLI::Formatter::make_help(app, std::move(name), mode);
  // Some versions leave two empty lines before a heading.
  for (std::size_t at = 0; (at = help.find("\n\n\n", at)) != std::string::npos;) help.erase(at, 1);
  return help;
}

std::string HelpFormat::make_option(const CLI::Option* option, bool is_positional) const {
  std::string name = "  " + make_option_name(option, is_positional);
  const std::string type = option->get_type_name();
  if (!type.empty()) name += " " + type.substr(0, type.find(':'));  // behind a colon stand the bounds
  if (name.size() < kNameWidth) {
    name.resize(kNameWidth, ' ');
  } else {
    name += "\n" + std::string(kNameWidth, ' ');
  }
  return name + wrapped(make_option_desc(option), kNameWidth, kWidth) + "\n";
}

}  // namespace tapestry::apps
