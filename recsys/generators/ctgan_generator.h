#pragma once

#include <memory>
#include <string>
#include <vector>

#include "recsys/generators/ctgan.h"
#include "recsys/generators/table_family.h"

namespace tapestry::recsys {

/// The generators that draw from one CTGAN, under conditions of different laws (ConditionLaw):
///   ctgan        ctgan-old under protocol `published`, ctgan-paper under `strict`
///   ctgan-paper  kFrequency
///   ctgan-old    kFirstColumn
///   ctgan-new    kLogFrequency
/// They decide how many likes there are by themselves. Dislikes, where asked for, are cells of value -1; a binary table
/// (`strict`) has none, and as many as likes are drawn from what a user does not like (draw_dislikes).
std::vector<std::string> ctgan_names();

/// The model that they draw from, kept in "<stem>-ctgan.safetensors"; make_table_generator makes a generator of it.
std::shared_ptr<TableFamily> make_ctgan_family(TableSettings settings, const CtganConfig& config = {});

}  // namespace tapestry::recsys
