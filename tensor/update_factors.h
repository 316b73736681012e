#pragma once

#include "tensor/kernels.h"

namespace tapestry {

/// The constants of one Adam step, for the kernels of every device (optim/adam.h makes them):
///   m <- beta1 m + rest1 g,  v <- beta2 v + rest2 g^2,  value <- keep value - rate m / (sqrt(v) root2 + epsilon)
/// with g the gradient + l2 value. How the terms are joined is each device's own affair.
template <typename T>
struct AdamFactors {
  T beta1, beta2, rest1, rest2, l2, keep, rate, root2, epsilon;
};

/// The same of one Adamax step:
///   m <- beta1 m + rest1 g,  u <- max(beta2 u, |g| + epsilon),  value <- value - rate m / u
template <typename T>
struct AdamaxFactors {
  T beta1, beta2, rest1, rate, epsilon;
};

static_assert(sizeof(AdamaxFactors<float>) == kAdamaxFactors * sizeof(float));
static_assert(sizeof(AdamaxFactors<double>) == kAdamaxFactors * sizeof(double));
static_assert(sizeof(AdamFactors<float>) == kAdamFactors * sizeof(float));
static_assert(sizeof(AdamFactors<double>) == kAdamFactors * sizeof(double));

}  // namespace tapestry
