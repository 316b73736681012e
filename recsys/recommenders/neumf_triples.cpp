#include "recsys/recommenders/neumf_triples.h"

#include "recsys/data/split.h"
#include "tensor/random.h"

namespace tapestry::recsys {
namespace {

std::vector<std::int32_t> shuffled_positions(std::size_t count, const RandomStream& stream) {
  RandomSequence random(stream);
  return shuffled(static_cast<std::int64_t>(count), [&](std::uint32_t bound) { return random.below(bound); });
}

}  // namespace

void Triples::add(std::int32_t user, std::int32_t item, float label) {
  users.push_back(user);
  items.push_back(item);
  labels.push_back(label);
}

Triples Triples::pick(const std::vector<std::int32_t>& positions) const {
  Triples picked;
  picked.users.reserve(positions.size());
  picked.items.reserve(positions.size());
  picked.labels.reserve(positions.size());
  for (const std::int32_t position : positions) {
    const auto at = static_cast<std::size_t>(position);
    picked.add(users[at], items[at], labels[at]);
  }
  return picked;
}

TripleTensors::TripleTensors(const Triples& triples, DType dtype, Device device) {
  const auto count = static_cast<std::int64_t>(triples.size());
  users = Tensor::from<std::int32_t>(triples.users, {count}, device);
  items = Tensor::from<std::int32_t>(triples.items, {count}, device);
  labels = Tensor::from<float>(triples.labels, {count, 1}, device).to(dtype);
}

TripleTensors TripleTensors::slice(std::int64_t begin, std::int64_t end) const {
  TripleTensors part;
  part.users = users.slice_rows(begin, end);
  part.items = items.slice_rows(begin, end);
  part.labels = labels.slice_rows(begin, end);
  return part;
}

Triples fit_triples(const FitData& data) {
  Triples all;
  std::int64_t first = 0;
  for (const Block which : data.order) {
    const Interactions& block = data.block(which);
    check(block.likes.rows() == block.dislikes.rows() && block.likes.cols() == block.dislikes.cols(), "fit_triples: likes of ",
          block.likes.rows(), " users and dislikes of ", block.dislikes.rows());
    for (std::int64_t row = 0; row < block.likes.rows(); ++row) {
      const auto user = static_cast<std::int32_t>(first + row);
      for (const std::int32_t item : block.likes.row(row)) all.add(user, item, 1);
      for (const std::int32_t item : block.dislikes.row(row)) all.add(user, item, 0);
    }
    first += block.likes.rows();
  }
  if (all.size() < 2) {
    fail(ErrorKind::kFit, "NeuMF: the users of the fit have ", all.size(), " likes and dislikes together, expected at least two");
  }
  return all;
}

EpochTriples split_epoch(const Triples& all, double share, std::uint64_t seed, std::int64_t epoch) {
  const auto step = static_cast<std::uint32_t>(2 * epoch);
  const std::vector<std::int32_t> order = shuffled_positions(all.size(), {seed, Purpose::kTriples, step});
  const auto cut = static_cast<std::ptrdiff_t>(static_cast<double>(all.size()) * (1 - share));
  EpochTriples split;
  split.valid = all.pick({order.begin() + cut, order.end()});
  std::vector<std::int32_t> train(order.begin(), order.begin() + cut);
  std::vector<std::int32_t> zeros;
  for (const std::int32_t position : train) {
    if (all.labels[static_cast<std::size_t>(position)] == 0) zeros.push_back(position);
  }
  const std::size_t ones = train.size() - zeros.size();
  if (!zeros.empty()) {
    RandomSequence random({seed, Purpose::kNegatives, step});
    for (std::size_t n = 0; n < ones; ++n) train.push_back(zeros[random.below(static_cast<std::uint32_t>(zeros.size()))]);
  }
  const std::vector<std::int32_t> mixed = shuffled_positions(train.size(), {seed, Purpose::kTriples, step + 1});
  std::vector<std::int32_t> positions;
  positions.reserve(train.size());
  for (const std::int32_t at : mixed) positions.push_back(train[static_cast<std::size_t>(at)]);
  split.train = all.pick(positions);
  return split;
}

}  // namespace tapestry::recsys
