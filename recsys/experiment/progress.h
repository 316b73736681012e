#pragma once

#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "recsys/experiment/eta.h"
#include "recsys/generators/generator.h"

namespace tapestry::recsys {

/// The stage that is being worked on.
struct StageLabel {
  int job = 0;
  std::string dataset, recommender;
  int run = 0;  ///< 0: belongs to no run (load)
  int runs = 0;
  std::string stage;
};

struct ProgressEvent {
  enum class Kind : std::uint8_t { kStageBegin, kAdvance, kStageEnd, kUnit, kWarning };
  Kind kind = Kind::kAdvance;
  StageLabel label;
  StageProgress progress;  ///< kAdvance
  double seconds = 0;      ///< kStageEnd: its wall time
  std::string text;        ///< kUnit: the unit finished; kWarning: the message
  double elapsed = 0;      ///< since the Progress was made
  double remaining = 0;    ///< estimated until its end, seconds
};

/// Shows progress to someone. Called by one thread at a time.
class ProgressDisplay {
 public:
  virtual ~ProgressDisplay() = default;
  virtual void show(const ProgressEvent& event) = 0;
  /// Called several times a second while nothing happens, with new times.
  virtual void tick(double /*elapsed*/, double /*remaining*/) {}
  /// From here on lines may be written (see JsonLinesDisplay).
  virtual void release() {}
  /// Removes what is on the screen, so that other text can be written; the next event brings it back.
  virtual void clear() {}
};

/// The part of the text that stays in one line of the terminal, so that it can be redrawn and taken away: a full line would wrap.
std::string cut_to_line(const std::string& text, std::size_t columns);
/// How many columns the terminal has; 80 for a file that does not say.
std::size_t terminal_columns(std::FILE* terminal);

/// One bar for the whole job on a terminal, redrawn in place at most ten times a second.
class BarDisplay : public ProgressDisplay {
 public:
  explicit BarDisplay(std::FILE* terminal) : terminal_(terminal) {}
  ~BarDisplay() override { clear(); }
  void show(const ProgressEvent& event) override;
  void tick(double elapsed, double remaining) override;
  void clear() override;

  /// The line itself: "[#####.....]  37 %  ETA 2:15  ml-100k run 2/5 vae_fit epoch 31 loss 512.3".
  static std::string line(double elapsed, double remaining, const std::string& doing, std::size_t columns);

 private:
  std::FILE* terminal_;
  std::string doing_;
  double drawn_ = -1;  ///< when, in elapsed seconds
  bool visible_ = false;
};

/// One JSON object per line: every begin and end of a stage, every fit that goes on behind a kill ("resumed"), every unit, every
/// warning, and of the epochs between at most four a second. Lines wait until release(), so that a job refused for its input
/// leaves nothing but its error on the stream.
class JsonLinesDisplay : public ProgressDisplay {
 public:
  using Write = std::function<void(const std::string& line)>;
  explicit JsonLinesDisplay(Write write) : write_(std::move(write)) {}
  void show(const ProgressEvent& event) override;
  void release() override;

 private:
  Write write_;
  bool released_ = false;
  std::vector<std::string> waiting_;
  double last_advance_ = -1;
};

/// Collects what all workers report, estimates the time left and hands both to a display. Safe to call from several threads. What
/// the display throws passes through to the worker.
class Progress {
 public:
  using Clock = std::function<double()>;  ///< seconds

  /// `ticking`: a thread of its own keeps the display moving between events.
  explicit Progress(std::unique_ptr<ProgressDisplay> display, bool ticking = false, Clock clock = {});
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void set_workers(int workers);
  void plan(int job, const std::string& stage, double guess_seconds);
  EtaEstimator::Task begin(const StageLabel& label);
  /// With what an earlier start did, which is to come once, the stage goes on behind that.
  void advance(EtaEstimator::Task task, const StageLabel& label, const StageProgress& progress);
  /// Returns the stage's wall time in seconds.
  double end(EtaEstimator::Task task, const StageLabel& label);
  void finish_job(int job);
  void unit(const StageLabel& label, const std::string& text);
  void warn(const std::string& message);
  void release();
  void clear();
  /// Ends the display: nothing is shown from here on.
  void finish();
  double elapsed() const { return clock_(); }

 private:
  void show(ProgressEvent event, double now);

  std::unique_ptr<ProgressDisplay> display_;
  Clock clock_;
  std::mutex mutex_;
  EtaEstimator eta_;
  std::vector<double> began_;  ///< by task
  int workers_ = 1;
  std::jthread ticker_;
};

}  // namespace tapestry::recsys
