#include <map>

#include "recsys/report/sections.h"
#include "recsys/report/svg_chart.h"
#include "recsys/report/text.h"
#include "recsys/report/training_curve.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

/// The curves of one recommender on one data set.
using Curves = std::vector<const TrainingCurve*>;

bool is_original(const TrainingCurve& curve) { return curve.setting.empty(); }

/// One row for each kind of users, means over runs.
TableRows summary_rows(const Curves& curves) {
  std::vector<Runs> rows;
  for (const TrainingCurve* curve : curves) {
    const auto same = [&](const Runs& runs) {
      return runs.front()->generator == curve->generator && runs.front()->setting == curve->setting;
    };
    auto row = std::find_if(rows.begin(), rows.end(), same);
    if (row == rows.end()) row = rows.insert(rows.end(), Runs{});
    row->push_back(curve);
  }
  TableRows table = {{{"users from"}, {"setting"}, {"runs"}, {"epochs"}, {"first loss"}, {"last loss"}, {"best of validation"}}};
  for (const Runs& runs : rows) {
    const std::string best = fixed(mean_over(runs, best_metric), 4);
    table.push_back({{shown_generator(runs.front()->generator)},
                     {is_original(*runs.front()) ? "–" : runs.front()->setting},
                     {std::to_string(runs.size())},
                     {fixed(mean_over(runs, epochs_of), 1)},
                     {fixed(mean_over(runs, first_loss), 4)},
                     {fixed(mean_over(runs, last_loss), 4)},
                     {best.empty() ? "–" : metric_of(*runs.front()) + " " + best}});
  }
  return table;
}

/// What one chart shows: the first run with the users of some generators in one setting, and with the original ones.
struct Shown {
  std::string setting;
  bool family = true;  ///< SDRM and MultiVAE++, or the others
};

/// Loss and validation; nothing where no such training had more than one epoch.
std::vector<std::string> charts_of(const Curves& curves, const Shown& shown) {
  Curves lines;
  for (const TrainingCurve* curve : curves) {
    const bool asked = curve->setting == shown.setting && is_sdrm_family(curve->generator) == shown.family;
    const bool is_curve = curve->epoch.size() > 1;  // an epoch alone is none
    if (is_curve && curve->run == curves.front()->run && (asked || is_original(*curve))) lines.push_back(curve);
  }
  const auto of_setting = [&](const TrainingCurve* curve) { return curve->setting == shown.setting; };
  const auto some = std::find_if(lines.begin(), lines.end(), of_setting);
  if (some == lines.end()) return {};
  const std::string metric_name = metric_of(**some);
  std::vector<Series> loss, metric;
  int colours = 0;
  for (const TrainingCurve* curve : lines) {
    const bool original = is_original(*curve);
    const int colour = original ? kRealUsersColour : colours++;
    const auto styled = [&](Series line) {
      line.dashed = original;
      line.colour = colour;
      return line;
    };
    const std::string name = shown_generator(curve->generator);
    loss.push_back(styled(loss_line(*curve, name)));
    // NeuMF may have chosen by something else on the original users.
    if (!curve->metric.empty() && metric_of(*curve) == metric_name) metric.push_back(styled(metric_line(*curve, name)));
  }
  const TrainingCurve& first = *curves.front();
  const std::string users = shown.setting.empty() ? "" : shown.family ? ": SDRM and MultiVAE++" : ": the other generators";
  const std::string where = concat(first.dataset, ", ", shown_recommender(first.recommender), shown.setting.empty() ? "" : ", ",
                                   shown.setting, ", run ", first.run, users);
  std::vector<std::string> pictures = {line_chart({.title = where + ", loss", .x_label = "epoch", .y_label = "loss"}, loss)};
  if (!metric.empty()) {
    pictures.push_back(line_chart({.title = where + ", validation", .x_label = "epoch", .y_label = metric_name}, metric));
  }
  return pictures;
}

/// Every setting with each half of the generators; the original users alone where there are no others.
std::vector<Shown> all_shown(const Curves& curves) {
  std::vector<Shown> all;
  for (const TrainingCurve* curve : curves) {
    const auto known = [&](const Shown& one) { return one.setting == curve->setting; };
    if (is_original(*curve) || std::any_of(all.begin(), all.end(), known)) continue;
    all.push_back({curve->setting, true});
    all.push_back({curve->setting, false});
  }
  if (all.empty()) all.push_back({});
  return all;
}

}  // namespace

/// Folded away by data set.
Section recommender_training_section(const ReportContent& content) {
  Section section("recommender-training", "Training of the recommenders");
  if (content.recommender_curves.empty()) return section;
  section.paragraph(
      "What MLP's and NeuMF's trainings reported, epoch by epoch, by whose users they learnt from; SVD has no epochs. MLP stops "
      "when the root mean square error (RMSE) on its validation rows falls no further, and keeps the best epoch. Which epoch "
      "NeuMF keeps is said under \"How every number was made\"; where that is the first, no other is trained. Means over runs; "
      "the charts show the first run.");
  for (const std::string& dataset : names_of(content.recommender_curves, &TrainingCurve::dataset)) {
    section.fold(dataset, dataset == content.recommender_curves.front().dataset, [&] {
      std::vector<std::string> recommenders;
      std::map<std::string, Curves> curves;
      for (const TrainingCurve& curve : content.recommender_curves) {
        if (curve.dataset != dataset) continue;
        if (!curves.contains(curve.recommender)) recommenders.push_back(curve.recommender);
        curves[curve.recommender].push_back(&curve);
      }
      for (const std::string& recommender : recommenders) {
        section.heading(shown_recommender(recommender));
        section.table(summary_rows(curves.at(recommender)), 2);
        std::vector<std::string> pictures;
        for (const Shown& shown : all_shown(curves.at(recommender))) {
          for (std::string& picture : charts_of(curves.at(recommender), shown)) pictures.push_back(std::move(picture));
        }
        if (!pictures.empty()) section.charts(pictures);
      }
    });
  }
  return section;
}

}  // namespace tapestry::recsys
