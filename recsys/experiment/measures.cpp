#include "recsys/experiment/measures.h"

#include <limits>
#include <span>
#include <string_view>

#include "recsys/metrics/catalogue.h"
#include "recsys/metrics/ranking.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kThirds[] = {"head", "mid", "tail"};

std::string at(const char* kind) { return concat(kind, "@", kCatalogueCutoff); }

/// Collects figures in the order of measure_names.
class Collector {
 public:
  explicit Collector(Measures& out) : out_(out) {}
  void per_user(const std::string& name, std::span<const double> values) {
    add(name, mean_over_users(values).value, {values.begin(), values.end()});
  }
  void of_all(const std::string& name, double value) { add(name, value, {}); }

 private:
  void add(const std::string& name, double mean, std::vector<double> users) {
    out_.names.push_back(name);
    out_.means.push_back(mean);
    out_.users.push_back(std::move(users));
  }
  Measures& out_;
};

void collect(Collector& collector, const UserMetrics& metrics, const UserMetrics* over_k, const CatalogueMetrics& catalogue) {
  for (const std::string& name : metric_names()) collector.per_user(name, metrics.values(name));
  if (over_k != nullptr) {
    for (const int k : kCutoffs) collector.per_user(concat(kNdcgOverK, k), over_k->values(concat("NDCG@", k)));
  }
  collector.of_all(at("Coverage"), catalogue.coverage);
  collector.of_all(at("Gini"), catalogue.gini);
  collector.per_user(at("Novelty"), catalogue.novelty);
  for (std::size_t third = 0; third < std::size(kThirds); ++third) {
    collector.per_user(concat("Recall-", at(kThirds[third])), catalogue.recall[third]);
  }
}

}  // namespace

std::vector<std::string> measure_names(bool over_k) { return no_measures(0, over_k).names; }

Measures measure(const Tensor& ranked, const CsrMatrix& heldout, const CsrMatrix& train, bool over_k) {
  Measures measures;
  Collector collector(measures);
  const UserMetrics metrics = list_metrics(ranked, heldout);
  const CatalogueMetrics catalogue = catalogue_metrics(ranked, kCatalogueCutoff, heldout, train);
  if (over_k) {
    const UserMetrics other = list_metrics(ranked, heldout, {.ideal = IdealDcg::kCutoff});
    collect(collector, metrics, &other, catalogue);
  } else {
    collect(collector, metrics, nullptr, catalogue);
  }
  return measures;
}

Measures no_measures(std::int64_t users, bool over_k) {
  Measures measures;
  Collector collector(measures);
  const UserMetrics nothing({kCutoffs.begin(), kCutoffs.end()}, users);
  CatalogueMetrics catalogue;
  catalogue.coverage = catalogue.gini = kNaN;
  catalogue.novelty.assign(static_cast<std::size_t>(users), kNaN);
  for (std::vector<double>& recall : catalogue.recall) recall = catalogue.novelty;
  collect(collector, nothing, over_k ? &nothing : nullptr, catalogue);
  return measures;
}

}  // namespace tapestry::recsys
