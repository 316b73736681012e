#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "recsys/data/protocol.h"
#include "recsys/generators/make_generators.h"

namespace tapestry::recsys::tests {

/// Counts what a generator reports, and throws at a stage's nth event when told to.
class RecordingListener : public StageListener {
 public:
  void begin(const std::string& stage) override;
  void advance(const std::string& stage, const StageProgress& progress) override;
  void end(const std::string& stage) override;
  void warn(const std::string& message) override { warnings.push_back(message); }

  std::vector<std::string> begun, ended, warnings;
  std::map<std::string, std::vector<StageProgress>> progress;
  std::string fail_at;  ///< "begin x", "advance x" or "end x": throws std::runtime_error there
};

/// Some simulated users of `items` items under the published protocol.
ProtocolData tiny_protocol(std::int64_t users = 70, std::int64_t items = 45);

/// Every other item of each user is held out, the first one too.
HeldOut halves(const CsrMatrix& rows);

/// The same with the given rows to learn from: for users without items, a single item, ...
ProtocolData protocol_of(const CsrMatrix& generator_rows);

/// Small and quick settings of every generator.
GeneratorSettings tiny_settings(std::uint64_t seed = 1, const ModelFolder& folder = {});

/// The generator of this name with these settings.
std::unique_ptr<Generator> make_one(const std::string& name, const GeneratorSettings& settings);

bool same_pattern(const CsrMatrix& a, const CsrMatrix& b);

/// What holds for every generator, for the one of this name: the same seed gives the same users for any number of threads,
/// another seed others; the density is met; dislikes are as many and none of the likes; save and load give the same users; a fit
/// that was kept is found again after a kill, a damaged one is named and made again; odd inputs are taken; planned stages are
/// those that come; a loss that is not finite is an error that names the epoch.
void expect_generator(const std::string& name);

/// What of it holds for the generators of a table too, whose users are not cut at a density, and is not among their own tests: a
/// fit that was kept is found again after a kill, planned stages are those that come, odd inputs are taken.
void expect_generator_of_a_table(const std::string& name);

/// expect_generator's last point: `diverging` must make training diverge.
void expect_divergence_is_told(const std::string& name, const GeneratorSettings& diverging);

}  // namespace tapestry::recsys::tests
