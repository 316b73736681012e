#include "recsys/experiment/unfinished.h"

#include <algorithm>
#include <tuple>

#include "recsys/data/joined.h"
#include "tensor/error.h"

namespace tapestry::recsys {

std::vector<std::string> unfinished_lines(std::span<const Unfinished> unfinished) {
  struct Line {
    Unfinished like;
    std::vector<std::string> settings, generators;
  };
  std::vector<Line> lines;
  const auto alike = [](const Line& line, const Unfinished& one) {
    return std::tie(line.like.dataset, line.like.recommender, line.like.finished, line.like.asked) ==
           std::tie(one.dataset, one.recommender, one.finished, one.asked);
  };
  for (const Unfinished& one : unfinished) {  // generators of one setting in a line
    const auto found = std::find_if(lines.begin(), lines.end(),
                                    [&](const Line& line) { return alike(line, one) && line.like.setting == one.setting; });
    if (found != lines.end()) {
      found->generators.push_back(one.generator);
    } else {
      lines.push_back({one, {one.setting}, {one.generator}});
    }
  }
  std::vector<Line> joint;
  for (Line& line : lines) {  // settings that lack the same as well
    const auto found = std::find_if(joint.begin(), joint.end(), [&](const Line& other) {
      return alike(other, line.like) && other.generators == line.generators;
    });
    if (found != joint.end()) {
      found->settings.push_back(line.like.setting);
    } else {
      joint.push_back(std::move(line));
    }
  }
  std::vector<std::string> texts;
  texts.reserve(joint.size());
  for (const Line& line : joint) {
    const Unfinished& like = line.like;
    const bool many = line.settings.size() * line.generators.size() > 1;
    texts.push_back(concat(like.dataset, " ", like.recommender, " ", joined(line.settings), " ", joined(line.generators), ": ",
                           like.finished, " of ", like.asked, like.asked == 1 ? " unit" : " units", " finished",
                           many ? " each" : ""));
  }
  return texts;
}

}  // namespace tapestry::recsys
