#include "recsys/generators/table_family.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "nn/safetensors.h"
#include "recsys/generators/fit_log.h"
#include "tensor/memory.h"

namespace tapestry::recsys {
namespace {

constexpr const char* kProtocol = "protocol";  // metadata key
constexpr const char* kModel = "model.";       // what the names of parameters begin with

/// What draws numbers under the seed of TableSettings, which no other part of a run has; append only.
enum class TablePart : std::uint64_t { kInit = 100, kFit = 101, kSample = 102 };

class TableGenerator : public Generator {
 public:
  TableGenerator(std::string name, std::shared_ptr<TableFamily> family) : name_(std::move(name)), family_(std::move(family)) {}

  const std::string& name() const override { return name_; }
  std::vector<PlannedStage> plan(const ProtocolData& protocol) const override { return family_->plan(name_, protocol); }
  void fit(const ProtocolData& protocol, StageListener& listener) override { family_->need(protocol, listener); }
  Interactions sample(const SampleRequest& request, StageListener& listener) const override {
    const std::string stage = "sample_" + name_;
    listener.begin(stage);
    Interactions rows = family_->sample(name_, request, listener);
    pool_trim(Device::kCpu);
    listener.end(stage);
    return rows;
  }
  void save(const std::filesystem::path& stem) const override { family_->save(stem); }
  void load(const std::filesystem::path& stem, std::int64_t items) override { family_->load(stem, items); }

 private:
  std::string name_;
  std::shared_ptr<TableFamily> family_;
};

/// The explicit zeros of the rows of protocol.generator: D's. The evaluation users below them, if any, have none there:
/// all of their input counts as liked, and without the deviation dislikes-relevant their dislikes are no part of it.
CsrMatrix dislikes_of(const ProtocolData& protocol) {
  const std::int64_t others = protocol.generator.rows() - protocol.train.rows();
  return concat_rows(std::array{protocol.train_dislikes, no_entries(others, protocol.generator.cols())});
}

/// The int32 tensor `name` of a file.
const Tensor& part_of(const nn::TensorFile& file, const std::string& name, const std::string& path) {
  const auto found = file.tensors.find("table." + name);
  if (found == file.tensors.end() || found->second.dtype() != DType::kInt32) {
    fail(ErrorKind::kData, path, ": no int32 tensor 'table.", name, "'");
  }
  return found->second;
}

}  // namespace

std::unique_ptr<Generator> make_table_generator(std::string name, std::shared_ptr<TableFamily> family) {
  return std::make_unique<TableGenerator>(std::move(name), std::move(family));
}

const TableEncoding& TableFamily::table() const {
  check(table_.has_value(), name_, ": nothing has been fitted yet");
  return *table_;
}

std::uint64_t TableFamily::sample_seed() const { return derive_seed(settings_.seed, TablePart::kSample); }

Interactions TableFamily::with_dislikes(Interactions drawn, const SampleRequest& request) const {
  if (request.dislikes && protocol() == ProtocolName::kStrict && drawn.dislikes.nnz() == 0) {
    drawn.dislikes = draw_dislikes(drawn.likes, sample_seed());
  }
  return drawn;
}

TableKind TableFamily::kind_of(const ProtocolData& protocol) const {
  return settings_.kind.value_or(protocol.name == ProtocolName::kPublished ? TableKind::kTernary : TableKind::kBinary);
}

std::vector<PlannedStage> TableFamily::plan(const std::string& generator, const ProtocolData& protocol) const {
  // A ternary table's columns have up to three categories; few have no like or no dislike.
  const double categories =
      (kind_of(protocol) == TableKind::kTernary ? 3.0 : 2.0) * static_cast<double>(protocol.generator.cols());
  const double step = step_operations(categories) / kGuessedRate;
  const auto steps = static_cast<double>(std::max<std::int64_t>(1, protocol.generator.rows() / batch()));
  std::vector<PlannedStage> stages;
  if (!table_ && !is_kept(settings_.folder, name_)) {
    stages.push_back({name_ + "_fit", step * steps * static_cast<double>(epochs())});
  }
  // Drawing takes a forward pass of the generating half where a step takes all passes of everything.
  const std::int64_t batches = protocol.synthetic_rows / batch() + 1;
  stages.push_back({"sample_" + generator, step / 4 * static_cast<double>(batches)});
  return stages;
}

void TableFamily::need(const ProtocolData& protocol, StageListener& listener) {
  if (table_) return;
  const auto load = [&](const std::filesystem::path& file) { return read(file, protocol.generator.cols()); };
  if (take_up(settings_.folder, name_, listener, load)) return;
  table_.reset();  // a file of another configuration has been read
  protocol_ = protocol.name;
  const TableKind kind = kind_of(protocol);
  fit_.run([&] { fit({protocol.generator, kind == TableKind::kTernary ? dislikes_of(protocol) : CsrMatrix()}, kind, listener); });
}

void TableFamily::fit(const Interactions& rows, TableKind kind, StageListener& listener) {
  const std::string stage = name_ + "_fit";
  listener.begin(stage);
  TableEncoding table(rows, kind);
  const CsrMatrix marks = table.encode(rows);
  table_.reset();
  model_ = &create(table, derive_seed(settings_.seed, TablePart::kInit));
  const ModelFolder& folder = settings_.folder;
  fit_with_checkpoint(folder, name_, listener, [&](sdrm::FitCheckpoint& checkpoint) {
    FitLog log(listener, stage, {.most = epochs(), .usual = epochs()}, checkpoint, history_fields());
    const auto on_epoch = [&](const Epoch& report) { log.epoch(report.epoch, report.loss, {}, report.details); };
    train(marks, derive_seed(settings_.seed, TablePart::kFit), on_epoch, checkpoint);
    keep_history(folder, stage, log.history());
  });
  table_ = std::move(table);
  if (!folder.models.empty()) write(model_file(folder.models, name_));
  remove_checkpoint(folder, name_);
  pool_trim(Device::kCpu);
  listener.end(stage);
}

void TableFamily::save(const std::filesystem::path& stem) const { write(model_file(stem, name_)); }

void TableFamily::load(const std::filesystem::path& stem, std::int64_t items) {
  const std::filesystem::path file = model_file(stem, name_);
  const auto metadata = read(file, items);
  try {
    check_configuration(metadata, settings_.folder.configuration, file);
  } catch (const Error&) {
    table_.reset();  // what has been read is not used
    throw;
  }
}

void TableFamily::write(const std::filesystem::path& path) const {
  const TableEncoding::Parts parts = table().parts();
  nn::TensorFile file;
  file.metadata = {{kConfiguration, settings_.folder.configuration}, {kProtocol, to_string(protocol_)}};
  file.tensors = {{"table.widths", parts.widths},
                  {"table.items", parts.items},
                  {"table.values", parts.values},
                  {"table.appearance", parts.appearance},
                  {"table.counts", parts.counts}};
  for (const nn::NamedParameter& parameter : model_->named_parameters()) {
    file.tensors.emplace(kModel + parameter.name, parameter.variable.value());
  }
  file.metadata.emplace(kDigest, digest_of(file.tensors));
  nn::save_tensors(path, file);
}

std::map<std::string, std::string> TableFamily::read(const std::filesystem::path& path, std::int64_t items) {
  const std::string where = path.string();
  nn::TensorFile file = nn::load_tensors(path);
  if (!is_undamaged(file)) fail(ErrorKind::kData, where, ": damaged");
  const TableEncoding::Parts parts = {part_of(file, "widths", where), part_of(file, "items", where),
                                      part_of(file, "values", where), part_of(file, "appearance", where),
                                      part_of(file, "counts", where)};
  TableEncoding table = TableEncoding::from_parts(parts, where);
  if (table.items() != items)
    fail(ErrorKind::kData, where, ": a table of ", table.items(), " items where ", items, " were expected");
  table_.reset();
  const nn::Module& model = create(table, derive_seed(settings_.seed, TablePart::kInit));
  std::vector<std::pair<std::string, Tensor>> state;
  for (const nn::NamedParameter& parameter : model.named_parameters()) {
    const auto found = file.tensors.find(kModel + parameter.name);
    const Tensor& own = parameter.variable.value();
    if (found == file.tensors.end() || found->second.shape() != own.shape() || found->second.dtype() != own.dtype()) {
      fail(ErrorKind::kData, where, ": no tensor '", kModel, parameter.name, "' of shape ", own.shape());
    }
    state.emplace_back(parameter.name, found->second);
  }
  model.load_state(state);
  if (const auto found = file.metadata.find(kProtocol); found != file.metadata.end()) {
    protocol_ = found->second == to_string(ProtocolName::kStrict) ? ProtocolName::kStrict : ProtocolName::kPublished;
  }
  table_ = std::move(table);
  model_ = &model;
  return file.metadata;
}

}  // namespace tapestry::recsys
