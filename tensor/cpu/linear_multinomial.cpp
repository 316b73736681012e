#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "tensor/cpu/loops.h"
#include "tensor/cpu/product.h"
#include "tensor/cpu/softmax_math.h"
#include "tensor/kernels.h"

/// MultiVAE's output layer with its loss: B rows r (users), I items i, H hidden numbers; h [B, H], w [I, H], bias [I], and
/// targets x [B, I], of which only the entries are stored.
///
///     logits = h w^T + bias          lse_r = log sum_i exp(logits_ri)           loss_r = N_r lse_r - sum_i x_ri logits_ri
///     N_r = sum_i x_ri               softmax_ri = exp(logits_ri - lse_r)        dlogits_ri = scale (N_r softmax_ri - x_ri)
///     dw = dlogits^T h               dbias_i = sum_r dlogits_ri                 dh = dlogits w
///
/// Items go through in blocks b that stay in the second cache from the product that makes their logits to the last sum over them.
/// A block's exponentials are taken before lse is known; one factor for each row, the block's share, makes softmax of them later:
///
///     largest_rb = max of logits_ri over i in b           exps_ri = exp(logits_ri - largest_rb) for i in b
///     sums_rb = sum of exps_ri over i in b                lse_r = log sum_b exp(largest_rb) sums_rb
///     hits_rb = sum of x_ri logits_ri over i in b         shares_rb = exp(largest_rb - lse_r): softmax_ri = exps_ri shares_rb
///
/// Every item and every block has a line of `stride` numbers, one for each row and unused ones up to the next cache line: logits
/// lie transposed. Then h is what the products pack, once for all blocks; w is read where it lies; and maxima and sums over items
/// run over all rows at a time. The memory of a call:
///
///                             row 0 .. B-1 .. stride
///     Kept                  +------------------------+
///       items of block 0    |                        |   [I, stride]: logits, then exps, then dlogits
///       items of block 1    |                        |
///       ..                  +------------------------+
///       blocks              |                        |   [blocks, stride]: largest, then shares
///                           +------------------------+
///
///     ForwardScratch        sums [blocks, stride] | hits [blocks, stride] | packed h^T
///
///     BackwardScratch       weights [stride] | packed h | group 0 | group 1 | ..
///       a group of blocks   its part of dh [B, H] | its current block of w, packed
namespace tapestry {
namespace {

/// Block `index`: items [begin, end).
struct Block {
  std::int64_t index;
  std::int64_t begin;
  std::int64_t end;
  std::int64_t size() const { return end - begin; }
};

/// Up to the next cache line, which is also a multiple of any register's lanes.
template <typename T>
std::int64_t padded(std::int64_t count) {
  constexpr auto kLine = static_cast<std::int64_t>(64 / sizeof(T));
  return (count + kLine - 1) / kLine * kLine;
}

/// A call's dimensions, and how its items are cut into blocks and those into groups.
template <typename T>
struct Sizes {
  Sizes(std::int64_t row_count, std::int64_t item_count, std::int64_t hidden_size)
      : rows(row_count),
        items(item_count),
        hidden(hidden_size),
        stride(padded<T>(rows)),
        panel_rows(std::min(stride, (rows + cpu::kPanel<T> - 1) / cpu::kPanel<T> * cpu::kPanel<T>)),
        blocks(block_count(items)),
        groups(std::min<std::int64_t>(blocks, 16)) {}

  /// Two blocks for every 272 items, rounded, and one for fewer than 136: a function of the items alone, since sums over items
  /// are added up block by block.
  static std::int64_t block_count(std::int64_t items) {
    constexpr std::int64_t kPair = 272;
    const std::int64_t pairs = (items + kPair / 2) / kPair;
    return pairs == 0 ? 1 : 2 * pairs;
  }
  /// Blocks of about equal width, whole tiles of items each: none is empty where there are items.
  Block block(std::int64_t index) const {
    const std::int64_t tiles = (items + cpu::kTileRows - 1) / cpu::kTileRows;
    const auto begin = [&](std::int64_t at) { return std::min(items, at * tiles / blocks * cpu::kTileRows); };
    return {index, begin(index), begin(index + 1)};
  }
  /// Room for the items of any block: their mean and the rounding to tiles.
  std::int64_t block_room() const { return items / blocks + 2 * cpu::kTileRows; }
  /// The blocks of a group, from this one to the next group's first, are done one after the other by one thread.
  std::int64_t first_block(std::int64_t group) const { return group * blocks / groups; }

  std::int64_t rows;    ///< B
  std::int64_t items;   ///< I
  std::int64_t hidden;  ///< H
  std::int64_t stride;  ///< of a line: B and what is unused
  /// Numbers of an item's line that the product of logits makes: whole registers up to the stride, but no further than the packed
  /// h^T reaches, whose last panel ends before it where a panel (24 floats with AVX2) is no multiple of a cache line.
  std::int64_t panel_rows;
  std::int64_t blocks;
  std::int64_t groups;  ///< units of work, a function of the items alone as well: dh is added up group by group
};

/// Rows of numbers, `stride` apart.
template <typename T>
struct Lines {
  T* data;
  std::int64_t stride;

  T* operator[](std::int64_t index) const { return data + index * stride; }
  /// The lines from `index` on.
  Lines from(std::int64_t index) const { return {data + index * stride, stride}; }
};

/// What the forward pass leaves for the backward pass.
template <typename T>
struct Kept {
  static std::int64_t count(const Sizes<T>& sizes) { return (sizes.items + sizes.blocks) * sizes.stride; }
  Kept(const Sizes<T>& sizes, T* memory) : items{memory, sizes.stride}, blocks(items.from(sizes.items)) {}

  // A block's items [size of the block, stride]: the same memory, which holds these one after the other.
  Lines<T> logits(const Block& block) const { return items.from(block.begin); }
  Lines<T> exps(const Block& block) const { return items.from(block.begin); }
  Lines<T> dlogits(const Block& block) const { return items.from(block.begin); }

  // [B] of block `index`, likewise: its largest logits until lse is known, then its shares.
  T* largest(std::int64_t index) const { return blocks[index]; }
  T* shares(std::int64_t index) const { return blocks[index]; }

  Lines<T> items;   ///< [I, stride]
  Lines<T> blocks;  ///< [blocks, stride]
};

/// Working memory of the forward pass.
template <typename T>
struct ForwardScratch {
  static std::int64_t count(const Sizes<T>& sizes) {
    return 2 * sizes.blocks * sizes.stride + cpu::packed_size<T>(sizes.hidden, sizes.rows);
  }
  ForwardScratch(const Sizes<T>& sizes, T* memory)
      : sums{memory, sizes.stride}, hits(sums.from(sizes.blocks)), packed_h(hits[sizes.blocks]) {}

  Lines<T> sums;  ///< [blocks, stride]
  Lines<T> hits;  ///< [blocks, stride]
  T* packed_h;    ///< h^T [H, B], packed
};

/// Working memory of the backward pass.
template <typename T>
struct BackwardScratch {
  static std::int64_t count(const Sizes<T>& sizes) { return sizes.stride + h_room(sizes) + sizes.groups * group_room(sizes); }
  BackwardScratch(const Sizes<T>& sizes, T* memory)
      : weights(memory),
        packed_h(weights + sizes.stride),
        dh_parts{packed_h + h_room(sizes), group_room(sizes)},
        packed_w{dh_parts.data + dh_room(sizes), group_room(sizes)} {}

  T* weights;         ///< [B]: scale N_r
  T* packed_h;        ///< h [B, H], packed
  Lines<T> dh_parts;  ///< of each group, what its items add to dh [B, H]
  Lines<T> packed_w;  ///< of each group, its current block's rows of w [size of the block, H], packed

 private:
  static std::int64_t h_room(const Sizes<T>& sizes) { return padded<T>(cpu::packed_size<T>(sizes.rows, sizes.hidden)); }
  static std::int64_t dh_room(const Sizes<T>& sizes) { return padded<T>(sizes.rows * sizes.hidden); }
  static std::int64_t group_room(const Sizes<T>& sizes) {
    return dh_room(sizes) + cpu::packed_size<T>(sizes.block_room(), sizes.hidden);
  }
};

/// Goes through a target's rows from block to block.
template <typename T>
class Entries {
 public:
  /// Lets the calling thread walk through `rows` rows. Each thread of a team asks for it, whether it gets a group now or only in
  /// a later call: who gets one is chance, and a step that is warm must not allocate.
  static void make_room(std::int64_t rows) {
    if (next_.size() < static_cast<std::size_t>(rows)) next_.resize(static_cast<std::size_t>(rows));
  }
  /// Entries of `target` from column `begin` on. A thread has room for one such walk at a time.
  Entries(const CsrView<T>& target, std::int64_t begin) : target_(target) {
    for (std::int64_t row = 0; row < target.rows; ++row) {
      const std::int32_t* first = target.columns + target.offsets[row];
      const std::int32_t* last = target.columns + target.offsets[row + 1];
      next_[static_cast<std::size_t>(row)] = std::lower_bound(first, last, begin) - target.columns;
    }
  }

  /// body(column, value) for the next entries of a row before column `end`.
  template <typename Body>
  void take(std::int64_t row, std::int64_t end, const Body& body) {
    std::int64_t& at = next_[static_cast<std::size_t>(row)];
    for (; at < target_.offsets[row + 1] && target_.columns[at] < end; ++at) body(target_.columns[at], value_at(target_, at));
  }

 private:
  const CsrView<T>& target_;
  static thread_local std::vector<std::int64_t> next_;
};

template <typename T>
thread_local std::vector<std::int64_t> Entries<T>::next_;

/// Packs B' for everybody, all threads together.
template <typename T>
void pack_together(bool transpose_b, std::int64_t k, std::int64_t n, const T* b, std::int64_t ldb, T* packed) {
#pragma omp parallel for schedule(static) if (k * n >= kParallelElements)
  for (std::int64_t col = 0; col < n; col += cpu::kPanel<T>) {
    cpu::pack_panels(transpose_b, k, std::min(cpu::kPanel<T>, n - col), b + col * (transpose_b ? ldb : 1), ldb, packed + col * k);
  }
}

/// body(block, group, entries) for all blocks. Groups go to whichever thread is free; blocks of a group come in order, with
/// entries of `target` from the block's first item on, of which the body has to take the block's.
template <typename T, typename Body>
void for_blocks(const Sizes<T>& sizes, const CsrView<T>& target, const Body& body) {
#pragma omp parallel
  {
    Entries<T>::make_room(sizes.rows);
#pragma omp for schedule(dynamic, 1)
    for (std::int64_t group = 0; group < sizes.groups; ++group) {
      const std::int64_t first = sizes.first_block(group);
      Entries<T> entries(target, sizes.block(first).begin);
      for (std::int64_t index = first; index < sizes.first_block(group + 1); ++index) body(sizes.block(index), group, entries);
    }
  }
}

// --- forward -----------------------------------------------------------------------------------------------------------------

/// The block's logits [size of the block, stride] = its rows of w [I, H] times h^T, + its items' bias [I].
template <typename T>
void block_logits(const Sizes<T>& sizes, const Block& block, const T* w, const T* bias, const T* packed_h, Lines<T> logits) {
  cpu::multiply_panels(false, block.size(), sizes.panel_rows, sizes.hidden, w + block.begin * sizes.hidden, sizes.hidden,
                       packed_h, {false, bias + block.begin}, logits.data, logits.stride);
}

/// The block's hits [B] from its logits [size of the block, stride].
template <typename T>
void block_hits(std::int64_t rows, const Block& block, Lines<T> logits, Entries<T>& entries, T* hits) {
  for (std::int64_t row = 0; row < rows; ++row) {
    T hit = 0;
    entries.take(row, block.end, [&](std::int64_t item, T value) { hit += value * logits[item - block.begin][row]; });
    hits[row] = hit;
  }
}

/// The block's largest logits and sums, [B] each; in place of its logits [size of the block, stride] its exps.
template <typename T>
void block_exponentials(std::int64_t rows, const Block& block, Lines<T> logits, T* largest, T* sums) {
  std::fill_n(largest, rows, std::numeric_limits<T>::lowest());  // of -infinity alone: exps of 0, where -infinity gave NaN
  for (std::int64_t i = 0; i < block.size(); ++i) {
    const T* logit = logits[i];
#pragma omp simd
    for (std::int64_t row = 0; row < rows; ++row) largest[row] = logit[row] > largest[row] ? logit[row] : largest[row];
  }
  std::fill_n(sums, rows, T(0));
  for (std::int64_t i = 0; i < block.size(); ++i) {
    T* logit = logits[i];
#pragma omp simd
    for (std::int64_t row = 0; row < rows; ++row) sums[row] += logit[row] = scalar::exp(logit[row] - largest[row]);
  }
}

/// When all blocks are done: the loss [B] of rows [begin, end), no more than kColumnRange; in place of their largest logits in
/// every block, [blocks, stride], its shares.
template <typename T>
void combine_blocks(const Sizes<T>& sizes, const CsrView<T>& target, std::int64_t begin, std::int64_t end, const Kept<T>& kept,
                    const ForwardScratch<T>& scratch, T* loss) {
  std::array<T, kColumnRange> lse;
  std::array<T, kColumnRange> total = {};
  std::array<T, kColumnRange> hit = {};
  const std::int64_t rows = end - begin;
  lse.fill(-std::numeric_limits<T>::infinity());  // the largest logit of all blocks, until its sum of exps is known
  for (std::int64_t block = 0; block < sizes.blocks; ++block) {
    const T* largest = kept.largest(block) + begin;
#pragma omp simd
    for (std::int64_t i = 0; i < rows; ++i) lse[i] = largest[i] > lse[i] ? largest[i] : lse[i];
  }
  for (std::int64_t block = 0; block < sizes.blocks; ++block) {
    const T* largest = kept.largest(block) + begin;
    const T* sums = scratch.sums[block] + begin;
    const T* hits = scratch.hits[block] + begin;
#pragma omp simd
    for (std::int64_t i = 0; i < rows; ++i) {
      total[i] += scalar::exp(largest[i] - lse[i]) * sums[i];
      hit[i] += hits[i];
    }
  }
  for (std::int64_t i = 0; i < rows; ++i) {
    lse[i] += scalar::log(total[i]);
    loss[begin + i] = row_loss(target, begin + i, lse[i], hit[i]);
  }
  for (std::int64_t block = 0; block < sizes.blocks; ++block) {
    T* share = kept.shares(block) + begin;  // so far the largest logits
#pragma omp simd
    for (std::int64_t i = 0; i < rows; ++i) share[i] = scalar::exp(share[i] - lse[i]);
  }
}

// --- backward ----------------------------------------------------------------------------------------------------------------

/// The block's dlogits [size of the block, stride] in place of its exps, and their sums over rows, dbias [size of the block]. Its
/// shares and the weights are [B], scale a number.
template <typename T>
void block_gradient(std::int64_t rows, const Block& block, const T* shares, const T* weights, const T* scale, Entries<T>& entries,
                    Lines<T> exps, T* dbias) {
  for (std::int64_t i = 0; i < block.size(); ++i) {
    T* gradient = exps[i];
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t row = 0; row < rows; ++row) sum += gradient[row] *= weights[row] * shares[row];
    dbias[i] = sum;
  }
  const Lines<T> dlogits = exps;  // but for the targets
  for (std::int64_t row = 0; row < rows; ++row) {
    entries.take(row, block.end, [&](std::int64_t item, T value) {
      dlogits[item - block.begin][row] -= *scale * value;
      dbias[item - block.begin] -= *scale * value;
    });
  }
}

/// From the block's dlogits [size of the block, stride] its rows of dw [I, H] and what it adds to its group's part of dh.
template <typename T>
void block_products(const Sizes<T>& sizes, const Block& block, std::int64_t group, Lines<T> dlogits, const T* w,
                    const BackwardScratch<T>& scratch, T* dw) {
  const std::int64_t hidden = sizes.hidden;
  const bool add = block.index > sizes.first_block(group);  // to what the group's blocks before it have left there
  T* packed_w = scratch.packed_w[group];
  cpu::multiply_panels(false, block.size(), hidden, sizes.rows, dlogits.data, dlogits.stride, scratch.packed_h, {},
                       dw + block.begin * hidden, hidden);
  cpu::pack_panels(false, block.size(), hidden, w + block.begin * hidden, hidden, packed_w);
  cpu::multiply_panels(true, sizes.rows, hidden, block.size(), dlogits.data, dlogits.stride, packed_w, {add},
                       scratch.dh_parts[group], hidden);
}

/// dh [B, H] = the groups' parts of it, added up in their order.
template <typename T>
void add_parts(const Sizes<T>& sizes, const BackwardScratch<T>& scratch, T* dh) {
  for_chunks(sizes.rows * sizes.hidden, [=](std::int64_t begin, std::int64_t end) {
    std::copy(scratch.dh_parts[0] + begin, scratch.dh_parts[0] + end, dh + begin);
    for (std::int64_t group = 1; group < sizes.groups; ++group) {
      const T* part = scratch.dh_parts[group];
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) dh[i] += part[i];
    }
  });
}

}  // namespace

template <typename T>
LinearMultinomialRoom CpuKernels<T>::linear_multinomial_room(std::int64_t rows, std::int64_t items, std::int64_t hidden) {
  const Sizes<T> sizes(rows, items, hidden);
  return {Kept<T>::count(sizes), ForwardScratch<T>::count(sizes), BackwardScratch<T>::count(sizes)};
}

template <typename T>
void CpuKernels<T>::linear_multinomial_nll(std::int64_t hidden, const T* h, const T* w, const T* bias, const CsrView<T>& target,
                                           T* kept, T* loss, T* workspace) {
  const Sizes<T> sizes(target.rows, target.cols, hidden);
  const Kept<T> view(sizes, kept);
  const ForwardScratch<T> scratch(sizes, workspace);
  pack_together(true, hidden, sizes.rows, h, hidden, scratch.packed_h);
  for_blocks(sizes, target, [&](const Block& block, std::int64_t /*group*/, Entries<T>& entries) {
    block_logits(sizes, block, w, bias, scratch.packed_h, view.logits(block));
    block_hits(sizes.rows, block, view.logits(block), entries, scratch.hits[block.index]);
    block_exponentials(sizes.rows, block, view.logits(block), view.largest(block.index), scratch.sums[block.index]);
  });
  for_column_ranges(sizes.rows, sizes.rows * sizes.blocks, [&](std::int64_t begin, std::int64_t end) {
    combine_blocks(sizes, target, begin, end, view, scratch, loss);
  });
}

template <typename T>
void CpuKernels<T>::linear_multinomial_nll_backward(std::int64_t hidden, const T* h, const T* w, const CsrView<T>& target,
                                                    T* kept, const T* scale, T* dw, T* dbias, T* dh, T* workspace) {
  const Sizes<T> sizes(target.rows, target.cols, hidden);
  const Kept<T> view(sizes, kept);
  const BackwardScratch<T> scratch(sizes, workspace);
  for (std::int64_t row = 0; row < sizes.rows; ++row) scratch.weights[row] = *scale * row_weight(target, row);
  pack_together(false, sizes.rows, hidden, h, hidden, scratch.packed_h);
  for_blocks(sizes, target, [&](const Block& block, std::int64_t group, Entries<T>& entries) {
    block_gradient(sizes.rows, block, view.shares(block.index), scratch.weights, scale, entries, view.exps(block),
                   dbias + block.begin);
    block_products(sizes, block, group, view.dlogits(block), w, scratch, dw);
  });
  add_parts(sizes, scratch, dh);
}

template struct CpuKernels<float>;
template struct CpuKernels<double>;

}  // namespace tapestry
