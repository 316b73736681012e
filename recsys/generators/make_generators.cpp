#include "recsys/generators/make_generators.h"

#include <algorithm>
#include <array>
#include <functional>
#include <set>

namespace tapestry::recsys {
namespace {

/// Seeds of the generators with one model, beside SDRM's parts (SdrmPart), which draw from the run's seed itself. Append only.
enum class GeneratorSeed : std::uint64_t { kMultiVae = 20, kCodigem = 21, kDiffRec = 22, kCtgan = 23, kTvae = 24 };

/// Makes generators and remembers what those of one run share.
class Workshop {
 public:
  explicit Workshop(const GeneratorSettings& settings) : settings_(settings) {}

  const GeneratorSettings& settings() const { return settings_; }
  std::uint64_t seed(GeneratorSeed generator) const { return derive_seed(settings_.seed, static_cast<std::uint64_t>(generator)); }
  TableSettings table(GeneratorSeed generator) const {
    return {.seed = seed(generator), .folder = settings_.baseline_folder, .device = settings_.device};
  }
  std::unique_ptr<Generator> sdrm(const char* name) {
    if (!family_) {
      family_ = std::make_shared<SdrmFamily>(
          SdrmSettings{settings_.vae, settings_.score, settings_.seed, settings_.folder, settings_.device});
    }
    return make_sdrm_generator(name, family_);
  }

 private:
  const GeneratorSettings& settings_;
  std::shared_ptr<SdrmFamily> family_;
};

struct Entry {
  const char* name;
  std::unique_ptr<Generator> (*make)(Workshop&);
};

constexpr std::array kEntries = {
    Entry{"ctgan",
          [](Workshop& shop) {
            return make_ctgan_generator("ctgan", shop.table(GeneratorSeed::kCtgan), shop.settings().baselines.ctgan);
          }},
    Entry{"tvae",
          [](Workshop& shop) {
            return make_tvae_generator("tvae", shop.table(GeneratorSeed::kTvae), shop.settings().baselines.tvae);
          }},
    Entry{"codigem",
          [](Workshop& shop) -> std::unique_ptr<Generator> {
            return std::make_unique<CodigemGenerator>(shop.settings().baselines.codigem, shop.seed(GeneratorSeed::kCodigem),
                                                      shop.settings().baseline_folder, shop.settings().device);
          }},
    Entry{"diffrec",
          [](Workshop& shop) -> std::unique_ptr<Generator> {
            return std::make_unique<DiffRecGenerator>(shop.settings().baselines.diffrec, shop.seed(GeneratorSeed::kDiffRec),
                                                      shop.settings().baseline_folder, shop.settings().device);
          }},
    Entry{"multivae",
          [](Workshop& shop) -> std::unique_ptr<Generator> {
            return std::make_unique<MultiVaeGenerator>(shop.settings().baselines.multivae, shop.seed(GeneratorSeed::kMultiVae),
                                                       shop.settings().baseline_folder, shop.settings().device);
          }},
    Entry{"multivae++", [](Workshop& shop) { return shop.sdrm("multivae++"); }},
    Entry{"f-sdrm", [](Workshop& shop) { return shop.sdrm("f-sdrm"); }},
    Entry{"m-sdrm", [](Workshop& shop) { return shop.sdrm("m-sdrm"); }},
};

}  // namespace

std::vector<std::string> known_generator_names() {
  std::vector<std::string> names(kEntries.size());
  std::transform(kEntries.begin(), kEntries.end(), names.begin(), [](const Entry& entry) { return entry.name; });
  return names;
}

std::vector<std::unique_ptr<Generator>> make_generators(std::span<const std::string> names, const GeneratorSettings& settings) {
  Workshop shop(settings);
  std::vector<std::unique_ptr<Generator>> generators;
  generators.reserve(names.size());
  for (const std::string& name : names) {
    const auto* const found =
        std::find_if(kEntries.begin(), kEntries.end(), [&](const Entry& entry) { return entry.name == name; });
    check(found != kEntries.end(), "make_generators: no generator is called ", name);
    generators.push_back(found->make(shop));
  }
  return generators;
}

std::vector<PlannedStage> planned_stages(std::span<const std::unique_ptr<Generator>> generators, const ProtocolData& protocol) {
  std::vector<PlannedStage> stages;
  std::set<std::string> seen;
  for (const std::unique_ptr<Generator>& generator : generators) {
    for (PlannedStage& stage : generator->plan(protocol)) {
      if (seen.insert(stage.name).second) stages.push_back(std::move(stage));
    }
  }
  return stages;
}

}  // namespace tapestry::recsys
