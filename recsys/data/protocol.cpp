#include "recsys/data/protocol.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>

#include "recsys/data/split.h"
#include "tensor/random.h"

namespace tapestry::recsys {
namespace {

using Users = std::vector<std::int32_t>;

/// Hands out the `heldout` items of every row and leaves the rest as input.
HeldOut take_out(const CsrMatrix& rows, const CsrMatrix& heldout) {
  std::vector<std::vector<std::int32_t>> input(static_cast<std::size_t>(rows.rows()));
  for (std::int64_t row = 0; row < rows.rows(); ++row) {
    const std::span<const std::int32_t> all = rows.row(row);
    const std::span<const std::int32_t> out = heldout.row(row);
    std::set_difference(all.begin(), all.end(), out.begin(), out.end(), std::back_inserter(input[static_cast<std::size_t>(row)]));
  }
  return {CsrMatrix::from_rows(rows.cols(), input), heldout};
}

/// The entries that both have.
CsrMatrix common(const CsrMatrix& a, const CsrMatrix& b) {
  std::vector<std::vector<std::int32_t>> both(static_cast<std::size_t>(a.rows()));
  for (std::int64_t row = 0; row < a.rows(); ++row) {
    const std::span<const std::int32_t> x = a.row(row), y = b.row(row);
    std::set_intersection(x.begin(), x.end(), y.begin(), y.end(), std::back_inserter(both[static_cast<std::size_t>(row)]));
  }
  return CsrMatrix::from_rows(a.cols(), both);
}

/// Holds ceil(0.2 n) random entries of each row out. Every row has at least two entries, so that both sides get one.
HeldOut draw_heldout(const CsrMatrix& rows, const RandomStream& stream) {
  RandomSequence random(stream);
  const auto count_of = [&](std::int64_t row) { return heldout_count(rows.row_nnz(row)); };
  return take_out(rows, draw_from_rows(rows, count_of, [&](std::uint32_t bound) { return random.below(bound); }));
}

Users with_two_entries(const CsrMatrix& matrix, const Users& users) {
  Users kept;
  std::copy_if(users.begin(), users.end(), std::back_inserter(kept),
               [&](std::int32_t user) { return matrix.row_nnz(user) >= 2; });
  return kept;
}

/// The explicit zeros of some users, ones there.
CsrMatrix dislikes_of(const Dataset& dataset, const Users& users) {
  const CsrMatrix stored = pattern(dataset.stored).gather_rows(users);
  return take_out(stored, likes(dataset.stored).gather_rows(users)).input;
}

/// A random half of each row's entries, rounded up.
CsrMatrix draw_half(const CsrMatrix& rows, const RandomStream& stream) {
  RandomSequence random(stream);
  const auto count_of = [&](std::int64_t row) { return (rows.row_nnz(row) + 1) / 2; };
  return draw_from_rows(rows, count_of, [&](std::uint32_t bound) { return random.below(bound); });
}

/// The streams that halves of dislikes are drawn from: steps of Purpose::kSplit behind the groups'.
RandomStream half_stream(std::uint64_t seed, std::uint32_t step) { return {seed, Purpose::kSplit, 1 + step}; }

double filled(std::int64_t entries, const CsrMatrix& matrix) {
  return static_cast<double>(entries) / (static_cast<double>(matrix.rows()) * static_cast<double>(matrix.cols()));
}

void need(const Users& users, const Dataset& dataset, const char* group) {
  if (!users.empty()) return;
  fail(ErrorKind::kData, "data set ", dataset.name, ": no ", group, " among its ", dataset.stored.rows(),
       " users, expected at least one");
}

/// Published without its selection leak (protocol.h). `train`: the users behind D's rows.
void choose_on_test_users(const Dataset& dataset, const Users& train, std::uint64_t seed, ProtocolData& data) {
  Users chosen, others;  // both ascending
  const CsrMatrix liked = likes(dataset.stored);
  for (const std::int32_t user : train) {
    const bool choose = dataset.parts[static_cast<std::size_t>(user)] == Part::kTest && liked.row_nnz(user) >= 2;
    (choose ? chosen : others).push_back(user);
  }
  need(chosen, dataset, "test user with two likes");
  const HeldOut selection = draw_heldout(liked.gather_rows(chosen), {seed, Purpose::kHoldout, 0});
  std::vector<std::vector<std::int32_t>> withheld(train.size());  // by row of D
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const auto row = static_cast<std::size_t>(std::lower_bound(train.begin(), train.end(), chosen[i]) - train.begin());
    const std::span<const std::int32_t> out = selection.heldout.row(static_cast<std::int64_t>(i));
    withheld[row].assign(out.begin(), out.end());
  }
  const CsrMatrix fitted = take_out(data.train, CsrMatrix::from_rows(data.train.cols(), withheld)).input;
  data.generator = concat_rows(std::array{fitted, data.evaluation.input});
  data.selection = [selection](std::uint64_t /*seed*/, int /*epoch*/) { return selection; };
  data.selection_likes = {selection, draw_half(dislikes_of(dataset, chosen), half_stream(seed, 1))};
  data.train_known = {liked.gather_rows(others), dislikes_of(dataset, others)};
  data.selects_apart = true;
}

ProtocolData make_published(const Dataset& dataset, std::uint64_t seed, const std::set<Deviation>& without) {
  Users train;
  Users valid;
  for (std::size_t user = 0; user < dataset.parts.size(); ++user) {
    (dataset.parts[user] == Part::kValid ? valid : train).push_back(static_cast<std::int32_t>(user));
  }
  need(train, dataset, "train or test user");
  need(valid, dataset, "valid user");

  const CsrMatrix stored = pattern(dataset.stored), liked = likes(dataset.stored);
  // What counts as an interaction of a user who is reported.
  const CsrMatrix counted = without.contains(Deviation::kDislikesRelevant) ? liked : stored;
  const CsrMatrix reported = counted.gather_rows(valid);
  ProtocolData data;
  data.name = ProtocolName::kPublished;
  data.train = liked.gather_rows(train);
  data.train_dislikes = dislikes_of(dataset, train);
  data.train_known = {data.train, data.train_dislikes};
  data.evaluation = take_out(reported, common(dataset.holdout.gather_rows(valid), reported));
  data.evaluation_users = valid;
  data.generator = concat_rows(std::array{data.train, data.evaluation.input});
  const bool likes_alone = without.contains(Deviation::kDislikesInDensity);
  data.density = filled(likes_alone ? data.train.nnz() : stored.gather_rows(train).nnz(), data.train);
  data.synthetic_rows = data.train.rows();
  // The leak: these entries include the ones held out for the report.
  const Users selected = with_two_entries(counted, valid);
  need(selected, dataset, "valid user with two entries");
  const CsrMatrix selection = counted.gather_rows(selected);
  data.selection = [selection](std::uint64_t fit_seed, int epoch) {
    return draw_heldout(selection, {fit_seed, Purpose::kHoldout, static_cast<std::uint32_t>(epoch)});
  };
  data.evaluation_likes = {take_out(liked.gather_rows(valid), dataset.holdout_likes.gather_rows(valid)),
                           draw_half(dislikes_of(dataset, valid), half_stream(seed, 0))};
  data.selection_likes = data.evaluation_likes;
  if (without.contains(Deviation::kSelectionLeak)) choose_on_test_users(dataset, train, seed, data);
  return data;
}

/// The strict protocol's hold-outs are steps of Purpose::kHoldout under the experiment's seed, two for each fold.
std::uint32_t evaluation_step(const Fold& fold) { return 2 * static_cast<std::uint32_t>(fold.index); }
std::uint32_t selection_step(const Fold& fold) { return evaluation_step(fold) + 1; }

struct Groups {
  Users train, test, valid;  ///< ascending
};

/// Cuts the users, in an order drawn from the seed, into train, test and valid. A fold takes its share of them as valid; what is
/// left is divided as 70 to 20.
Groups draw_groups(std::int64_t users, std::uint64_t seed, const Fold& fold) {
  RandomSequence random({seed, Purpose::kSplit, 0});
  Users order = shuffled(users, [&](std::uint32_t bound) { return random.below(bound); });
  GroupSizes sizes = group_sizes(users);
  if (fold.count > 0) {
    const std::int64_t begin = users * fold.index / fold.count;
    const std::int64_t end = users * (fold.index + 1) / fold.count;
    std::rotate(order.begin() + begin, order.begin() + end, order.end());  // the fold goes to the end
    sizes.valid = end - begin;
    sizes.train = (users - sizes.valid) * 7 / 9;
    sizes.test = users - sizes.valid - sizes.train;
  }
  const auto group = [&](std::int64_t begin, std::int64_t count) {
    Users some(order.begin() + begin, order.begin() + begin + count);
    std::sort(some.begin(), some.end());
    return some;
  };
  return {group(0, sizes.train), group(sizes.train, sizes.test), group(sizes.train + sizes.test, sizes.valid)};
}

ProtocolData make_strict(const Dataset& dataset, std::uint64_t seed, const Fold& fold) {
  const auto [train, test, valid] = draw_groups(dataset.stored.rows(), seed, fold);

  const CsrMatrix liked = likes(dataset.stored);
  const Users selected = with_two_entries(liked, test);
  ProtocolData data;
  data.evaluation_users = with_two_entries(liked, valid);
  need(train, dataset, "train user");
  need(selected, dataset, "test user with two likes");
  need(data.evaluation_users, dataset, "valid user with two likes");

  data.name = ProtocolName::kStrict;
  data.train = liked.gather_rows(train);
  data.train_dislikes = dislikes_of(dataset, train);
  data.train_known = {data.train, data.train_dislikes};
  data.generator = data.train;
  data.evaluation = draw_heldout(liked.gather_rows(data.evaluation_users), {seed, Purpose::kHoldout, evaluation_step(fold)});
  data.left_out_users = static_cast<std::int64_t>(valid.size() - data.evaluation_users.size());
  data.density = filled(data.train.nnz(), data.train);
  data.synthetic_rows = data.train.rows();
  const HeldOut selection = draw_heldout(liked.gather_rows(selected), {seed, Purpose::kHoldout, selection_step(fold)});
  data.selection = [selection](std::uint64_t /*seed*/, int /*epoch*/) { return selection; };
  data.evaluation_likes = {data.evaluation,
                           draw_half(dislikes_of(dataset, data.evaluation_users), half_stream(seed, evaluation_step(fold)))};
  data.selection_likes = {selection, draw_half(dislikes_of(dataset, selected), half_stream(seed, selection_step(fold)))};
  data.selects_apart = true;
  return data;
}

constexpr std::array<const char*, 2> kNames = {"published", "strict"};

}  // namespace

ProtocolName parse_protocol(const std::string& text) {
  const auto* const found = std::find(kNames.begin(), kNames.end(), text);
  if (found == kNames.end()) fail(ErrorKind::kUsage, "no protocol is called '", text, "', there are: published, strict");
  return static_cast<ProtocolName>(found - kNames.begin());
}

const char* to_string(ProtocolName protocol) { return kNames[static_cast<std::size_t>(protocol)]; }

ProtocolData make_protocol(const Dataset& dataset, ProtocolName name, std::uint64_t seed, const Fold& fold,
                           const std::set<Deviation>& without) {
  check(fold.count == 0 || (name == ProtocolName::kStrict && fold.count > 1 && fold.index >= 0 && fold.index < fold.count),
        "make_protocol: fold ", fold.index, " of ", fold.count, " under protocol ", to_string(name));
  check(name == ProtocolName::kPublished || without.empty(), "make_protocol: strict has no deviation to leave out");
  return name == ProtocolName::kPublished ? make_published(dataset, seed, without) : make_strict(dataset, seed, fold);
}

}  // namespace tapestry::recsys
