#include "recsys/metrics/ranking.h"
#include "recsys/report/sections.h"
#include "recsys/report/text.h"

namespace tapestry::recsys {
namespace {

std::string style_of(const std::optional<Finding>& found) {
  if (found == Finding::kBetter) return "reproduced";
  return found == Finding::kWorse ? "below" : "";
}

}  // namespace

Section comparison_section(const ReportContent& content) {
  Section section("comparisons", "Is it better? Paired over users");
  if (content.comparisons.empty()) return section;
  section.paragraph(comparison_legend());
  const bool overlap = have_overlap(content.comparisons);
  for (const std::string& dataset : names_of(content.comparisons, &Comparison::dataset)) {
    TableRows rows = {{{"recommender"},
                       {"setting"},
                       {"generator"},
                       {"against"},
                       {"metric"},
                       {"finding"},
                       {"difference"},
                       {"95 % interval"},
                       {"p, these fits"},
                       {"p"}}};
    const auto end_row = [&](const std::string& p, const std::string& holm, const std::string& users) {
      if (overlap) rows.back().push_back({p});
      rows.back().push_back({holm});
      rows.back().push_back({users});
    };
    end_row("p, overlap", "Holm p", "users");
    for (const Comparison& one : content.comparisons) {
      if (one.dataset != dataset || !is_ranking_metric_at_10(one.metric)) continue;
      const std::optional<Finding> found = finding(one);
      rows.push_back({{shown_recommender(one.recommender)},
                      {one.setting},
                      {shown_generator(one.generator)},
                      {shown_generator(one.baseline)},
                      {one.metric},
                      {found ? to_string(*found) : "–", "", style_of(found)},
                      {with_sign(one.test.mean, 4), "", style_of(found)},
                      {interval_text(one.interval)},
                      {p_text(one.p_these_fits)},
                      {p_text(one.test.p_two_sided)}});
      end_row(p_text(p_overlap(one)), found ? p_text(one.p_holm) : "–", std::to_string(one.test.users));
    }
    section.fold(dataset, dataset == content.comparisons.front().dataset, [&] { section.table(rows, 6); });
  }
  return section;
}

}  // namespace tapestry::recsys
