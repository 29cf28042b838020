#include "tests/fuzz/targets.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "experiments/base/diagnostics.h"
#include "experiments/base/expression.h"
#include "experiments/base/quantity.h"
#include "experiments/host/probe_reading.h"
#include "experiments/host/real_json.h"
#include "experiments/host/table/attached_table.h"
#include "experiments/host/table/table_comparison.h"
#include "experiments/run/result_pack.h"
#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/device_file.h"
#include "experiments/scenario/kernel_table.h"
#include "experiments/scenario/kernel_version.h"
#include "experiments/scenario/machine_file.h"
#include "experiments/scenario/policy_file.h"
#include "experiments/scenario/scenario_file.h"
#include "experiments/scenario/yaml_format.h"
#include "experiments/scenario/yaml_reader.h"
#include "experiments/scenario/yaml_text.h"
#include "experiments/study/store.h"
#include "experiments/study/study_file.h"
#include "experiments/study/study_results.h"
#include "tests/support/command_line.h"
#include "tests/support/places.h"
#include "tests/support/probe_json.h"
#include "tests/support/synthetic_result.h"
#include "tests/support/tiny_scenario.h"

namespace tests {

namespace {

using Seeds = std::vector<std::string>;

Seeds files_in(const std::filesystem::path& folder) {
  Seeds texts;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& file : files) texts.push_back(text_of(file));
  return texts;
}

/// A file that lives as long as the process, for readers of files.
class FuzzedFile {
 public:
  const std::filesystem::path& with(const std::string& bytes) {
    std::ofstream(file_, std::ios::binary) << bytes;
    return file_;
  }

 private:
  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "fuzzed.yaml";
};

FuzzedFile& fuzzed_file() {
  static FuzzedFile file;
  return file;
}

/// A mistake has to be told of.
void check_words(const std::exception& error) {
  if (std::string(error.what()).empty()) throw std::logic_error("refused without a word");
}

template <typename Read>
void refusing(Read read) {
  try {
    read();
  } catch (const experiments::InputError& error) {
    check_words(error);
  } catch (const experiments::UsageError& error) {
    check_words(error);
  } catch (const experiments::StoreError& error) {
    check_words(error);
  }
}

// Samples of distributions are the only files that a text can name: not those of the machine that fuzzes.
bool names_files(const std::string& bytes) { return bytes.find("/dev/") != std::string::npos; }

void read_scenario(const std::string& bytes) {
  if (names_files(bytes)) return;
  refusing([&] { (void)experiments::read_scenario(fuzzed_file().with(bytes)); });
}

void read_study(const std::string& bytes) {
  for (const bool smoke : {false, true}) {
    refusing([&] { (void)experiments::read_study(fuzzed_file().with(bytes), smoke); });
  }
}

void read_policy(const std::string& bytes) {
  refusing([&] { (void)experiments::read_policy(fuzzed_file().with(bytes)); });
}

void read_machine(const std::string& bytes) {
  if (names_files(bytes)) return;
  refusing([&] { (void)experiments::read_machine(fuzzed_file().with(bytes)); });
}

void read_device(const std::string& bytes) {
  if (names_files(bytes)) return;
  refusing([&] { (void)experiments::read_device(fuzzed_file().with(bytes)); });
}

void read_kernels(const std::string& bytes) {
  refusing([&] { (void)experiments::read_kernel_table(fuzzed_file().with(bytes)); });
}

/// Whatever file it is.
void read_any(const std::string& bytes) {
  refusing([&] {
    std::vector<experiments::Diagnostic> mistakes;
    const experiments::YamlNode root = experiments::parse_yaml(bytes, {"fuzzed.yaml", 1, 1}, mistakes);
    if (!mistakes.empty()) throw experiments::InputError(mistakes);
    (void)experiments::kind_of(root);
    (void)experiments::to_flow(root);
  });
}

/// Formatted, or refused with a word; what it says is then for the formatter to have looked at.
void format_any(const std::string& bytes) {
  std::vector<experiments::Diagnostic> mistakes;
  const auto once = experiments::format_yaml(bytes, {"fuzzed.yaml", 1, 1}, mistakes);
  if (!once && mistakes.empty()) throw std::logic_error("refused without a word");
  if (once && experiments::format_yaml(*once, {"fuzzed.yaml", 1, 1}, mistakes) != once) {
    throw std::logic_error("formatted anew, it is something else");
  }
}

/// A value of --set, one a line.
void read_sets(const std::string& bytes) {
  if (names_files(bytes)) return;
  std::vector<std::string> sets;
  std::size_t from = 0;
  for (std::size_t end = bytes.find('\n'); end != std::string::npos; from = end + 1, end = bytes.find('\n', from)) {
    sets.push_back(bytes.substr(from, end - from));
  }
  sets.push_back(bytes.substr(from));
  refusing([&] { (void)experiments::read_scenario(fuzzed_file().with(kTinyScenario), {sets, {}, {}}); });
}

void read_expression(const std::string& bytes) {
  using experiments::Value;
  using experiments::ValueType;
  const auto expression = experiments::parse_expression(bytes);
  if (!expression) {
    if (expression.message().empty()) throw std::logic_error("refused without a word");
    return;
  }
  const std::vector<experiments::KnownName> names{
      {"cpus", ValueType::number, {}}, {"region", ValueType::size, {}}, {"mode", ValueType::word, {"none", "heavy"}}};
  (void)experiments::measures_of(*expression);
  const auto type = experiments::type_of(*expression, names, true);
  if (!type) return;
  const experiments::Surroundings surroundings{
      [](const std::string& name) -> std::optional<Value> {
        if (name == "cpus") return Value{ValueType::number, 4, {}};
        if (name == "region") return Value{ValueType::size, 4096, {}};
        return name == "mode" ? std::optional(Value{ValueType::word, 0, "heavy"}) : std::nullopt;
      },
      [](const std::string& name) { return name == "cpus" || name == "region" || name == "mode"; },
      [](const experiments::Measure&) { return std::optional(1000.0); }};
  const auto value = experiments::evaluate(*expression, surroundings);
  if (value && *value) (void)experiments::spell(**value);
  if (*type == ValueType::truth) (void)experiments::holds(*expression, surroundings);
}

/// Quantities, ranges and versions: what is written in one word or a few.
void read_quantity(const std::string& bytes) {
  if (names_files(bytes)) return;
  const auto size = experiments::parse_size(bytes);
  if (size && *experiments::parse_size(experiments::spell(*size)) != *size) {
    throw std::logic_error("a size that is spelled as another one");
  }
  const auto duration = experiments::parse_duration(bytes);
  if (duration && *experiments::parse_duration(experiments::spell(*duration)) != *duration) {
    throw std::logic_error("a duration that is spelled as another one");
  }
  (void)experiments::parse_byte_rate(bytes);
  (void)experiments::parse_distribution(bytes);
  (void)experiments::parse_range(bytes);
  (void)experiments::parse_uname(bytes);
  if (const auto kernel = experiments::parse_kernel(bytes)) (void)experiments::to_text(*kernel);
}

void read_probe(const std::string& bytes) {
  refusing([&] { (void)experiments::parse_probe(bytes, "probe"); });
}

/// Read, and set beside a run in which next to nothing happened.
void read_table(const std::string& bytes) {
  refusing([&] {
    const experiments::AttachedTable table = experiments::parse_attached_table(bytes, "table");
    models::Result run = result_of({{"load", {}}});
    run.locks.emplace_back().statistics.asked[{0, models::Phase::mmap, models::LockMode::write}].acquisitions = 1;
    if (const auto* const locks = std::get_if<experiments::LockTable>(&table)) {
      const auto compared = experiments::compare_locks(*locks, "table", std::chrono::seconds{1}, {run});
      (void)experiments::to_text(compared);
      (void)experiments::to_json_text(compared);
      return;
    }
    std::vector<experiments::ComparedHistogram> compared;
    for (const auto& map : std::get<std::vector<experiments::AttachedHistogram>>(table)) {
      const auto& unit = experiments::kTimeUnits.back();
      const experiments::HistogramChoice choice{&map, {experiments::SimulatedQuantity::Kind::wait}, &unit, false};
      compared.push_back(experiments::compare_histogram(choice, {run}));
      (void)experiments::to_text(compared.back());
    }
    (void)experiments::to_json_text(compared);
  });
}

// Who calls these says in which file it was.
template <auto kParse>
void read_real(const std::string& bytes) {
  try {
    (void)kParse(bytes);
  } catch (const std::logic_error&) {
    throw;
  } catch (const std::exception& error) {
    check_words(error);
  }
}

void read_packed(const std::string& bytes) {
  try {
    const models::Result result = experiments::unpack({bytes.begin(), bytes.end()});
    (void)experiments::pack(result);
  } catch (const nlohmann::json::exception& error) {
    check_words(error);
  }
}

/// A store, as a file.
void read_store(const std::string& bytes) {
  static const TemporaryFolder folder;
  (void)folder.write("study.sqlite", bytes);
  refusing([&] {
    experiments::Store store(folder / "", experiments::Store::Mode::read);
    (void)experiments::to_text(experiments::read_results(store));
  });
}

Seeds store_seeds() {
  const TemporaryFolder folder;
  (void)folder.write("tiny.yaml", kTinyScenario);
  const std::string study = folder.write("study.yaml", R"(schema: mlocksim/1
name: tiny_study
scenario: tiny
policies: [downgrade]
axes: {faulters: {set: "processes[0].threads.faulter.count", values: [1, 2]}}
measure: max(faulter.munlock)
)");
  const Outcome swept = mlocksim({"sweep", study, "-o", folder / "out", "-j", "1"});
  if (swept.code != 0) throw std::runtime_error(swept.err);
  return {text_of(folder / "out/study.sqlite")};
}

Seeds packed_seeds() {
  const auto blamed =
      waited(3, std::chrono::milliseconds{1}, {0, models::Phase::mlock_populate, models::LockMode::read, 2});
  const auto packed = experiments::pack(result_of({{"a", {{models::Phase::mlock, blamed}}}, {"b", {}}, {"c", {}}}));
  return {std::string(packed.begin(), packed.end())};
}

Seeds real_seeds() {
  return {R"({"schema": "mlocksim-workload/1", "value": {}})", R"({"schema": "mlocksim-real/1", "value": []})"};
}

}  // namespace

const std::vector<FuzzTarget>& fuzz_targets() {
  static const std::vector<FuzzTarget> targets{
      {"scenario", read_scenario, [] { return files_in(source_configs() / "scenarios"); }},
      {"incident", read_scenario, [] { return files_in(source_configs() / "incidents"); }},
      {"study", read_study, [] { return files_in(source_configs() / "../experiments/studies"); }},
      {"policy", read_policy, [] { return files_in(source_configs() / "policies"); }},
      {"machine", read_machine, [] { return files_in(source_configs() / "machines"); }},
      {"device", read_device, [] { return files_in(source_configs() / "devices"); }},
      {"kernels", read_kernels, [] { return files_in(source_configs() / "kernels"); }},
      {"yaml", read_any, [] { return files_in(source_configs() / "policies"); }},
      {"format", format_any, [] { return files_in(source_configs() / "scenarios"); }},
      {"set", read_sets, [] { return files_in(source_tests() / "fuzz/corpus/set"); }},
      {"expression", read_expression, [] { return files_in(source_tests() / "fuzz/corpus/expression"); }},
      {"quantity", read_quantity, [] { return files_in(source_tests() / "fuzz/corpus/quantity"); }},
      {"table", read_table, [] { return files_in(source_tests() / "fuzz/corpus/table"); }},
      {"probe", read_probe, [] { return Seeds{probe_json().dump()}; }},
      {"workload", read_real<experiments::parse_workload>, real_seeds},
      {"real_result", read_real<experiments::parse_real_result>, real_seeds},
      {"real_classes", read_real<experiments::parse_real_classes>, real_seeds},
      {"packed_result", read_packed, packed_seeds},
      {"store", read_store, store_seeds},
  };
  return targets;
}

}  // namespace tests
