#pragma once

#include "recsys/data/protocol.h"
#include "recsys/recommenders/recommender.h"

/// What calibration.h measures on.
namespace tapestry::recsys {

/// The protocol with `rows` of the rows of `generator`, evenly spaced, as its D, and as many synthetic users. With
/// `all_categories` every item that has likes or dislikes among all rows has them among these too, so that a table of them has
/// the same columns and categories (ctgan and tvae are as wide as that). All rows: the protocol itself.
ProtocolData part_of(const ProtocolData& protocol, std::int64_t rows, bool all_categories);

/// Users in the place of synthetic ones: the real ones, with as many likes as the protocol's density asks for and, where
/// `dislikes` are asked for, as many of those.
Interactions stand_in(const ProtocolData& protocol, bool dislikes);

}  // namespace tapestry::recsys
