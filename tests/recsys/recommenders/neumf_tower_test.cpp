// recsys/recommenders/neumf_tower.h: sixteen items at a time give what a product per layer gives.
#include "recsys/recommenders/neumf_tower.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tensor/ops.h"

namespace tapestry::recsys {
namespace {

struct Case {
  std::int64_t items, width;
};

class NeuMfTowerOf : public testing::TestWithParam<Case> {
 protected:
  nn::Initializer init_{3};
  std::int64_t items_ = GetParam().items, width_ = GetParam().width;
  Tensor of_items_ = random_normal({items_, width_}, {1, Purpose::kTest, 1});
  Tensor of_user_ = random_normal({width_}, {1, Purpose::kTest, 2});
  nn::Linear second_{width_, width_ / 2, init_, Activation::kRelu}, third_{width_ / 2, width_ / 4, init_, Activation::kRelu};
  Tensor output_ = random_normal({1, width_ / 4}, {1, Purpose::kTest, 3}), bias_ = Tensor::full({1}, 0.25);

  void SetUp() override {
    copy(random_normal({width_ / 2}, {1, Purpose::kTest, 4}), second_.bias().value());
    copy(random_normal({width_ / 4}, {1, Purpose::kTest, 5}), third_.bias().value());
  }
  static void copy(const Tensor& from, const Tensor& to) {
    copy_bytes(to.raw_data(), to.device(), from.raw_data(), from.device(), static_cast<std::size_t>(from.bytes()));
  }

  /// As it reads: a product per layer, over all items.
  Tensor by_products() const {
    Tensor h = bias_activation(Activation::kRelu, of_items_.clone(), of_user_);
    for (const nn::Linear* layer : {&second_, &third_}) {
      h = bias_activation(Activation::kRelu, matmul(h, layer->weight().value(), false, true), layer->bias().value());
    }
    return bias_activation(Activation::kNone, matmul(h, output_, false, true), bias_).reshape({items_});
  }
  Tensor by_tower(double onto) const {
    const Tensor scores = Tensor::full({items_}, onto);
    NeuMfTower(of_items_, second_, third_, output_, bias_).add_to(of_user_.data<float>(), scores.data<float>());
    return scores;
  }
};

TEST_P(NeuMfTowerOf, GivesWhatProductsGive) {
  const Tensor expected = by_products(), actual = by_tower(0), onto = by_tower(2);
  for (std::int64_t i = 0; i < items_; ++i) {
    const float one = expected.data<float>()[i];
    ASSERT_NEAR(actual.data<float>()[i], one, 1e-5 * (1 + std::abs(one))) << i;
    ASSERT_EQ(onto.data<float>()[i], 2 + actual.data<float>()[i]) << i;
#ifdef TAPESTRY_OWN_PRODUCTS
    ASSERT_EQ(actual.data<float>()[i], one) << "to the last bit, item " << i;
#endif
  }
}

TEST_P(NeuMfTowerOf, ANumberThatIsNoneStaysWithItsItem) {
  of_items_.data<float>()[(items_ - 1) * width_] = std::numeric_limits<float>::quiet_NaN();
  const Tensor scores = by_tower(0);
  for (std::int64_t i = 0; i < items_; ++i) ASSERT_EQ(std::isnan(scores.data<float>()[i]), i == items_ - 1) << i;
}

INSTANTIATE_TEST_SUITE_P(Sizes, NeuMfTowerOf,
                         testing::Values(Case{1, 32}, Case{15, 32}, Case{16, 32}, Case{17, 32}, Case{1008, 32}, Case{33, 4},
                                         Case{50, 12}, Case{40, 80}));

TEST(NeuMfTower, RefusesLayersThatDoNotFit) {
  nn::Initializer init(3);
  const nn::Linear second(8, 4, init), third(4, 2, init);
  const Tensor bias = Tensor::full({1}, 0);
  EXPECT_THROW(NeuMfTower(Tensor::full({5, 12}, 0), second, third, Tensor::full({1, 2}, 0), bias), Error);
  EXPECT_THROW(NeuMfTower(Tensor::full({5, 8}, 0), second, third, Tensor::full({1, 3}, 0), bias), Error);
}

}  // namespace
}  // namespace tapestry::recsys
