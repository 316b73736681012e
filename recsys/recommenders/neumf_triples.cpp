#include "recsys/recommenders/neumf_triples.h"

#include <numeric>
#include <type_traits>

#include "sdrm/shuffle.h"
#include "tensor/random.h"

namespace tapestry::recsys {
namespace {

std::vector<std::int32_t> shuffled_positions(std::size_t count, const RandomStream& stream) {
  std::vector<std::int32_t> positions;
  sdrm::shuffle_rows(static_cast<std::int64_t>(count), stream, positions);
  return positions;
}

/// 0, 1, ..., count - 1.
std::vector<std::int32_t> consecutive(std::size_t count) {
  std::vector<std::int32_t> positions(count);
  std::iota(positions.begin(), positions.end(), 0);
  return positions;
}

}  // namespace

void Triples::reserve(std::size_t count) {
  users.reserve(count);
  items.reserve(count);
  labels.reserve(count);
}

void Triples::add(std::int32_t user, std::int32_t item, float label) {
  users.push_back(user);
  items.push_back(item);
  labels.push_back(label);
}

TripleTensors::TripleTensors(std::int64_t n, DType dtype, Device device)
    : users(Tensor::zeros({n}, DType::kInt32, device)),
      items(Tensor::zeros({n}, DType::kInt32, device)),
      labels(Tensor::zeros({n, 1}, dtype, device)) {}

void TripleTensors::bring(const Triples& triples, std::span<const std::int32_t> positions) const {
  const auto count = static_cast<std::int64_t>(positions.size());
  const auto pick = [&](const auto& from, const Tensor& picked, const Tensor& to) {
    using Value = typename std::decay_t<decltype(from)>::value_type;
    Value* out = picked.data<Value>();
    for (const std::int32_t position : positions) *out++ = from[static_cast<std::size_t>(position)];
    sdrm::bring(picked.to(to.dtype()).raw_data(), to.slice_rows(0, count));
  };
  pick(triples.users, Tensor::empty({count}, DType::kInt32), users);
  pick(triples.items, Tensor::empty({count}, DType::kInt32), items);
  pick(triples.labels, Tensor::empty({count, 1}, DType::kFloat32), labels);
}

TripleTensors::TripleTensors(const Triples& triples, std::span<const std::int32_t> positions, DType dtype, Device device)
    : users(Tensor::empty({static_cast<std::int64_t>(positions.size())}, DType::kInt32, device)),
      items(Tensor::empty(users.shape(), DType::kInt32, device)),
      labels(Tensor::empty({users.numel(), 1}, dtype, device)) {
  bring(triples, positions);
}

TripleTensors::TripleTensors(const Triples& triples, DType dtype, Device device)
    : TripleTensors(triples, consecutive(triples.size()), dtype, device) {}

TripleTensors TripleTensors::slice(std::int64_t begin, std::int64_t end) const {
  TripleTensors part;
  part.users = users.slice_rows(begin, end);
  part.items = items.slice_rows(begin, end);
  part.labels = labels.slice_rows(begin, end);
  return part;
}

TripleTensors TripleTensors::row(const sdrm::EpochCursor& cursor, std::int64_t batch, std::int64_t size) const {
  const auto pick = [&](const Tensor& from) {
    return cursor.row(from.reshape({from.numel() / batch, batch})).slice_rows(0, size);
  };
  TripleTensors part;
  part.users = pick(users);
  part.items = pick(items);
  part.labels = pick(labels).reshape({size, 1});
  return part;
}

Triples fit_triples(const FitData& data) {
  Triples all;
  std::int64_t count = data.misplaced_dislikes.count;
  for (const Block which : data.order) count += data.block(which).likes.nnz() + data.block(which).dislikes.nnz();
  all.reserve(static_cast<std::size_t>(count));
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
    if (which == Block::kSynthetic) {
      const auto user = static_cast<std::int32_t>(first + data.misplaced_dislikes.user);
      for (std::int64_t n = 0; n < data.misplaced_dislikes.count; ++n) all.add(user, 0, 0);
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
  std::vector<std::int32_t> order = shuffled_positions(all.size(), {seed, Purpose::kTriples, step});
  const auto cut = static_cast<std::ptrdiff_t>(static_cast<double>(all.size()) * (1 - share));
  EpochTriples split;
  split.valid.assign(order.begin() + cut, order.end());
  order.resize(static_cast<std::size_t>(cut));
  std::vector<std::int32_t> zeros;
  for (const std::int32_t position : order) {
    if (all.labels[static_cast<std::size_t>(position)] == 0) zeros.push_back(position);
  }
  const std::size_t ones = order.size() - zeros.size();
  if (!zeros.empty()) {
    RandomSequence random({seed, Purpose::kNegatives, step});
    order.reserve(order.size() + ones);
    for (std::size_t n = 0; n < ones; ++n) order.push_back(zeros[random.below(static_cast<std::uint32_t>(zeros.size()))]);
  }
  split.train = shuffled_positions(order.size(), {seed, Purpose::kTriples, step + 1});
  for (std::int32_t& at : split.train) at = order[static_cast<std::size_t>(at)];
  return split;
}

}  // namespace tapestry::recsys
