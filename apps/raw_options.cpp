#include "apps/raw_options.h"

#include <charconv>
#include <memory>
#include <utility>

#include "apps/help_format.h"
#include "recsys/data/joined.h"
#include "recsys/data/load_dataset.h"
#include "recsys/experiment/deviations.h"
#include "recsys/experiment/selection.h"
#include "tensor/precision.h"

namespace tapestry::apps {
namespace {

using recsys::joined;
using Names = RawOptions::Names;

/// Declares options of one kind under one heading of --help.
class Group {
 public:
  Group(CLI::App& app, std::string heading) : app_(app), heading_(std::move(heading)) {}

  /// Given twice, the last one counts, so that a command can be extended at its end.
  template <typename Value>
  CLI::Option* one(const std::string& option, Value& value, const char* type, const std::string& help) {
    return app_.add_option(option, value, help)->type_name(type)->take_last()->group(heading_);
  }
  template <typename Value>
  CLI::Option* number(const std::string& option, Value& value, const std::string& help) {
    return one(option, value, "N", help)->transform(CLI::Validator(read_decimal, ""));
  }
  void names(const std::string& option, Names& values, const std::string& help, const char* type = "NAME,...") {
    app_.add_option(option, values, help)->delimiter(',')->allow_extra_args(false)->type_name(type)->group(heading_);
  }
  void flag(const std::string& option, bool& value, const std::string& help) { add(app_.add_flag(option, value, help)); }
  void add(CLI::Option* option) { option->group(heading_); }

 private:
  CLI::App& app_;
  std::string heading_;
};

const CLI::Range kCount(1, 10000);

void declare_experiment(CLI::App& app, RawOptions& raw) {
  Group what(app, "What is computed");
  what.one("--data", raw.data, "DIR", "Folder with one folder per data set; default $TAPESTRY_DATA, then data/");
  what.names("--dataset", raw.datasets,
             joined(recsys::known_datasets()) + ", or all of those found; default ml-100k, or simulated where it is not found");
  what.names("--recommender", raw.recommenders, joined(recsys::known_recommenders()) + ", or all; default svd");
  what.names("--generators", raw.generators,
             joined(recsys::known_generators()) + ", or all; not of the paper, by name alone: " +
                 joined(recsys::generators_beyond_all()) + "; default original,multivae++,f-sdrm,m-sdrm");
  what.names("--setting", raw.settings,
             "What synthetic users do to the real ones: " + joined(recsys::known_settings()) + ", or all; default all");
  what.number("--runs", raw.runs, "Independent runs; default 5, with --quick 2")->check(kCount);
  what.number("--seed", raw.seed, "Root of all randomness; default 1");
  what.names("--only", raw.only,
             "Compute only units whose name matches a pattern (*, ?), such as 'ml-1m_mlp_*_run-2'; the report shows what is "
             "finished",
             "PATTERN,...");
  what.flag("--quick", raw.quick, "A few epochs only, to see that everything works; the figures mean nothing");
  what.flag("--paper", raw.paper,
            "All that the paper reports, into OUT/published, and the question behind it, protocol strict, into OUT/strict");
}

void declare_protocol(CLI::App& app, RawOptions& raw) {
  Group how(app, "How it is measured");
  how.one("--protocol", raw.protocol, "NAME", "published (the paper's program) or strict; default published");
  how.number("--folds", raw.folds,
             "Cross-validation over users, --protocol strict only: run r reports the users of fold r; default none, with --paper "
             "10")
      ->check(CLI::Range(2, 100));
  how.one("--variant", raw.variant, "NAME",
          "SDRM as in the authors' program (published) or in the paper's text (paper); default published");
  how.names("--without", raw.without,
            "Deviations of the authors' program to leave out, --protocol published only: " + joined(recsys::known_deviations()) +
                "; all means all but score-model");
  how.names("--ablations", raw.ablations,
            "Run the experiment as published and without each of its deviations, or those named, and write what each does to the "
            "figures (deviations.md); all, or names of folders there");
  how.one("--neumf-selection", raw.neumf_selection, "NAME",
          "Which epoch NeuMF keeps: " + joined(recsys::neumf_selections()) +
              "; default as the paper's figures were made, with --protocol strict best-recall");
}

void declare_machine(CLI::App& app, RawOptions& raw) {
  Group machine(app, "On what");
  machine.number("--threads", raw.threads, "Threads in all; default one per processor")->check(kCount);
  machine.number("--jobs", raw.jobs, "Runs side by side, which share the threads; default as many as there are threads and runs")
      ->check(kCount);
  machine.one("--device", raw.device, "NAME",
              "Where generators and recommenders are fitted and asked: cpu, cuda or auto; default cpu");
  machine.one(
      "--precision", raw.precision, "NAME",
      "What matrix products on a GPU round float32 operands to: " + joined(known_precisions()) + "; default float32, not at all");
}

void declare_results(CLI::App& app, RawOptions& raw) {
  Group results(app, "Where results are kept");
  results.one("--out", raw.out, "DIR", "Folder for results, from which an interrupted job goes on; default results");
  results.one("--checkpoint", raw.checkpoint, "SECONDS",
              "A fit that takes longer keeps now and then how far it has come and goes on from there when it was killed; 0: "
              "after every epoch, never: not at all; default 60");
  results.names("--reuse", raw.reuse,
                "Folders of results whose finished units are taken over instead of being computed again, where they are of the "
                "same configuration; folders in them count too",
                "DIR,...");
}

void declare_questions(CLI::App& app, RawOptions& raw) {
  Group questions(app, "Answers instead of results");
  questions.flag("--plan", raw.plan, "Say what would be computed, how long it takes and in how much memory; computes nothing");
  questions.flag("--list", raw.list, "Say what can be asked for and which data are found");
  questions.flag("--doctor", raw.doctor, "Say what this build and machine compute on, and why a GPU is not used");
  // CLI11 puts its own two first; here they stand among their like.
  questions.add(app.set_version_flag("--version", "tapestry " TAPESTRY_VERSION, "Print the version"));
  questions.add(app.set_help_flag("-h,--help", "Print this help"));
}

}  // namespace

void declare_options(CLI::App& app, RawOptions& raw) {
  app.formatter(std::make_shared<HelpFormat>());
  declare_experiment(app, raw);
  declare_protocol(app, raw);
  declare_machine(app, raw);
  declare_results(app, raw);
  declare_questions(app, raw);
}

std::string read_decimal(std::string& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    return "Value " + text + " is not a whole number from 0 to 2^64 - 1";
  text = std::to_string(number);
  return "";
}

}  // namespace tapestry::apps
