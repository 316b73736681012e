#include "recsys/report/html_page.h"

#include "recsys/report/svg_chart.h"

namespace tapestry::recsys {
namespace {

// Colours c0 to c7: eight that people with any colour vision tell apart (Okabe & Ito 2008), lightened on dark pages.
constexpr const char* kStyle = R"css(
:root { color-scheme: light dark; --page: #fff; --ink: #1c1c1c; --quiet: #5b5b5b; --rule: #d4d4d4; --band: #f4f4f2;
  --good: #d9efdf; --near: #e7eefb; --above: #fbefcf; --below: #fadedd;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #aa4499; --c4: #8a6d00; --c5: #3a86a8; --c6: #555; --c7: #000; }
@media (prefers-color-scheme: dark) { :root { --page: #16181b; --ink: #e8e6e3; --quiet: #a9a6a1; --rule: #3d4147;
  --band: #1f2226; --good: #1d4029; --near: #1f3355; --above: #4c3c10; --below: #55211f;
  --c0: #56b4e9; --c1: #ff8c42; --c2: #2fc99a; --c3: #e08bd0; --c4: #e3c541; --c5: #8fd3f4; --c6: #b5b5b5; --c7: #fff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 110rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0; }
h2 { font-size: 1.3rem; margin: 2.2rem 0 .5rem; border-bottom: 1px solid var(--rule); padding-bottom: .2rem; }
h3 { font-size: 1.05rem; margin: 1.4rem 0 .4rem; }
p, ul { max-width: 48rem; }
a { color: var(--c0); }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1rem; list-style: none; padding: 0; }
.headline { font-size: 1.15rem; font-weight: 600; }
.quiet, small { color: var(--quiet); }
small { display: block; font-size: .78rem; }
.scroll { overflow-x: auto; margin: .5rem 0 1rem; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; vertical-align: top; }
th { background: var(--band); font-weight: 600; }
.left { text-align: left; }
dl { display: grid; grid-template-columns: 16rem 1fr; font-size: .88rem; }
dt, dd { margin: 0; padding: .25rem 1rem .25rem 0; border-bottom: 1px solid var(--rule); overflow-wrap: anywhere; min-width: 0; break-inside: avoid; }
dt { font-weight: 600; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dt { border: none; padding-bottom: 0; } }
.reproduced { background: var(--good); } .within { background: var(--near); }
.above { background: var(--above); } .below { background: var(--below); }
.key span { display: inline-block; padding: 0 .5rem; margin: 0 .4rem .3rem 0; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem; margin: .6rem 0; }
figure { margin: 0; padding: .5rem; border: 1px solid var(--rule); border-radius: .3rem; break-inside: avoid; max-width: 36rem; }
figcaption { font-weight: 600; font-size: .92rem; }
figure svg { display: block; width: 100%; height: auto; }
figure text { fill: var(--ink); font-size: 13px; } .grid { stroke: var(--rule); } .axis { stroke: var(--quiet); }
.line { fill: none; stroke-width: 2; } .dashed.line { stroke-dasharray: 5 4; stroke-width: 1.6; }
.dots { fill: none; stroke-width: 6; stroke-linecap: round; }
.dotted.line { stroke-dasharray: 1.5 4; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem .9rem; list-style: none; margin: .3rem 0 0; padding: 0; font-size: .82rem; }
.legend svg { display: inline-block; width: 24px; height: 8px; margin-right: .35rem; }
details { margin: .4rem 0; } summary { cursor: pointer; font-weight: 600; }
th[scope=row] { position: sticky; left: 0; }
@media (max-width: 40rem) { th[scope=row] { white-space: normal; max-width: 40vw; } }
@page { size: A4 landscape; margin: 12mm; }
@media print { :root { --page: #fff; --ink: #000; --quiet: #333; --rule: #999; --band: #eee; } body { max-width: none; font-size: 11px; }
  .scroll { overflow: visible; } nav { display: none; } h2, h3, summary { break-after: avoid; }
  .charts { grid-template-columns: repeat(3, 1fr); } table { font-size: 8px; } small { font-size: 7px; } th, td { white-space: normal; padding: .15rem .3rem; } th[scope=row] { position: static; }
  tr { break-inside: avoid; } dl { font-size: 9px; }
  details::details-content { content-visibility: visible; } }
)css";

std::string colours() {
  std::string rules;
  for (int c = 0; c < 8; ++c) {
    const std::string name = "c" + std::to_string(c), paint = "var(--" + name + ")";
    rules += "." + name + ".line, ." + name + ".dots { stroke: " + paint + "; }\n";
  }
  return rules;
}

}  // namespace

std::string html_table(const std::vector<std::vector<HtmlCell>>& rows, std::size_t text_columns) {
  std::string text = "<div class=\"scroll\" tabindex=\"0\"><table>\n";
  for (std::size_t r = 0; r < rows.size(); ++r) {
    text += r == 0 ? "<thead>\n<tr>" : r == 1 ? "<tbody>\n<tr>" : "<tr>";
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      const bool heading = r == 0 || c == 0;
      std::string style = rows[r][c].style;
      if (c < text_columns) style += style.empty() ? "left" : " left";
      text += heading ? (r == 0 ? "<th scope=\"col\"" : "<th scope=\"row\"") : "<td";
      if (!style.empty()) text += " class=\"" + style + "\"";
      text += ">" + rows[r][c].markup + (heading ? "</th>" : "</td>");
    }
    text += r == 0 ? "</tr>\n</thead>\n" : "</tr>\n";
  }
  return text + (rows.size() > 1 ? "</tbody>\n" : "") + "</table></div>\n";
}

std::string html_facts(const std::vector<std::pair<std::string, std::string>>& facts) {
  std::string text = "<dl>\n";
  for (const auto& [name, value] : facts) {
    text += "<dt>" + escape_html(name) + "</dt><dd>" + escape_html(value) + "</dd>\n";
  }
  return text + "</dl>\n";
}

std::string html_page(const std::string& title, const std::string& body) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
         escape_html(title) + "</title>\n<style>" + kStyle + colours() + "</style>\n</head>\n<body>\n" + body +
         "</body>\n</html>\n";
}

}  // namespace tapestry::recsys
