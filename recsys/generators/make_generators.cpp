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
  std::uint64_t seed(GeneratorSeed generator) const { return derive_seed(settings_.seed, generator); }
  std::unique_ptr<Generator> ctgan(const std::string& name) {
    if (!ctgan_) ctgan_ = make_ctgan_family(table(GeneratorSeed::kCtgan), settings_.baselines.ctgan);
    return make_table_generator(name, ctgan_);
  }
  std::unique_ptr<Generator> tvae(const std::string& name) {
    if (!tvae_) tvae_ = make_tvae_family(table(GeneratorSeed::kTvae), settings_.baselines.tvae);
    return make_table_generator(name, tvae_);
  }
  std::unique_ptr<Generator> sdrm(const std::string& name) {
    if (!family_) {
      family_ = std::make_shared<SdrmFamily>(
          SdrmSettings{settings_.vae, settings_.score, settings_.seed, settings_.folder, settings_.device});
    }
    return make_sdrm_generator(name, family_);
  }

 private:
  TableSettings table(GeneratorSeed generator) const {
    return {.seed = seed(generator), .folder = settings_.baseline_folder, .device = settings_.device};
  }

  const GeneratorSettings& settings_;
  std::shared_ptr<SdrmFamily> family_;
  std::shared_ptr<TableFamily> ctgan_, tvae_;
};

struct Entry {
  const char* name;
  std::unique_ptr<Generator> (*make)(Workshop&, const std::string& name);
};

/// The paper's; those that draw from the same table in another way are made by the entry of their model.
constexpr std::array kEntries = {
    Entry{"ctgan", [](Workshop& shop, const std::string& name) { return shop.ctgan(name); }},
    Entry{"tvae", [](Workshop& shop, const std::string& name) { return shop.tvae(name); }},
    Entry{"codigem",
          [](Workshop& shop, const std::string&) -> std::unique_ptr<Generator> {
            return std::make_unique<CodigemGenerator>(shop.settings().baselines.codigem, shop.seed(GeneratorSeed::kCodigem),
                                                      shop.settings().baseline_folder, shop.settings().device);
          }},
    Entry{"diffrec",
          [](Workshop& shop, const std::string&) -> std::unique_ptr<Generator> {
            return std::make_unique<DiffRecGenerator>(shop.settings().baselines.diffrec, shop.seed(GeneratorSeed::kDiffRec),
                                                      shop.settings().baseline_folder, shop.settings().device);
          }},
    Entry{"multivae",
          [](Workshop& shop, const std::string&) -> std::unique_ptr<Generator> {
            return std::make_unique<MultiVaeGenerator>(shop.settings().baselines.multivae, shop.seed(GeneratorSeed::kMultiVae),
                                                       shop.settings().baseline_folder, shop.settings().device);
          }},
    Entry{"multivae++", [](Workshop& shop, const std::string& name) { return shop.sdrm(name); }},
    Entry{"f-sdrm", [](Workshop& shop, const std::string& name) { return shop.sdrm(name); }},
    Entry{"m-sdrm", [](Workshop& shop, const std::string& name) { return shop.sdrm(name); }},
};

}  // namespace

std::vector<std::string> known_generator_names() {
  std::vector<std::string> names(kEntries.size());
  std::transform(kEntries.begin(), kEntries.end(), names.begin(), [](const Entry& entry) { return entry.name; });
  return names;
}

std::vector<std::string> unprinted_generator_names() {
  std::vector<std::string> names;
  for (const std::vector<std::string>& drawn : {ctgan_names(), tvae_names()}) {
    names.insert(names.end(), drawn.begin() + 1, drawn.end());
  }
  return names;
}

std::string model_of(const std::string& generator) {
  for (const std::vector<std::string>& drawn : {ctgan_names(), tvae_names()}) {
    if (std::find(drawn.begin(), drawn.end(), generator) != drawn.end()) return drawn.front();
  }
  return generator;
}

std::vector<std::string> stages_of(const std::string& generator) {
  if (generator == "multivae++") return {"vae_fit", "sample_vae"};
  if (generator == "f-sdrm") return {"vae_fit", "sdrm_fit", "sample_f"};
  if (generator == "m-sdrm") return {"vae_fit", "sdrm_fit", "sample_m"};
  return {model_of(generator) + "_fit", "sample_" + generator};
}

bool is_of_a_table(const std::string& generator) {
  return model_of(generator) == ctgan_names().front() || model_of(generator) == tvae_names().front();
}

int generator_figures(const std::string& generator) { return generator == "codigem" ? 2 : 1; }

std::vector<std::unique_ptr<Generator>> make_generators(std::span<const std::string> names, const GeneratorSettings& settings) {
  Workshop shop(settings);
  std::vector<std::unique_ptr<Generator>> generators;
  generators.reserve(names.size());
  for (const std::string& name : names) {
    const auto* const found =
        std::find_if(kEntries.begin(), kEntries.end(), [&](const Entry& entry) { return entry.name == model_of(name); });
    check(found != kEntries.end(), "make_generators: no generator is called ", name);
    generators.push_back(found->make(shop, name));
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
