#pragma once

#include <cmath>

#include "tensor/kernels.h"

namespace tapestry {

/// One Adam step (Kingma & Ba 2015, Algorithm 1): the corrections are 1 - beta^t.
struct AdamStep {
  double learning_rate;
  double beta1;
  double beta2;
  double epsilon;
  double l2;         ///< added to the gradient as l2 * value
  double decoupled;  ///< value shrinks by learning_rate * decoupled (Loshchilov & Hutter 2019)
  double correction1;
  double correction2;
};

/// The constants of one Adam step, rounded to T once, for the kernels of every device:
///   m <- beta1 m + rest1 g,  v <- beta2 v + rest2 g^2,  value <- keep value - rate m / (sqrt(v) root2 + epsilon)
/// with g the gradient + l2 value. How the terms are joined is each device's own affair.
template <typename T>
struct AdamFactors {
  T beta1, beta2, rest1, rest2, l2, keep, rate, root2, epsilon;

  explicit AdamFactors(const AdamStep& step)
      : beta1(static_cast<T>(step.beta1)),
        beta2(static_cast<T>(step.beta2)),
        rest1(static_cast<T>(1 - step.beta1)),
        rest2(static_cast<T>(1 - step.beta2)),
        l2(static_cast<T>(step.l2)),
        keep(static_cast<T>(1 - step.learning_rate * step.decoupled)),
        rate(static_cast<T>(step.learning_rate / step.correction1)),
        root2(static_cast<T>(1 / std::sqrt(step.correction2))),
        epsilon(static_cast<T>(step.epsilon)) {}
};

/// One Adamax step: m = beta1 m + (1 - beta1) g, u = max(beta2 u, |g| + epsilon), value -= learning_rate m / (correction1 u).
struct AdamaxStep {
  double learning_rate;
  double beta1;
  double beta2;
  double epsilon;
  double correction1;  ///< 1 - beta1^t
};

/// The same of one Adamax step:
///   m <- beta1 m + rest1 g,  u <- max(beta2 u, |g| + epsilon),  value <- value - rate m / u
template <typename T>
struct AdamaxFactors {
  T beta1, beta2, rest1, rate, epsilon;

  explicit AdamaxFactors(const AdamaxStep& step)
      : beta1(static_cast<T>(step.beta1)),
        beta2(static_cast<T>(step.beta2)),
        rest1(static_cast<T>(1 - step.beta1)),
        rate(static_cast<T>(step.learning_rate / step.correction1)),
        epsilon(static_cast<T>(step.epsilon)) {}
};

static_assert(sizeof(AdamaxFactors<float>) == kAdamaxFactors * sizeof(float));
static_assert(sizeof(AdamaxFactors<double>) == kAdamaxFactors * sizeof(double));
static_assert(sizeof(AdamFactors<float>) == kAdamFactors * sizeof(float));
static_assert(sizeof(AdamFactors<double>) == kAdamFactors * sizeof(double));

}  // namespace tapestry
