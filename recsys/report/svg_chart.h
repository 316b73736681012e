#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

/// Charts as inline SVG: no script, no font, no colour of their own. The page's style sheet gives the classes `c0` to `c7` of
/// lines and bars, `axis`, `grid` and `text` their colours, so that they follow a light, dark or printed page.
namespace tapestry::recsys {

/// A line of a chart. Points that are not finite, or not positive on a logarithmic axis, are left out and break the line.
struct Series {
  std::string name;
  std::vector<double> x, y;
  bool dashed = false;  ///< the paper's figures beside ours
  int colour = -1;      ///< class c<colour>; -1: by its place
};

enum class Scale : std::uint8_t { kLinear, kLogarithmic };

struct ChartOptions {
  std::string title = {};  ///< read out to those who cannot see the picture
  std::string x_label = {}, y_label = {};
  Scale x_scale = Scale::kLinear, y_scale = Scale::kLinear;
  std::vector<double> x_ticks = {};  ///< instead of round numbers: the values that there are
  bool zero = false;                 ///< the y axis shows 0
};

/// <figure> with the picture, its title and a legend. Throws Error(kMisuse) for a series with more x than y or fewer. Series
/// without a point to draw are in neither; with no series at all a sentence says so. Texts are escaped.
std::string line_chart(const ChartOptions& options, std::span<const Series> series);

/// Round numbers (1, 2 or 5 times a power of ten apart) that cover [low, high], about `count` of them.
std::vector<double> round_ticks(double low, double high, int count);

/// Text with <, >, &, " and ' replaced: may stand in an element or an attribute.
std::string escape_html(const std::string& text);

}  // namespace tapestry::recsys
