#include "recsys/report/svg_chart.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "recsys/report/text.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

// The picture's own units; the page scales it to the room there is.
constexpr double kWidth = 480, kHeight = 300;
constexpr double kTop = 12, kBottom = 252;
/// Where the drawing area begins and ends at least, and how wide a figure of a tick's number is at most.
constexpr double kLeft = 66, kRight = 460, kFigure = 8;
constexpr int kColours = 8;

/// Up to six significant digits, without zeros behind.
std::string short_number(double value) {
  std::array<char, 64> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::general, 6).ptr;
  return {buffer.data(), end};
}

/// Whether two values, low <= high, are further apart than their rounding. Those that are not are drawn as one: in steps as small
/// no count gets from one to the other.
bool differ(double low, double high) { return high - low > 1e-9 * std::max(std::abs(low), std::abs(high)); }

/// One axis: from values to the picture's units.
class Axis {
 public:
  Axis(Scale scale, double low, double high, double from, double to) : scale_(scale), from_(from), to_(to) {
    low_ = place(low);
    high_ = place(high);
    if (!differ(low_, high_)) {  // one value: into the middle
      low_ -= 0.5;
      high_ += 0.5;
    }
  }
  bool shows(double value) const { return std::isfinite(value) && (scale_ == Scale::kLinear || value > 0); }
  double at(double value) const { return from_ + (place(value) - low_) / (high_ - low_) * (to_ - from_); }

 private:
  double place(double value) const { return scale_ == Scale::kLinear ? value : std::log10(value); }
  Scale scale_;
  double low_ = 0, high_ = 1, from_, to_;
};

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

bool drawable(const ChartOptions& options, double x, double y) {
  return std::isfinite(x) && std::isfinite(y) && (options.x_scale == Scale::kLinear || x > 0) &&
         (options.y_scale == Scale::kLinear || y > 0);
}

/// Ticks of an axis: powers of ten when it is logarithmic, else round numbers.
std::vector<double> ticks_of(Scale scale, const Range& range, int count) {
  if (scale == Scale::kLinear) return round_ticks(range.low, range.high, count);
  std::vector<double> ticks;
  for (double power = std::floor(std::log10(range.low)); power <= std::ceil(std::log10(range.high)); ++power) {
    ticks.push_back(std::pow(10.0, power));
  }
  return ticks;
}

/// A coordinate. A report has thousands of them: no character too many.
std::string number(double value) {
  const std::string text = fixed(value, 1);
  return text.ends_with(".0") ? text.substr(0, text.size() - 2) : text;
}

std::string label(double x, double y, const std::string& text) {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\">" + escape_html(text) + "</text>\n";
}

/// Elements that have an attribute in common.
std::string group(const std::string& attribute, const std::string& elements) {
  return "<g " + attribute + ">\n" + elements + "</g>\n";
}

double width_of(double tick) { return kFigure * static_cast<double>(short_number(tick).size()); }

/// From where to where the lines go, across.
struct Extent {
  double left = kLeft, right = kRight;
};

/// Room for the numbers beside the left axis and its name, and for one half of the last number below the other.
Extent extent_of(std::span<const double> x_ticks, std::span<const double> y_ticks) {
  Extent across;
  for (const double tick : y_ticks) across.left = std::max(across.left, 24 + width_of(tick));
  if (!x_ticks.empty()) across.right = std::min(across.right, kWidth - 4 - width_of(x_ticks.back()) / 2);
  return across;
}

/// Grid, ticks and the names of both axes.
std::string frame(const ChartOptions& options, const Extent& across, const Axis& x, const Axis& y,
                  std::span<const double> x_ticks, std::span<const double> y_ticks) {
  std::string grid, y_numbers;
  for (const double tick : y_ticks) {
    const double at = y.at(tick);
    grid += "M" + number(across.left) + " " + number(at) + "H" + number(across.right);
    y_numbers += label(across.left - 6, at + 4, short_number(tick));
  }
  std::string axis = "M" + number(across.left) + " " + number(kBottom) + "H" + number(across.right), x_numbers;
  double last = -std::numeric_limits<double>::infinity();
  for (const double tick : x_ticks) {
    const double at = x.at(tick);
    if (at - last < 30) continue;  // the next number would touch this one
    last = at;
    axis += "M" + number(at) + " " + number(kBottom) + "v5";
    x_numbers += label(at, kBottom + 18, short_number(tick));
  }
  const std::string names = label((across.left + across.right) / 2, kHeight - 10, options.x_label) +
                            "<text transform=\"translate(12 " + number((kTop + kBottom) / 2) + ") rotate(-90)\">" +
                            escape_html(options.y_label) + "</text>\n";
  return "<path class=\"grid\" d=\"" + grid + "\"/>\n" + "<path class=\"axis\" d=\"" + axis + "\"/>\n" +
         group("text-anchor=\"end\"", y_numbers) + group("text-anchor=\"middle\"", x_numbers + names);
}

std::string colour_of(const Series& series, std::size_t place) {
  const int colour = series.colour >= 0 ? series.colour : static_cast<int>(place);
  // Where there are more lines than colours, the same colour comes again with other strokes.
  const bool again = colour >= kColours, third = colour >= 2 * kColours;
  return "c" + std::to_string(colour % kColours) + (third ? " dotted" : series.dashed || again ? " dashed" : "");
}

/// The line itself, and a dot at each point as long as they are few.
std::string curve(const Series& series, std::size_t place, const Axis& x, const Axis& y) {
  constexpr std::size_t kDots = 20;
  std::string path, dots;
  const std::string colour = colour_of(series, place);
  bool drawing = false;
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    if (!x.shows(series.x[i]) || !y.shows(series.y[i])) {
      drawing = false;
      continue;
    }
    const std::string at = number(x.at(series.x[i])) + " " + number(y.at(series.y[i]));
    path += (drawing ? "L" : "M") + at;
    drawing = true;
    if (series.x.size() <= kDots) dots += "M" + at + "h0";  // of no length: its round ends are a dot
  }
  const std::string line = "<path class=\"" + colour + " line\" d=\"" + path + "\"/>\n";
  return dots.empty() ? line : line + "<path class=\"dots " + colour + "\" d=\"" + dots + "\"/>\n";
}

bool has_points(const ChartOptions& options, const Series& series) {
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    if (drawable(options, series.x[i], series.y[i])) return true;
  }
  return false;
}

std::string legend(std::span<const Series> shown) {
  std::string text = "<ul class=\"legend\">\n";
  for (std::size_t i = 0; i < shown.size(); ++i) {
    text += "<li><svg viewBox=\"0 0 24 8\" aria-hidden=\"true\"><path class=\"" + colour_of(shown[i], i) +
            " line\" d=\"M0 4H24\"/></svg>" + escape_html(shown[i].name) + "</li>\n";
  }
  return text + "</ul>\n";
}

}  // namespace

std::string escape_html(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::vector<double> round_ticks(double low, double high, int count) {
  if (!differ(low, high)) return {low};
  const double rough = (high - low) / count;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  const double step = power * (rough <= power ? 1 : rough <= 2 * power ? 2 : rough <= 5 * power ? 5 : 10);
  std::vector<double> ticks;
  const double first = std::floor(low / step + 1e-9), last = std::ceil(high / step - 1e-9);
  for (double at = first; at <= last; ++at) ticks.push_back(at * step);
  return ticks;
}

std::string line_chart(const ChartOptions& options, std::span<const Series> series) {
  std::vector<Series> shown;
  Range x_range, y_range;
  for (const Series& one : series) {
    check(one.x.size() == one.y.size(), "line_chart: series ", one.name, " has ", one.x.size(), " x and ", one.y.size(), " y");
    if (!has_points(options, one)) continue;
    shown.push_back(one);
    for (std::size_t i = 0; i < one.x.size(); ++i) {
      if (!drawable(options, one.x[i], one.y[i])) continue;
      x_range.include(one.x[i]);
      y_range.include(one.y[i]);
    }
  }
  const std::string caption = "<figcaption>" + escape_html(options.title) + "</figcaption>\n";
  if (shown.empty()) return "<figure>\n" + caption + "<p>Nothing to draw: no run has these figures.</p>\n</figure>\n";
  if (options.zero) y_range.include(0);
  const std::vector<double> y_ticks = ticks_of(options.y_scale, y_range, 5);
  for (const double tick : y_ticks) y_range.include(tick);
  const bool own_ticks = !options.x_ticks.empty();
  const std::vector<double> x_ticks = own_ticks ? options.x_ticks : ticks_of(options.x_scale, x_range, 6);
  for (const double tick : x_ticks) {
    // Round numbers may reach beyond the data; a line need not end at one.
    if (own_ticks || options.x_scale == Scale::kLogarithmic) x_range.include(tick);
  }
  std::vector<double> inside;
  std::copy_if(x_ticks.begin(), x_ticks.end(), std::back_inserter(inside),
               [&](double tick) { return tick >= x_range.low && tick <= x_range.high; });
  const Extent across = extent_of(inside, y_ticks);
  const Axis x(options.x_scale, x_range.low, x_range.high, across.left, across.right);
  const Axis y(options.y_scale, y_range.low, y_range.high, kBottom, kTop);
  std::string text = "<figure>\n" + caption + "<svg viewBox=\"0 0 " + number(kWidth) + " " + number(kHeight) +
                     "\" role=\"img\" aria-label=\"" + escape_html(options.title) + "\">\n";
  text += frame(options, across, x, y, inside, y_ticks);
  for (std::size_t i = 0; i < shown.size(); ++i) text += curve(shown[i], i, x, y);
  return text + "</svg>\n" + legend(shown) + "</figure>\n";
}

}  // namespace tapestry::recsys
