#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "tensor/cpu/loops.h"
#include "tensor/cpu/product.h"
#include "tensor/cpu/softmax_math.h"
#include "tensor/kernels.h"

/// MultiVAE's output layer with its loss. Items go through in blocks that stay in the second cache from the product that makes
/// their logits to the last sum over them. A block's logits are kept transposed, [items of the block, B]: then h is what the
/// products pack, once for all blocks; w is read where it lies; and maxima and sums over items run over all users at a time.
namespace tapestry {
namespace {

/// Blocks of items, two at least where there are more than a hundred: a function of the items alone, since sums over items are
/// added up block by block.
std::int64_t block_count(std::int64_t items) {
  constexpr std::int64_t kPair = 272;
  const std::int64_t pairs = (items + kPair / 2) / kPair;
  return pairs == 0 ? 1 : 2 * pairs;
}

struct Block {
  std::int64_t begin;
  std::int64_t end;
  std::int64_t size() const { return end - begin; }
};

/// Blocks of about equal width, whole tiles of items each: none is empty.
Block block_at(std::int64_t items, std::int64_t index) {
  const std::int64_t blocks = block_count(items);
  const std::int64_t tiles = (items + cpu::kTileRows - 1) / cpu::kTileRows;
  const auto begin = [=](std::int64_t at) { return std::min(items, at * tiles / blocks * cpu::kTileRows); };
  return {begin(index), begin(index + 1)};
}

/// Where everything lies in the memory of a call.
template <typename T>
struct Layout {
  Layout(std::int64_t row_count, std::int64_t items, std::int64_t hidden)
      : rows(row_count),
        stride(padded(row_count)),
        panel_rows(std::min(stride, (row_count + cpu::kPanel<T> - 1) / cpu::kPanel<T> * cpu::kPanel<T>)),
        blocks(block_count(items)),
        groups(std::min<std::int64_t>(blocks, 16)),
        shares(items * stride),
        hits(blocks * stride),
        packed_h(2 * blocks * stride),
        packed_w(padded(row_count * hidden)),
        part_size(packed_w + cpu::packed_size<T>(items / blocks + 2 * cpu::kTileRows, hidden)),
        parts(stride + padded(cpu::packed_size<T>(row_count, hidden))),
        room{shares + blocks * stride, packed_h + cpu::packed_size<T>(hidden, row_count), parts + groups * part_size} {}

  /// Up to the next cache line, which is also a multiple of any register's lanes.
  static std::int64_t padded(std::int64_t count) {
    constexpr auto line = static_cast<std::int64_t>(64 / sizeof(T));
    return (count + line - 1) / line * line;
  }
  /// The blocks of a group are done one after the other by one thread.
  std::int64_t first_block(std::int64_t group) const { return group * blocks / groups; }

  std::int64_t rows;    ///< B
  std::int64_t stride;  ///< numbers from one item's row of logits to the next
  /// Numbers of an item's row of logits that the product makes: whole registers up to the stride, but no further than the packed
  /// h^T reaches, whose last panel ends before it where a panel (24 floats with AVX2) is no multiple of a cache line.
  std::int64_t panel_rows;
  std::int64_t blocks;
  std::int64_t groups;
  // Kept: logits, then exps, then dlogits [I, stride] from 0, and
  std::int64_t
      shares;  ///< [blocks, stride]: softmax = exps * share of the block. Until all blocks are known, their largest logits
  // The forward pass: sums of a block's exps [blocks, stride] from 0, and
  std::int64_t hits;      ///< sum_i x_ri logits[r, i] over a block's items [blocks, stride]
  std::int64_t packed_h;  ///< h^T packed
  // The backward pass: the rows' weights [B] from 0, h packed [B, H] from `stride` on, and
  std::int64_t packed_w;   ///< within a group's part: behind what it adds to dh [B, H], its current block of w, packed
  std::int64_t part_size;  ///< of a group
  std::int64_t parts;      ///< where they begin
  LinearMultinomialRoom room;
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
    for (; at < target_.offsets[row + 1] && target_.columns[at] < end; ++at) body(target_.columns[at], target_at(target_, at));
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

/// A block's logits become exp(logit - the row's largest); largest and their sum, [B] each, are written.
template <typename T>
void exponentiate_block(const Block& block, std::int64_t rows, std::int64_t stride, T* logits, T* largest, T* sum) {
  std::fill_n(largest, rows, -std::numeric_limits<T>::infinity());
  for (std::int64_t i = 0; i < block.size(); ++i) {
    const T* logit = logits + i * stride;
#pragma omp simd
    for (std::int64_t row = 0; row < rows; ++row) largest[row] = logit[row] > largest[row] ? logit[row] : largest[row];
  }
  std::fill_n(sum, rows, T(0));
  for (std::int64_t i = 0; i < block.size(); ++i) {
    T* logit = logits + i * stride;
#pragma omp simd
    for (std::int64_t row = 0; row < rows; ++row) sum[row] += logit[row] = scalar::exp(logit[row] - largest[row]);
  }
}

/// log sum exp of the blocks' log sum exps, for rows [begin, end), no more than kColumnRange; largest becomes the blocks' shares.
template <typename T>
void combine_blocks(const Layout<T>& at, const CsrView<T>& target, std::int64_t begin, std::int64_t end, T* shares, const T* sums,
                    const T* hits, T* loss) {
  std::array<T, kColumnRange> lse;
  std::array<T, kColumnRange> total = {};
  std::array<T, kColumnRange> hit = {};
  const std::int64_t rows = end - begin;
  lse.fill(-std::numeric_limits<T>::infinity());  // the largest logit first
  for (std::int64_t block = 0; block < at.blocks; ++block) {
    const T* largest = shares + block * at.stride + begin;
#pragma omp simd
    for (std::int64_t i = 0; i < rows; ++i) lse[i] = largest[i] > lse[i] ? largest[i] : lse[i];
  }
  for (std::int64_t block = 0; block < at.blocks; ++block) {
    const std::int64_t from = block * at.stride + begin;
#pragma omp simd
    for (std::int64_t i = 0; i < rows; ++i) {
      total[i] += scalar::exp(shares[from + i] - lse[i]) * sums[from + i];
      hit[i] += hits[from + i];
    }
  }
  for (std::int64_t i = 0; i < rows; ++i) {
    lse[i] += scalar::log(total[i]);
    loss[begin + i] = row_loss(target, begin + i, lse[i], hit[i]);
  }
  for (std::int64_t block = 0; block < at.blocks; ++block) {
    T* share = shares + block * at.stride + begin;
#pragma omp simd
    for (std::int64_t i = 0; i < rows; ++i) share[i] = scalar::exp(share[i] - lse[i]);
  }
}

}  // namespace

template <typename T>
LinearMultinomialRoom CpuKernels<T>::linear_multinomial_room(std::int64_t rows, std::int64_t items, std::int64_t hidden) {
  return Layout<T>(rows, items, hidden).room;
}

template <typename T>
void CpuKernels<T>::linear_multinomial_nll(std::int64_t hidden, const T* h, const T* w, const T* bias, const CsrView<T>& target,
                                           T* kept, T* loss, T* workspace) {
  const std::int64_t rows = target.rows;
  const std::int64_t items = target.cols;
  const Layout<T> at(rows, items, hidden);
  T* sums = workspace;
  T* hits = workspace + at.hits;
  T* packed_h = workspace + at.packed_h;
  pack_together(true, hidden, rows, h, hidden, packed_h);
#pragma omp parallel
  {
    Entries<T>::make_room(rows);
#pragma omp for schedule(dynamic, 1)
    for (std::int64_t group = 0; group < at.groups; ++group) {
      Entries<T> entries(target, block_at(items, at.first_block(group)).begin);
      for (std::int64_t index = at.first_block(group); index < at.first_block(group + 1); ++index) {
        const Block block = block_at(items, index);
        T* logits = kept + block.begin * at.stride;
        cpu::multiply_panels(false, block.size(), at.panel_rows, hidden, w + block.begin * hidden, hidden, packed_h,
                             {false, bias + block.begin}, logits, at.stride);
        for (std::int64_t row = 0; row < rows; ++row) {
          T hit = 0;
          entries.take(row, block.end,
                       [&](std::int64_t item, T value) { hit += value * logits[(item - block.begin) * at.stride + row]; });
          hits[index * at.stride + row] = hit;
        }
        exponentiate_block(block, rows, at.stride, logits, kept + at.shares + index * at.stride, sums + index * at.stride);
      }
    }
  }
  for_column_ranges(rows, rows * at.blocks, [&](std::int64_t begin, std::int64_t end) {
    combine_blocks(at, target, begin, end, kept + at.shares, sums, hits, loss);
  });
}

template <typename T>
void CpuKernels<T>::linear_multinomial_nll_backward(std::int64_t hidden, const T* h, const T* w, const CsrView<T>& target,
                                                    T* kept, const T* scale, T* dw, T* dbias, T* dh, T* workspace) {
  const std::int64_t rows = target.rows;
  const std::int64_t items = target.cols;
  const Layout<T> at(rows, items, hidden);
  T* weights = workspace;
  for (std::int64_t row = 0; row < rows; ++row) weights[row] = *scale * row_weight(target, row);
  T* packed_h = workspace + at.stride;
  pack_together(false, rows, hidden, h, hidden, packed_h);
#pragma omp parallel
  {
    Entries<T>::make_room(rows);
#pragma omp for schedule(dynamic, 1)
    for (std::int64_t group = 0; group < at.groups; ++group) {
      T* part = workspace + at.parts + group * at.part_size;  // of dh [B, H]
      const std::int64_t first = at.first_block(group);
      Entries<T> entries(target, block_at(items, first).begin);
      for (std::int64_t index = first; index < at.first_block(group + 1); ++index) {
        const Block block = block_at(items, index);
        T* dlogits = kept + block.begin * at.stride;
        const T* share = kept + at.shares + index * at.stride;
        T* sums = dbias + block.begin;
        for (std::int64_t i = 0; i < block.size(); ++i) {
          T* gradient = dlogits + i * at.stride;
          T sum = 0;
#pragma omp simd reduction(+ : sum)
          for (std::int64_t row = 0; row < rows; ++row) sum += gradient[row] *= weights[row] * share[row];
          sums[i] = sum;
        }
        for (std::int64_t row = 0; row < rows; ++row) {
          entries.take(row, block.end, [&](std::int64_t item, T value) {
            dlogits[(item - block.begin) * at.stride + row] -= *scale * value;
            sums[item - block.begin] -= *scale * value;
          });
        }
        const T* block_w = w + block.begin * hidden;
        cpu::multiply_panels(false, block.size(), hidden, rows, dlogits, at.stride, packed_h, {}, dw + block.begin * hidden,
                             hidden);
        cpu::pack_panels(false, block.size(), hidden, block_w, hidden, part + at.packed_w);
        cpu::multiply_panels(true, rows, hidden, block.size(), dlogits, at.stride, part + at.packed_w, {index > first}, part,
                             hidden);
      }
    }
  }
  for_chunks(rows * hidden, [=](std::int64_t begin, std::int64_t end) {
    const T* part = workspace + at.parts;
    std::copy(part + begin, part + end, dh + begin);
    for (std::int64_t group = 1; group < at.groups; ++group) {
      part += at.part_size;
#pragma omp simd
      for (std::int64_t i = begin; i < end; ++i) dh[i] += part[i];
    }
  });
}

template struct CpuKernels<float>;
template struct CpuKernels<double>;

}  // namespace tapestry
