#include "recsys/report/published_dataset.h"

#include "recsys/report/printed_names.h"

namespace tapestry::recsys {
namespace {

using namespace printed;

constexpr PublishedDataset kTable1[kDatasets.size()] = {
    {1344, 729, 15359},     // amazon-luxury-beauty
    {938, 1008, 95215},     // ml-100k
    {10621, 8582, 108509},  // amazon-digital-music
    {3125, 6034, 994338},   // ml-1m
};

}  // namespace

std::optional<PublishedDataset> published_dataset(std::string_view dataset) {
  const auto d = index_of(kDatasets, dataset);
  if (!d) return std::nullopt;
  return kTable1[*d];
}

}  // namespace tapestry::recsys
