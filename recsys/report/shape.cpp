#include "recsys/report/shape.h"

#include <algorithm>
#include <cmath>

namespace tapestry::recsys {
namespace {

constexpr int kFew = 5;

/// sum[n] += counts[n] / runs, longer where need be.
void add_share(std::vector<double>& sum, const std::vector<std::int64_t>& counts, double runs) {
  sum.resize(std::max(sum.size(), counts.size()));
  for (std::size_t n = 0; n < counts.size(); ++n) sum[n] += static_cast<double>(counts[n]) / runs;
}

int quantile(std::span<const double> counts, double total, double share) {
  double below = 0;
  for (std::size_t n = 0; n < counts.size(); ++n) {
    below += counts[n];
    // Means over runs add up with rounding.
    if (below >= share * total * (1 - 1e-12)) return static_cast<int>(n);
  }
  return 0;
}

}  // namespace

SyntheticFigures mean_synthetic(const std::string& dataset, const std::string& recommender, const std::string& generator,
                                std::span<const SyntheticSummary> runs, int asked) {
  SyntheticFigures figures = {dataset, recommender, generator, static_cast<int>(runs.size()), {}, {}, 0, {}, {}, {}, asked};
  const double count = static_cast<double>(runs.size());
  for (const SyntheticSummary& run : runs) {
    for (std::size_t bin = 0; bin < figures.pairs.size(); ++bin) {
      figures.pairs[bin] += static_cast<double>(run.pairs[bin]) / count;
      figures.nearest[bin] += static_cast<double>(run.nearest[bin]) / count;
    }
    figures.copies += static_cast<double>(run.copies) / count;
    add_share(figures.users_by_length, run.shape.users_by_length, count);
    add_share(figures.items_by_users, run.shape.items_by_users, count);
  }
  for (std::size_t bin = 0; bin < figures.pairs.size(); ++bin) {
    std::vector<double> pairs;
    for (const SyntheticSummary& run : runs) pairs.push_back(static_cast<double>(run.pairs[bin]));
    if (figures.failed()) pairs.clear();
    figures.pairs_interval[bin] = mean_interval(pairs);
  }
  return figures;
}

ShapeStatistics shape_statistics(std::span<const double> counts) {
  ShapeStatistics result;
  double entries = 0;
  for (std::size_t n = 0; n < counts.size(); ++n) {
    result.total += counts[n];
    entries += counts[n] * static_cast<double>(n);
    if (n < static_cast<std::size_t>(kFew)) result.few += counts[n];
    if (counts[n] > 0) result.most = static_cast<int>(n);
  }
  if (!(result.total > 0)) return result;
  result.none = counts[0];
  result.mean = entries / result.total;
  result.low = quantile(counts, result.total, 0.1);
  result.median = quantile(counts, result.total, 0.5);
  result.high = quantile(counts, result.total, 0.9);
  return result;
}

double SizeBin::middle() const { return std::sqrt(static_cast<double>(low) * high); }

std::vector<SizeBin> size_bins(int largest) {
  std::vector<SizeBin> bins;
  int low = 1;
  for (int step = 1; low <= largest; ++step) {
    const int next = static_cast<int>(std::lround(std::pow(10.0, step / 6.0)));
    if (next <= low) continue;
    bins.push_back({low, next - 1});
    low = next;
  }
  return bins;
}

std::vector<double> bin_densities(std::span<const double> counts, std::span<const SizeBin> bins) {
  double total = 0;
  for (const double count : counts) total += count;
  std::vector<double> densities;
  for (const SizeBin& bin : bins) {
    double inside = 0;
    for (int n = bin.low; n <= bin.high && n < static_cast<int>(counts.size()); ++n)
      inside += counts[static_cast<std::size_t>(n)];
    densities.push_back(total > 0 ? 100 * inside / total / (bin.high - bin.low + 1) : 0);
  }
  return densities;
}

std::vector<double> as_numbers(std::span<const std::int64_t> counts) { return {counts.begin(), counts.end()}; }

}  // namespace tapestry::recsys
