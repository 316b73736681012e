#pragma once

#include <cstdint>
#include <vector>

#include "recsys/metrics/statistics.h"

/// Uncertainty of a mean over users when it varies with two things: which users are asked, and which models happened to be
/// trained. A fit is one training of everything, generator and recommender, from its own seed; all users of a fit share its luck.
/// Equations and an example: docs/metrics.md.
namespace tapestry::recsys {

/// One metric of every user by every fit, NaN where undefined.
struct UserValues {
  /// Without folds: fits[r][u], the same users in every fit. With F folds fit r has the users of fold r mod F, in the same order
  /// whenever it visits that fold.
  std::vector<std::vector<double>> fits;
  int folds = 0;  ///< 0: none
};

/// Every user's mean over the fits that report him, by fold; NaN for users with no value in one of them. Throws as mean_test
/// does.
std::vector<double> user_means(const UserValues& values);

/// Is the mean different from zero? For differences of two systems on the same users: the paired test.
struct MeanTest {
  double mean = 0;            ///< over users of each user's mean over fits
  double standard_error = 0;  ///< NaN when there is nothing to estimate it from
  double degrees = 0;         ///< of freedom
  double p_two_sided = 1;     ///< Student's t; NaN as the standard error is, and where all agree on a mean that is not zero
  std::int64_t users = 0;     ///< with a value in every fit that reports them
  std::int64_t fits = 0;      ///< 1: nothing is known of their spread, and the rest speaks of that one
};

/// Without folds the two-way random-effects analysis of variance with Satterthwaite's degrees of freedom (Satterthwaite 1946):
///   error^2 = V_users + max(0, V_fits - V_rest)
/// With folds users and fits vary together, and the folds are the independent units:
///   error^2 = F / (F - 1) sum_f (sum_{u in f} (y_u - mean))^2 / U^2,  F - 1 degrees of freedom.
/// Throws Error(kMisuse) when there are no fits or users do not match.
MeanTest mean_test(const UserValues& values);

/// A test over folds with the error that counts what their training sets have in common: of F folds that report r users for each
/// one that trains, error^2 (1 + F r) (Nadeau and Bengio 2003; for cross-validation Bouckaert and Frank 2004). An approximation;
/// for r = 0 the test itself. Throws Error(kMisuse) unless r >= 0.
MeanTest with_overlap(const MeanTest& over_folds, double reported_to_training);

/// Bootstrap interval of that mean. Without folds each sample draws as many users (of their means over fits) and as many fits (of
/// their deviations) with replacement, with folds as many folds. (Fewer than five folds, or without folds fewer than
/// five users or fits that vary, have too few draws, and get Student's t of mean_test.) So few fits or folds underestimate their
/// own spread: their deviations are expanded by sqrt(n / (n - 1)) t(n - 1) / z (Hesterberg 2015, section 5.3), and those of fits
/// shrunk to what the rest does not explain. NaN ends when one user is left or none, with folds one fold. Draws come from (seed,
/// kBootstrap): the same for any number of threads. Throws as mean_test does.
Interval bootstrap_interval(const UserValues& values, const ResamplingOptions& options = {});

}  // namespace tapestry::recsys
