#include "recsys/experiment/journal.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <tuple>

#include "recsys/experiment/line_log.h"
#include "tensor/error.h"

namespace tapestry::recsys {
namespace {

using Json = nlohmann::ordered_json;

/// A command may hold bytes that are no text, which JSON cannot.
std::string line_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// Adds what a line says of a start. Lines of a start whose beginning was lost say nothing.
void read_line(const std::string& line, std::vector<Start>& starts) try {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return;
  const int number = json.value("start", 0);
  if (json.contains("command")) {
    starts.push_back({number,
                      json.value("command", ""),
                      json.value("revision", ""),
                      json.value("build", ""),
                      json.value("threads", 0),
                      json.value("jobs", 0),
                      "",
                      std::nullopt,
                      {},
                      json.value("folder", ""),
                      json.value("number_there", 0)});
    return;
  }
  const auto found = std::find_if(starts.begin(), starts.end(), [&](const Start& start) { return start.number == number; });
  if (found == starts.end()) return;
  if (json.contains("unit")) found->units.insert(json.value("unit", ""));
  if (json.contains("end")) {
    found->end = json.value("end", "");
    found->wall_seconds = std::clamp(json.value("wall_seconds", 0.0), 0.0, kMostSeconds);
  }
} catch (const Json::exception&) {  // a value of another type: not a line of ours
}

/// What the starts of one command, revision and build did together.
struct Share {
  std::string command, revision, build;
  std::size_t units = 0;
  int starts = 0, killed = 0;
  double seconds = 0;  ///< of those that were not killed
};

int next_number(std::span<const Start> before) {
  int number = 1;
  for (const Start& start : before) number = std::max(number, start.number + 1);
  return number;
}

/// The first line of a start.
Json beginning(const Start& start) {
  Json json = {{"start", start.number}, {"command", start.command}, {"revision", start.revision},
               {"build", start.build},  {"threads", start.threads}, {"jobs", start.jobs}};
  if (!start.folder.empty()) {
    json["folder"] = start.folder;
    json["number_there"] = start.number_there;
  }
  return json;
}

std::string counted(std::size_t count, const std::string& what) { return concat(count, " ", what, count == 1 ? "" : "s"); }

/// "48 units in 2 starts, 310 seconds without those of 1 killed, revision 3a447c0: build/apps/reproduce ...".
std::string in_words(const Share& share) {
  std::string text = counted(share.units, "unit");
  if (share.starts > 1) text += concat(" in ", share.starts, " starts");
  if (share.killed == share.starts) {
    text += ", killed, time not known";
  } else {
    text += ", " + counted(static_cast<std::size_t>(std::llround(share.seconds)), "second");
    if (share.killed > 0) text += concat(" without those of ", share.killed, " killed");
  }
  if (!share.revision.empty()) text += ", revision " + share.revision;
  if (!share.build.empty()) text += " (" + share.build + ")";
  return text + ": " + share.command;
}

}  // namespace

void Journal::begin(const std::string& command, const std::string& revision, const std::string& build, int threads, int jobs) {
  const std::vector<Start> before = starts();
  const std::lock_guard lock(mutex_);
  number_ = next_number(before);
  Start start;
  start.number = number_;
  start.command = command;
  start.revision = revision;
  start.build = build;
  start.threads = threads;
  start.jobs = jobs;
  append_line(file_, line_of(beginning(start)));
}

void Journal::unit(const std::string& unit) {
  const std::lock_guard lock(mutex_);
  append_line(file_, line_of({{"start", number_}, {"unit", unit}}));
}

void Journal::end(const std::string& how, double wall_seconds) {
  std::size_t units = 0;  // said for whoever looks into the file: the lines above are what counts
  for (const Start& start : starts()) units = start.number == number_ ? start.units.size() : units;
  const std::lock_guard lock(mutex_);
  append_line(file_, line_of({{"start", number_}, {"end", how}, {"wall_seconds", wall_seconds}, {"units", units}}));
}

void Journal::adopt(const Start& start, const std::string& folder, const std::set<std::string>& units) {
  Start here = start;
  if (here.folder.empty()) {
    here.folder = folder;
    here.number_there = start.number;
  }
  const std::vector<Start> before = starts();
  const std::lock_guard lock(mutex_);
  // A folder's name may come to mean another one, which has numbers of its own.
  const auto identity = [](const Start& one) {
    return std::tie(one.folder, one.number_there, one.command, one.revision, one.build);
  };
  const auto known =
      std::find_if(before.begin(), before.end(), [&](const Start& one) { return identity(one) == identity(here); });
  const bool is_new = known == before.end();
  if (is_new && units.empty()) return;
  here.number = is_new ? next_number(before) : known->number;
  if (is_new) append_line(file_, line_of(beginning(here)));
  for (const std::string& unit : units) append_line(file_, line_of({{"start", here.number}, {"unit", unit}}));
  if (start.wall_seconds && (is_new || !known->wall_seconds)) {
    append_line(file_, line_of({{"start", here.number}, {"end", start.end}, {"wall_seconds", *start.wall_seconds}}));
  }
}

std::vector<Start> Journal::starts() const {
  std::vector<Start> starts;
  for (const std::string& line : read_lines(file_)) read_line(line, starts);
  return starts;
}

std::vector<Start> notable_starts(std::span<const Start> starts) {
  std::vector<Start> notable;
  for (const Start& start : starts) {
    if (!start.units.empty() || &start == &starts.back()) notable.push_back(start);
  }
  return notable;
}

std::vector<std::pair<std::string, std::string>> computed_by(std::span<const Start> starts, std::size_t unrecorded) {
  std::vector<Share> shares;
  for (const Start& start : starts) {
    if (start.units.empty()) continue;
    auto share = std::find_if(shares.begin(), shares.end(), [&](const Share& one) {
      return one.command == start.command && one.revision == start.revision && one.build == start.build;
    });
    if (share == shares.end()) share = shares.insert(shares.end(), {start.command, start.revision, start.build});
    share->units += start.units.size();
    ++share->starts;
    share->killed += start.wall_seconds ? 0 : 1;
    share->seconds += start.wall_seconds.value_or(0);
  }
  std::vector<std::pair<std::string, std::string>> rows;
  rows.reserve(shares.size() + 1);
  for (const Share& share : shares) rows.emplace_back("computed by", in_words(share));
  if (unrecorded > 0) rows.emplace_back("computed by", counted(unrecorded, "unit") + " by starts that left no record");
  return rows;
}

}  // namespace tapestry::recsys
