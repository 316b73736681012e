#pragma once

#include <cstdint>
#include <vector>

#include "recsys/data/interactions.h"
#include "tensor/csr.h"
#include "tensor/kernels.h"
#include "tensor/ops.h"
#include "tensor/tensor.h"

namespace tapestry::recsys {

/// What the cells of the user x item table hold, for generators that model a table (CTGAN, TVAE: Xu et al. 2019).
enum class TableKind : std::uint8_t {
  kBinary,   ///< 1 liked, 0 anything else
  kTernary,  ///< 1 liked, 0 unrated, -1 disliked
};

/// How a table of users is written in categories: a column per item, a category per value that occurs in it, C in all. Of the
/// three planes of CategoryPlanes, plane 0 holds each column's commonest category, so that a user is described by the few columns
/// that are in another one: the marks, a sparse row of D = C - items entries, one for each category of planes 1 and 2.
class TableEncoding {
 public:
  TableEncoding() = default;
  /// The categories of these rows. Throws Error(kMisuse) unless there is a row and an item, and likes and dislikes have one shape
  /// (dislikes may be undefined: none).
  TableEncoding(const Interactions& rows, TableKind kind);

  /// What it is made of, for files; and from that again. Throws Error(kData), naming `path`, when it describes no table.
  ///
  /// `appearance` gives a real user away (docs/privacy.md): over all columns, the values that appeared first are the whole of
  /// row 0. It stays because `published` follows a package in which it decides ties (DrawnUsers) and conditions
  /// (ConditionLaw::kFirstColumn), and nothing else: without that law, ties, and the planes of equally common values, could go
  /// by the value, and no file would need it.
  struct Parts {
    Tensor widths;      ///< int32 [3] columns with at least one, two and three categories
    Tensor items;       ///< int32 [I] the item of each column; columns with more categories come first
    Tensor values;      ///< int32 [C] the value of each category, by planes
    Tensor appearance;  ///< int32 [C] its place in the order in which the column's values first occur down the rows
    Tensor counts;      ///< int32 [C] rows that have it
  };
  Parts parts() const;
  static TableEncoding from_parts(const Parts& parts, const std::string& path);

  std::int64_t items() const { return planes_.columns; }
  const CategoryPlanes& planes() const { return planes_; }
  std::int64_t rows() const { return rows_; }  ///< that it was made from

  std::int64_t category_count(std::int64_t column) const {
    return 1 + (column < planes_.two ? 1 : 0) + (column < planes_.three ? 1 : 0);
  }
  /// Where category k of a column stands among the C, and among the D (k > 0).
  std::int64_t position(std::int64_t column, std::int64_t k) const {
    return column + (k > 0 ? planes_.columns : 0) + (k > 1 ? planes_.two : 0);
  }
  std::int64_t mark(std::int64_t column, std::int64_t k) const { return position(column, k) - planes_.columns; }

  std::int32_t item(std::int64_t column) const { return items_[static_cast<std::size_t>(column)]; }
  std::int64_t column(std::int32_t item) const { return columns_[static_cast<std::size_t>(item)]; }
  int value(std::int64_t column, std::int64_t k) const { return values_[static_cast<std::size_t>(position(column, k))]; }
  std::int64_t appearance(std::int64_t column, std::int64_t k) const {
    return appearance_[static_cast<std::size_t>(position(column, k))];
  }
  std::int64_t count(std::int64_t column, std::int64_t k) const { return counts_[static_cast<std::size_t>(position(column, k))]; }
  /// The category of a value, or -1 where the column has not got it.
  std::int64_t category_of(std::int64_t column, int value) const;
  /// The category that was the `place`-th to appear.
  std::int64_t category_at(std::int64_t column, std::int64_t place) const;

  /// The same for category_choice, on a device.
  CategoryTable meaning(Device device) const;

  /// Rows as marks [B, D]. Throws Error(kMisuse) for a value that the fit has not seen in its column. Where no column has
  /// dislikes (a binary table has none), those of the rows count as unrated.
  CsrMatrix encode(const Interactions& rows) const;

 private:
  void index_columns();

  CategoryPlanes planes_ = {};
  std::int64_t rows_ = 0;
  std::vector<std::int32_t> items_;       // [I] by column
  std::vector<std::int64_t> columns_;     // [I] by item
  std::vector<std::int32_t> values_;      // [C]
  std::vector<std::int32_t> appearance_;  // [C]
  std::vector<std::int32_t> counts_;      // [C]
  std::vector<std::int64_t> unlisted_;    // columns whose commonest value is not 0: encode() has to look at each
};

/// Collects users whose columns take the category with the largest score; of equal ones that which appeared first.
class DrawnUsers {
 public:
  /// About `rows` will be added (that many at most wait, below); their scores are on this device.
  DrawnUsers(const TableEncoding& table, std::int64_t rows, Device device = Device::kCpu);

  /// The values [n, I] of the categories that rows of scores [n, C], by planes, choose: NaN where a score is no finite number. It
  /// asks nothing of the host, so that a StepGraph can repeat it.
  Tensor values(const Tensor& scores) const { return category_choice(table_.planes(), scores, meaning_); }
  /// Takes those in, copied. They wait where they are until there are many, so that a GPU is seldom waited for: then likes and
  /// dislikes alone come to the host. Throws Error(kFit) where a score was no finite number, here or in take() for those who
  /// still wait.
  void add(const Tensor& values);
  void append(const Tensor& scores) { add(values(scores)); }
  /// What was collected; values of -1 are dislikes if asked for, else forgotten.
  Interactions take(bool dislikes);

 private:
  void collect();

  const TableEncoding& table_;
  CategoryTable meaning_;  ///< of the table, where the scores are
  std::int64_t room_;      ///< rows that may wait
  Tensor waiting_;         ///< [room, I] values, made by the first add()
  std::int64_t used_ = 0;  ///< rows of them
  std::vector<CsrMatrix> likes_, dislikes_;
};

/// For each user as many dislikes as likes, as far as there are items left: drawn without replacement, all alike, from the items
/// that he does not like. [rows, I] ones.
CsrMatrix draw_dislikes(const CsrMatrix& likes, std::uint64_t seed);

}  // namespace tapestry::recsys
