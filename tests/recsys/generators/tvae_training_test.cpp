// recsys/generators/tvae_training.cpp: a fit beside the same updates written out.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "optim/adam.h"
#include "recsys/generators/tvae.h"
#include "sdrm/shuffle.h"
#include "tests/recsys/generators/table_support.h"
#include "tests/support/modules.h"

namespace tapestry::recsys {
namespace {

TEST(FitTvae, IsTheLoopWrittenOutBitForBit) {
  const Interactions rows = tests::random_users(40, 9, 0.3, 0.2, 4);
  const TableEncoding table(rows, TableKind::kTernary);
  const CsrMatrix marks = table.encode(rows);
  TvaeConfig config;
  config.hidden = 5;
  config.latent = 4;
  config.batch = 16;  // 16 + 16 + 8 rows
  config.epochs = 3;
  nn::Initializer init(3), same_init(3);
  const Tvae expected(table.planes(), config, init);
  Tvae fitted(table.planes(), config, same_init);
  std::vector<TvaeEpoch> history;
  fit_tvae(fitted, marks, config, 7, [&](const TvaeEpoch& report) { history.push_back(report); });
  ASSERT_EQ(history.size(), 3U);

  optim::Adam adam(expected.parameters(), {.l2 = config.l2});
  std::uint32_t updates = 0;
  for (std::uint32_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<std::int32_t> order;
    sdrm::shuffle_rows(40, {7, Purpose::kShuffle, epoch}, order);
    TvaeEpoch sums = {epoch, 0, 0, 0};
    for (std::size_t begin = 0; begin < 40; begin += 16) {
      const CsrMatrix batch = marks.gather_rows(std::span(order).subspan(begin, std::min<std::size_t>(16, 40 - begin)));
      const Tensor noise = random_normal({batch.rows(), config.latent}, {7, Purpose::kVaeLatent, updates++});
      autograd::Tape tape;
      const TvaeLoss loss = tvae_loss(expected, batch, noise, config.loss_factor);
      tape.backward(loss.total);
      adam.step(config.learning_rate);
      adam.clear_gradients();
      sums.loss += loss.total.value().item();
      sums.reconstruction += loss.reconstruction.value().item();
      sums.kl += loss.kl.value().item();
    }
    EXPECT_EQ(history[epoch].epoch, epoch);
    EXPECT_DOUBLE_EQ(history[epoch].loss, sums.loss / 3);
    EXPECT_DOUBLE_EQ(history[epoch].reconstruction, sums.reconstruction / 3);
    EXPECT_DOUBLE_EQ(history[epoch].kl, sums.kl / 3);
  }
  EXPECT_TRUE(tests::same_state(fitted, expected));
}

// One update: its loss is from before it.
TEST(FitTvae, AModelWhoseLastUpdateRanAwayIsNotKept) {
  const Interactions rows = tests::random_users(40, 9, 0.3, 0.2, 4);
  const TableEncoding table(rows, TableKind::kTernary);
  TvaeConfig config;
  config.hidden = 5;
  config.latent = 4;
  config.epochs = 1;
  config.learning_rate = std::numeric_limits<double>::infinity();
  nn::Initializer init(3);
  Tvae model(table.planes(), config, init);
  try {
    fit_tvae(model, table.encode(rows), config, 7);
    FAIL() << "did not notice";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFit);
    EXPECT_NE(std::string(error.what()).find("TVAE diverged in its last update: entry "), std::string::npos) << error.what();
  }
}

TEST(FitTvae, RefusesATableWithoutRows) {
  const TableEncoding table(tests::random_users(40, 9, 0.3, 0.2, 4), TableKind::kTernary);
  TvaeConfig config;
  nn::Initializer init(3);
  Tvae model(table.planes(), config, init);
  EXPECT_THROW(fit_tvae(model, CsrMatrix::from_rows(table.planes().differences(), {}), config, 7), Error);
}

TEST(FitTvae, RefusesToTrainForNoEpoch) {
  const Interactions rows = tests::random_users(40, 9, 0.3, 0.2, 4);
  const TableEncoding table(rows, TableKind::kTernary);
  TvaeConfig config;
  nn::Initializer init(3);
  Tvae model(table.planes(), config, init);
  for (const std::int64_t epochs : {0, -1}) {
    config.epochs = epochs;
    EXPECT_THROW(fit_tvae(model, table.encode(rows), config, 7), Error) << epochs;
  }
}

}  // namespace
}  // namespace tapestry::recsys
