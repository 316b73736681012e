#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/data/interactions.h"
#include "recsys/data/protocol.h"

namespace tapestry::recsys {

/// How far a stage has come.
struct StageProgress {
  double fraction = 0;                     ///< of the stage's work that is done, estimated where its end is not known
  std::optional<std::int64_t> epoch = {};  ///< from 0, for stages that have epochs
  std::optional<double> loss = {};         ///< of a finished epoch
  std::optional<double> metric = {};
  std::string_view metric_name = "metric";  ///< what it is, where the stage alone does not say so
  /// Of an epoch that a fit has taken up from its checkpoint. Such epochs are told of first of all, as if they were made now.
  struct Earlier {
    double seconds;  ///< that the fit had taken in earlier starts
    bool last;       ///< of these epochs
  };
  std::optional<Earlier> earlier = {};
};

/// Watches a model being fitted or sampled, stage by stage ("vae_fit", "sdrm_fit", "sample_f", ...). Any call may throw, which
/// cancels the work.
class StageListener {
 public:
  virtual ~StageListener() = default;
  virtual void begin(const std::string& stage) = 0;
  virtual void advance(const std::string& stage, const StageProgress& progress) = 0;
  virtual void end(const std::string& stage) = 0;
  /// A line for the user about something that was put right.
  virtual void warn(const std::string& message) = 0;
};

/// A stage that is still to come, with a guess of how long it takes on an ordinary pair of cores.
struct PlannedStage {
  std::string name;
  double seconds = 0;
};

/// Operations a second that such guesses reckon with: itself a rough guess, which the times that stages turn out to take correct
/// (recsys/experiment/eta.h).
inline constexpr double kGuessedRate = 5e10;

/// What is asked of a generator. Those of a table (CTGAN, TVAE) draw every entry as like, dislike or nothing and do not look at
/// `density`, but for "tvae-threshold", which cuts scores like the others. With `dislikes` they give those that they drew; from a
/// table that has none (`strict`), as many as a user has likes, drawn from his other items (draw_dislikes).
struct SampleRequest {
  std::int64_t rows = 0;
  double density = 0;     ///< share of all entries that become likes
  bool dislikes = false;  ///< also the entries that the model holds for the least likely: as many again (NeuMF learns from both)
};

/// Learns a distribution of users and draws synthetic ones from it.
class Generator {
 public:
  virtual ~Generator() = default;

  virtual const std::string& name() const = 0;

  /// What fit() and sample() are going to do, in their order: fits that are kept already are left out. Generators that share a
  /// fit each name it.
  virtual std::vector<PlannedStage> plan(const ProtocolData& protocol) const = 0;

  /// Learns from protocol.generator (published: [N + V, I], D and the evaluation inputs; strict: D [N, I]); protocol.selection
  /// may be asked for users to stop early on. Generators made together may share what one of them has learnt. Throws Error(kFit),
  /// in one line with epoch and loss or the parameter that ran away, when training diverges: the same again for the others that
  /// share the fit.
  virtual void fit(const ProtocolData& protocol, StageListener& listener) = 0;

  /// Synthetic users, the same on every call. Throws Error(kMisuse) before fit() or load(), Error(kFit) when a model that
  /// diverged gives scores that are no numbers.
  virtual Interactions sample(const SampleRequest& request, StageListener& listener) const = 0;

  /// What was learnt, as safetensors files `stem`-<part>.safetensors in an existing folder, with the configuration of the folder
  /// that the generator keeps its models in.
  virtual void save(const std::filesystem::path& stem) const = 0;
  /// Takes up what save() wrote, for a data set of I items. Generators made together that share a fit share what is loaded too.
  /// Throws Error(kData) when a file is damaged, of other sizes or of another configuration than this generator's, or when files
  /// that belong together come from different fits.
  virtual void load(const std::filesystem::path& stem, std::int64_t items) = 0;
};

}  // namespace tapestry::recsys
