#pragma once

#include <string>

/// What stages.jsonl, the display and the folders models/ and history/ call what is not named by the generators themselves
/// (stages_of in recsys/generators/make_generators.h).
namespace tapestry::recsys {

/// Stages of a recommender: it is fitted and measured.
inline constexpr const char* kRecommenderFit = "recommender_fit";
inline constexpr const char* kEvaluate = "evaluate";
/// A generator's users are compared with the real ones.
inline constexpr const char* kSimilarity = "similarity";
/// Belong to no run: a data set is read, the reports are written.
inline constexpr const char* kLoad = "load";
inline constexpr const char* kReport = "report";

/// The name under which the folders models/ and history/ and the configuration keep the generators that are the same for every
/// recommender, in the place of a recommender's.
inline constexpr const char* kBaselineOwner = "all";

/// Whether it is a stage of the recommender.
inline bool is_recommenders(const std::string& stage) { return stage == kRecommenderFit || stage == kEvaluate; }

/// Whether it is a stage of a run that has the same name for every generator.
inline bool is_any_generators(const std::string& stage) { return is_recommenders(stage) || stage == kSimilarity; }

}  // namespace tapestry::recsys
