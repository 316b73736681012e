#include "recsys/experiment/progress.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <nlohmann/json.hpp>

#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

using Json = nlohmann::ordered_json;

/// "0:07", "2:15", "1:02:05".
std::string clock_text(double seconds) {
  const auto whole = static_cast<long>(std::ceil(std::max(0.0, seconds)));
  char text[32];
  if (whole >= 3600) {
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
  }
  return text;
}

std::string rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

/// "ml-100k run 2/5 vae_fit epoch 31 loss 512.3 metric 0.3811".
std::string describe(const StageLabel& label, const StageProgress& progress) {
  std::string text = label.dataset;
  if (label.run > 0) text += concat(" run ", label.run, "/", label.runs);
  text += " " + label.stage;
  if (progress.epoch) text += concat(" epoch ", *progress.epoch + 1);
  if (progress.loss) text += " loss " + rounded(*progress.loss);
  if (progress.metric) text += concat(" ", progress.metric_name, " ", rounded(*progress.metric));
  return text;
}

double tenths(double seconds) { return std::round(seconds * 10) / 10; }

const char* event_name(ProgressEvent::Kind kind, const StageProgress& progress) {
  switch (kind) {
    case ProgressEvent::Kind::kStageBegin:
      return "stage_begin";
    case ProgressEvent::Kind::kAdvance:
      return progress.earlier ? "resumed" : progress.epoch ? "epoch" : "progress";
    case ProgressEvent::Kind::kStageEnd:
      return "stage_end";
    case ProgressEvent::Kind::kUnit:
      return "unit";
    case ProgressEvent::Kind::kWarning:
      return "warning";
  }
  return "";
}

std::string json_line(const ProgressEvent& event) {
  Json json;
  json["event"] = event_name(event.kind, event.progress);
  if (event.kind == ProgressEvent::Kind::kWarning) {
    json["message"] = event.text;
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  json["dataset"] = event.label.dataset;
  if (event.label.run > 0) {
    json["recommender"] = event.label.recommender;
    json["run"] = event.label.run;
  }
  if (event.kind == ProgressEvent::Kind::kUnit) {
    json["unit"] = event.text;
  } else {
    json["stage"] = event.label.stage;
  }
  if (event.progress.epoch) json["epoch"] = *event.progress.epoch + 1;
  if (event.progress.loss) json["loss"] = *event.progress.loss;
  if (event.progress.metric) {
    json["metric"] = *event.progress.metric;
    if (event.progress.metric_name != "metric") json["metric_name"] = event.progress.metric_name;
  }
  if (event.progress.earlier) json["earlier_seconds"] = tenths(event.progress.earlier->seconds);
  if (event.kind == ProgressEvent::Kind::kAdvance) json["stage_done"] = std::round(event.progress.fraction * 1000) / 1000;
  if (event.kind == ProgressEvent::Kind::kStageEnd) json["seconds"] = event.seconds;
  json["elapsed_seconds"] = tenths(event.elapsed);
  json["eta_seconds"] = tenths(event.remaining);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string cut_to_line(const std::string& text, std::size_t columns) { return text.substr(0, columns > 1 ? columns - 1 : 0); }

std::size_t terminal_columns(std::FILE* terminal) {
  winsize size = {};
  return ::ioctl(::fileno(terminal), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string BarDisplay::line(double elapsed, double remaining, const std::string& doing, std::size_t columns) {
  constexpr int kCells = 24;
  const double fraction = elapsed + remaining > 0 ? elapsed / (elapsed + remaining) : 0;
  const int filled = std::clamp(static_cast<int>(fraction * kCells), 0, kCells);
  char percent[16];
  std::snprintf(percent, sizeof percent, "%3d %%", static_cast<int>(fraction * 100));
  const std::string text = "[" + std::string(static_cast<std::size_t>(filled), '#') +
                           std::string(static_cast<std::size_t>(kCells - filled), '.') + "] " + percent + "  ETA " +
                           clock_text(remaining) + "  " + doing;
  return cut_to_line(text, columns);
}

void BarDisplay::show(const ProgressEvent& event) {
  if (event.kind == ProgressEvent::Kind::kWarning) {
    clear();
    std::fprintf(terminal_, "warning: %s\n", event.text.c_str());
  } else if (event.kind != ProgressEvent::Kind::kUnit) {
    doing_ = describe(event.label, event.progress);
  }
  tick(event.elapsed, event.remaining);
}

void BarDisplay::tick(double elapsed, double remaining) {
  constexpr double kPause = 0.1;
  if (visible_ && elapsed - drawn_ < kPause) return;
  drawn_ = elapsed;
  visible_ = true;
  std::fprintf(terminal_, "\r\x1b[K%s", line(elapsed, remaining, doing_, terminal_columns(terminal_)).c_str());
  std::fflush(terminal_);
}

void BarDisplay::clear() {
  if (!visible_) return;
  std::fputs("\r\x1b[K", terminal_);
  std::fflush(terminal_);
  visible_ = false;
}

void JsonLinesDisplay::show(const ProgressEvent& event) {
  constexpr double kPause = 0.25;
  if (event.kind == ProgressEvent::Kind::kAdvance && !event.progress.earlier) {
    if (last_advance_ >= 0 && event.elapsed - last_advance_ < kPause) return;
    last_advance_ = event.elapsed;
  }
  released_ ? write_(json_line(event)) : waiting_.push_back(json_line(event));
}

void JsonLinesDisplay::release() {
  released_ = true;
  for (const std::string& text : waiting_) write_(text);
  waiting_.clear();
}

Progress::Progress(std::unique_ptr<ProgressDisplay> display, bool ticking, Clock clock)
    : display_(std::move(display)), clock_(std::move(clock)) {
  if (!clock_) {
    clock_ = [start = std::chrono::steady_clock::now()] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
  }
  if (!ticking) return;
  ticker_ = std::jthread([this](const std::stop_token& stop) {
    constexpr auto kPause = std::chrono::milliseconds(250);
    std::mutex unused;
    std::condition_variable_any wake;
    std::unique_lock lock(unused);
    while (!wake.wait_for(lock, stop, kPause, [] { return false; }) && !stop.stop_requested()) {
      const std::lock_guard guard(mutex_);
      const double now = clock_();
      display_->tick(now, eta_.remaining(now, workers_));
    }
  });
}

Progress::~Progress() { finish(); }

void Progress::finish() {
  if (ticker_.joinable()) {
    ticker_.request_stop();
    ticker_.join();
  }
  clear();
}

void Progress::show(ProgressEvent event, double now) {
  event.elapsed = now;
  event.remaining = eta_.remaining(now, workers_);
  display_->show(event);
}

void Progress::set_workers(int workers) {
  const std::lock_guard lock(mutex_);
  workers_ = workers;
}

void Progress::plan(int job, const std::string& stage, double guess_seconds) {
  const std::lock_guard lock(mutex_);
  eta_.plan(job, stage, guess_seconds);
}

EtaEstimator::Task Progress::begin(const StageLabel& label) {
  const std::lock_guard lock(mutex_);
  const double now = clock_();
  const EtaEstimator::Task task = eta_.begin(label.job, label.stage, now);
  if (began_.size() <= task) began_.resize(task + 1);
  began_[task] = now;
  show({.kind = ProgressEvent::Kind::kStageBegin, .label = label, .progress = {}, .text = {}}, now);
  return task;
}

void Progress::advance(EtaEstimator::Task task, const StageLabel& label, const StageProgress& progress) {
  const std::lock_guard lock(mutex_);
  if (progress.earlier) {
    eta_.count_earlier(task, progress.earlier->seconds);
    began_[task] -= progress.earlier->seconds;
  }
  eta_.advance(task, progress.fraction);
  show({.kind = ProgressEvent::Kind::kAdvance, .label = label, .progress = progress, .text = {}}, clock_());
}

double Progress::end(EtaEstimator::Task task, const StageLabel& label) {
  const std::lock_guard lock(mutex_);
  const double now = clock_();
  eta_.end(task, now);
  const double seconds = now - began_[task];
  show({.kind = ProgressEvent::Kind::kStageEnd, .label = label, .progress = {}, .seconds = seconds, .text = {}}, now);
  return seconds;
}

void Progress::finish_job(int job) {
  const std::lock_guard lock(mutex_);
  eta_.finish_job(job);
}

void Progress::unit(const StageLabel& label, const std::string& text) {
  const std::lock_guard lock(mutex_);
  show({.kind = ProgressEvent::Kind::kUnit, .label = label, .progress = {}, .text = text}, clock_());
}

void Progress::warn(const std::string& message) {
  const std::lock_guard lock(mutex_);
  show({.kind = ProgressEvent::Kind::kWarning, .label = {}, .progress = {}, .text = message}, clock_());
}

void Progress::release() {
  const std::lock_guard lock(mutex_);
  display_->release();
}

void Progress::clear() {
  const std::lock_guard lock(mutex_);
  display_->clear();
}

}  // namespace tapestry::recsys
