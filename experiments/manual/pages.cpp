#include "experiments/manual/pages.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "experiments/base/exit_codes.h"
#include "experiments/base/expression.h"
#include "experiments/base/installation.h"
#include "experiments/manual/error_topics.h"
#include "experiments/scenario/yaml_values.h"
#include "models/measure/phase.h"

namespace experiments {

namespace {

using Block = ManualPage::Block;
using Section = ManualPage::Section;

Block paragraph(std::string text) { return {Block::Kind::paragraph, std::move(text)}; }
Block item(std::string tag, std::string text, int depth = 0) {
  return {Block::Kind::item, std::move(text), std::move(tag), depth};
}
Block example(std::string text) { return {Block::Kind::example, std::move(text)}; }

std::string page_name(const std::string& topic) { return "mlocksim-" + topic; }

// --- commands -----------------------------------------------------------------------------------------------

std::string tag_of(const CommandDescription::Option& option) {
  std::string tag = "--" + option.name;
  if (!option.letter.empty()) tag = fmt::format("-{}, {}", option.letter, tag);
  return option.value.empty() ? tag : tag + " " + option.value;
}

Section options_section(const CommandDescription& description) {
  Section section{"OPTIONS"};
  for (const CommandDescription::Option& option : description.options) {
    std::string about = option.about;
    if (!option.standard.empty()) about += fmt::format(" ({} if not given)", option.standard);
    section.blocks.push_back(item(tag_of(option), about));
  }
  return section;
}

// --- formats ------------------------------------------------------------------------------------------------

std::string listed(const std::vector<std::string>& words) {
  if (words.size() < 2) return words.empty() ? "" : words.front();
  return fmt::format("{} or {}", fmt::join(words.begin(), words.end() - 1, ", "), words.back());
}

/// `a duration`, where the page says what that is.
std::string form_in_words(const std::string& expected) {
  for (const TextForm& form : text_forms()) {
    if (form.expected == expected) return "a " + form.name;
  }
  return expected;
}

std::string number_in_words(const YamlShape::Number& number) {
  constexpr double kUnbounded = 1e9;
  const char* const what = number.whole ? "a whole number" : "a number";
  if (!number.high || *number.high >= kUnbounded) return fmt::format("{} from {}", what, number.low);
  return fmt::format("{} from {} to {}", what, number.low, *number.high);
}

/// Which key of another page a map's keys are described on; empty: here.
std::string_view described_in(ConfigKind kind, const std::string& path) {
  if (kind != ConfigKind::scenarios) return {};
  if (path == "machine") return "machine";
  if (path == "policy" || path == "policies[]") return "policy";
  if (path == "memory") return "memory";
  if (path == "memory.device" || path == "memory.swap.device") return "device";
  return {};
}

/// Writes the keys of a shape as items.
class KeyWriter {
 public:
  explicit KeyWriter(const FileFormat& format) : format_(format) {}

  /// Those of the map at `path`, of one kind of it.
  void write(const YamlShape& shape, const std::string& path, std::vector<Block>& blocks, int depth,
             const std::string& variant = {}) {
    for (const YamlKey& key : shape.keys) {
      if (key.variant != variant) continue;
      const std::string own = path_of_key(path, key);
      const std::string words(words_of_key(format_.kind, own));
      if (words.starts_with("Not here")) continue;  // read to be refused
      blocks.push_back(item(key.name, sentence(key, words), depth));
      if (!variant.empty() && has_been_described(key)) continue;
      write_inside(*key.value, own, blocks, depth + 1);
    }
  }

 private:
  /// Of the same map in another kind of thing. A reader that many share is asked once for each.
  [[nodiscard]] bool has_been_described(const YamlKey& key) {
    if (!key.value->map || key.value->keys.empty()) return false;
    return !described_.insert(key.name).second;
  }

  static std::string sentence(const YamlKey& key, const std::string& words) {
    const std::string what = in_words(*key.value);
    std::string text = key.required ? "Required. " : "";
    text += words;
    // What is said of the words themselves need not be said twice.
    const bool said = key.value->words.size() > 1 &&
                      std::all_of(key.value->words.begin(), key.value->words.end(),
                                  [&](const std::string& word) { return words.find(word) != std::string::npos; });
    if (!what.empty() && what != "a text" && !said) text += fmt::format(" [{}]", what);
    return text;
  }

  void write_inside(const YamlShape& shape, const std::string& path, std::vector<Block>& blocks, int depth) {
    if (const auto page = described_in(format_.kind, path); !page.empty()) return refer(page, blocks);
    if (!sections_of(path)) write(shape, path, blocks, depth);
    if (shape.item && !sections_of(path + "[]")) write_inside(*shape.item, path + "[]", blocks, depth);
    if (shape.named && !sections_of(path + ".*")) write_inside(*shape.named, path + ".*", blocks, depth);
  }

  static void refer(std::string_view page, std::vector<Block>& blocks) {
    blocks.back().text += fmt::format(" See mlocksim-{}(5).", page);
  }

  /// Whether the map there has a section of its own.
  [[nodiscard]] bool sections_of(const std::string& path) const {
    return format_.kind == ConfigKind::scenarios &&
           (path == "processes[]" || path == "processes[].regions.*" || path == "processes[].threads.*");
  }

  const FileFormat& format_;
  std::set<std::string> described_;  // maps of kinds of things
};

const YamlShape* inside(const YamlShape& shape, std::initializer_list<std::string_view> steps) {
  const YamlShape* at = &shape;
  for (const std::string_view step : steps) {
    if (at == nullptr) return nullptr;
    if (step == "[]") {
      at = at->item.get();
    } else if (step == "*") {
      at = at->named.get();
    } else {
      const YamlKey* const key = at->key(step);
      at = key == nullptr ? nullptr : key->value.get();
    }
  }
  return at;
}

void add_process_sections(const FileFormat& format, std::vector<Section>& sections) {
  KeyWriter writer(format);
  const YamlShape* const process = inside(format.shape, {"processes", "[]"});
  if (process == nullptr) return;
  writer.write(*process, "processes[]", sections.emplace_back(Section{"A PROCESS"}).blocks, 0);
  if (const YamlShape* const region = inside(*process, {"regions", "*"})) {
    writer.write(*region, "processes[].regions.*", sections.emplace_back(Section{"A REGION"}).blocks, 0);
  }
  const YamlShape* const thread = inside(*process, {"threads", "*"});
  if (thread == nullptr) return;
  writer.write(*thread, "processes[].threads.*", sections.emplace_back(Section{"A THREAD"}).blocks, 0);
  Section kinds{"WHAT THREADS DO", {paragraph("Besides the keys above, by what `run` says:")}};
  for (const std::string& kind : thread->variants()) {
    const std::string path = fmt::format("processes[].threads.*({})", kind);
    kinds.blocks.push_back(item("run: " + kind, std::string(words_of_key(format.kind, path))));
    writer.write(*thread, "processes[].threads.*", kinds.blocks, 1, kind);
  }
  sections.push_back(std::move(kinds));
}

Section see_also(const std::vector<std::string>& pages) {
  return {"SEE ALSO", {paragraph(fmt::format("{}", fmt::join(pages, ", ")))}};
}

const std::vector<std::string>& format_pages() {
  static const std::vector<std::string> pages{"mlocksim-scenario(5)", "mlocksim-memory(5)",  "mlocksim-expect(5)",
                                              "mlocksim-policy(5)",   "mlocksim-machine(5)", "mlocksim-device(5)",
                                              "mlocksim-study(5)"};
  return pages;
}

std::string example_of(ConfigKind kind) {
  switch (kind) {
    case ConfigKind::scenarios:
    case ConfigKind::incidents:
      return R"(schema: mlocksim/1
name: mine
machine: epyc-zen4-linux-6.18
memory: {size: 64GiB}
policies: [downgrade, unlock_downgrade]
processes:
  - name: db
    regions: {heap: {size: 16GiB, kind: anon}}
    threads:
      locker: {run: locker, region: heap, script: [mlock, munlock]}
      faulter: {run: faulter, count: 7, closed: {think: 50us}})";
    case ConfigKind::studies:
      return R"(schema: mlocksim/1
name: region_size
scenario: unlock_question
policies: [downgrade, unlock_downgrade]
axes:
  region: {set: "processes[0].regions.heap.size", values: 64MiB..4GiB x2}
measure: [p99(faulter.munlock)]
replications: 5)";
    case ConfigKind::policies:
      return R"(schema: mlocksim/1
name: mine
populate: {mode: downgrade}
munlock: {mode: chunked_write, batch: 512, if_contended: true}
munmap: {mode: write_held})";
    case ConfigKind::devices:
      return R"(schema: mlocksim/1
name: mine
queue_depth: 32
nr_requests: 128
read: lognormal median 80us p99 300us
write: 20us
transfer_page: 1us)";
    case ConfigKind::machines:
      return R"(machine:                          # in a scenario
  from: epyc-zen4-linux-6.18
  kernel: debian-12
  cpus: 8
  costs: {munlock_page: 120ns})";
    case ConfigKind::kernels:
      return {};
  }
  return {};
}

}  // namespace

std::string in_words(const YamlShape& shape) {
  std::vector<std::string> kinds = shape.words;
  if (shape.truth) kinds.emplace_back("true or false");
  if (shape.number) kinds.push_back(number_in_words(*shape.number));
  for (const std::string& text : shape.texts) kinds.push_back(form_in_words(text));
  const bool tells_lists =
      std::any_of(kinds.begin(), kinds.end(), [](const std::string& kind) { return kind.find("list") != kind.npos; });
  const bool is_distribution = std::find(kinds.begin(), kinds.end(), "a distribution") != kinds.end();
  if (shape.item && !tells_lists && !is_distribution) {
    const std::string each = in_words(*shape.item);
    const bool same = !kinds.empty() && kinds.back() == each;
    kinds.push_back(each.empty() ? "a list" : same ? "a list of such" : fmt::format("a list of: {}", each));
  }
  const bool tells_maps =
      std::any_of(kinds.begin(), kinds.end(), [](const std::string& kind) { return kind.find("map") != kind.npos; });
  if (shape.map && !tells_maps && !kinds.empty()) kinds.emplace_back("a map");
  return listed(kinds);
}

Section writing_section() {
  return {
      "HOW IT IS WRITTEN",
      {paragraph(
          "YAML, one document a file, beginning with `schema: mlocksim/1`. A key that is not known, or given "
          "twice, is refused. A name has letters, digits, '_', '-' and '.'. Quantities have units: durations ns, "
          "us, ms, s (`1.5us`); sizes B, KiB, MiB, GiB, TiB (`4GiB`); rates a size and /s. A distribution is a "
          "duration, `uniform LOW HIGH`, `exponential MEAN`, "
          "`lognormal median M p99 P`, `empirical FILE`, or a list of durations. `--set PATH=VALUE` changes "
          "any key of a scenario; in a path a dot leads into a map and [N] to an item of a list. A region, a thread "
          "or a group that is not there is added only as a whole: "
          "`--set 'processes[0].regions.more={size: 1GiB, kind: anon}'`.")}};
}

Section exit_section() {
  Section section{"EXIT STATUS"};
  for (const ExitCode& code : kExitCodes) {
    section.blocks.push_back(item(std::to_string(code.code), std::string(code.words)));
  }
  return section;
}

Section environment_section() {
  return {"ENVIRONMENT",
          {item("MLOCKSIM_CONFIGS", "The folder of the shipped files, with a folder for each kind of them."),
           item("MLOCKSIM_PROBE", "The program that measures for calibrate, and runs for validate."),
           item("NO_COLOR", "If it is set, to whatever: no colour and no bold, as with --no-colour."),
           item("COLUMNS",
                "How long lines may be where nothing is a terminal. If it is not given, tables and paragraphs are made "
                "for 80, and lines that a program would rather read whole are as long as they are.")}};
}

ManualPage program_page(const std::vector<CommandWords>& commands) {
  ManualPage page{"mlocksim", 1, "what a lock policy for mlock and munlock does to everybody who needs mmap_lock"};
  page.sections.push_back({"SYNOPSIS", {example("mlocksim COMMAND [OPTION]...\nmlocksim help [TOPIC]")}});
  page.sections.push_back(
      {"DESCRIPTION",
       {paragraph(
            "Simulates the paths of the Linux kernel that hold mmap_lock (mmap_sem until 5.7), page by page and lock "
            "operation by lock operation, on a simulated machine, and tells the tail latency of everybody who "
            "competes for the lock, and what that latency was spent on. The same scenario and seed give the same "
            "bytes."),
        paragraph("To begin with:"),
        example("mlocksim compare unlock_question\nmlocksim explain telegraf_smaps\nmlocksim list scenarios")}});
  Section list{"COMMANDS"};
  for (const CommandWords& command : commands) list.blocks.push_back(item(command.name, command.about + "."));
  page.sections.push_back(std::move(list));
  page.sections.push_back(
      {"OPTIONS",
       {paragraph("Each command has its own, and `-h`, `--quiet` and `--no-colour` (or `--no-color`); the latter two "
                  "may stand before the command, too. Besides:"),
        item("--version", "The version, the commit that it was built from, and the version of SimGrid.")}});
  page.sections.push_back(exit_section());
  page.sections.push_back(environment_section());
  page.sections.push_back({"FILES",
                           {item(data_directory().string(),
                                 "What is shipped: scenarios, incidents, studies, policies, kernels, machines, "
                                 "devices, and the JSON schemas of these files (schema/).")}});
  std::vector<std::string> others = format_pages();
  for (const CommandWords& command : commands) others.push_back(page_name(command.name) + "(1)");
  page.sections.push_back(see_also(others));
  return page;
}

ManualPage command_page(const CommandWords& command) {
  ManualPage page{page_name(command.name), 1, command.about};
  page.sections.push_back({"SYNOPSIS", {example("mlocksim " + command.description.usage)}});
  page.sections.push_back({"DESCRIPTION", {paragraph(joined_lines(command.description.about))}});
  page.sections.push_back(options_section(command.description));
  if (command.name == "probe") {
    page.sections.push_back({"THE PROGRAM",
                             {paragraph("What is copied is `mlocksim-probe`, linked statically: it needs "
                                        "nothing but a kernel. `mlocksim-probe --help` tells its options.")}});
  }
  page.sections.push_back(exit_section());
  std::vector<std::string> others{"mlocksim(1)"};
  others.insert(others.end(), format_pages().begin(), format_pages().end());
  page.sections.push_back(see_also(others));
  return page;
}

ManualPage format_page(const FileFormat& format) {
  ManualPage page{page_name(format.name), 5, "a " + format.name + " of mlocksim"};
  page.sections.push_back({"DESCRIPTION", {paragraph(format.about + "."), example(example_of(format.kind))}});
  page.sections.push_back(writing_section());
  Section keys{"KEYS"};
  KeyWriter writer(format);
  writer.write(format.shape, "", keys.blocks, 0);
  page.sections.push_back(std::move(keys));
  for (const std::string& variant : format.shape.variants()) {
    Section own{"KEYS: " + variant};
    writer.write(format.shape, "", own.blocks, 0, variant);
    page.sections.push_back(std::move(own));
  }
  if (format.kind == ConfigKind::scenarios) add_process_sections(format, page.sections);
  std::vector<std::string> others{"mlocksim(1)", "mlocksim-check(1)"};
  for (const std::string& other : format_pages()) {
    if (!other.starts_with(page.name + "(")) others.push_back(other);
  }
  page.sections.push_back(see_also(others));
  return page;
}

ManualPage memory_page(const FileFormat& scenario) {
  ManualPage page{page_name("memory"), 5, "the memory of a scenario of mlocksim"};
  page.sections.push_back(
      {"DESCRIPTION",
       {paragraph(
            "What `memory` of a scenario says. Only `size` must be given; `pressure` presets the rest, and any key "
            "overrides it."),
        example(R"(memory:
  size: 64GiB
  free: 1GiB
  working_set: {anon: 8GiB, file: 8GiB, touched_every: 10s}
  background: 400MiB/s
  device: nvme
  swap: {size: 8GiB, device: zram})")}});
  Section keys{"KEYS"};
  if (const YamlKey* const memory = scenario.shape.key("memory")) {
    KeyWriter(scenario).write(*memory->value, "memory", keys.blocks, 0);
  }
  page.sections.push_back(std::move(keys));
  page.sections.push_back(see_also({"mlocksim-scenario(5)", "mlocksim-device(5)"}));
  return page;
}

ManualPage expect_page() {
  ManualPage page{page_name("expect"), 5, "conditions on results, and expressions of studies"};
  page.sections.push_back(
      {"DESCRIPTION",
       {paragraph("What a scenario expects of its results, as a list under `expect`. run, compare and sweep check it, "
                  "print each condition with what was measured, and exit with 3 where one does not hold or cannot be "
                  "told."),
        example(R"yaml(expect:
  - p99(faulter.munlock) < 1ms                      # under every policy
  - "max(mapper, linux-6.17) < 0.3 * max(mapper, linux-6.4)"
  - mean(locker.munlock) < 2s                       # a locker: its calls)yaml")}});
  std::vector<std::string_view> phases;
  for (const models::PhaseRow& phase : models::kPhases) phases.push_back(phase.name);
  page.sections.push_back(
      {"MEASURES",
       {item("STATISTIC(CLASS)", "Of all requests of a class of threads."),
        item("STATISTIC(CLASS.PHASE)",
             "Of those that were due in a phase of the locker; of a locker: of one of its calls."),
        item("STATISTIC(CLASS.PHASE, POLICY)", "Under one policy only; also without a phase."),
        paragraph(fmt::format("Statistics: {}. A percentile with fewer than ten samples beyond it has no value.",
                              fmt::join(statistic_names(), ", "))),
        paragraph(fmt::format("Phases: {}.", fmt::join(phases, ", ")))}});
  page.sections.push_back(
      {"EXPRESSIONS",
       {paragraph("Numbers, sizes, durations and words; from loose to tight: or, and, not, comparisons (== != < <= > "
                  ">=), + -, * /, unary minus. A size times a number is a size, a size over a size is a number; what "
                  "else mixes them is refused. In a study names are those of its axes, and a word that is no plain "
                  "name stands in quotes: 'linux-6.4'. What divides by zero is neither true nor false."),
        paragraph(fmt::format("At most {} characters.", kLongestExpression))}});
  page.sections.push_back(see_also({"mlocksim-scenario(5)", "mlocksim-study(5)"}));
  return page;
}

namespace {

/// The maps that a key may hold, by their paths: itself, each item of a list, each of those with names.
std::vector<std::pair<std::string, const YamlShape*>> maps_of(const std::string& path, const YamlKey& key) {
  std::vector<std::pair<std::string, const YamlShape*>> maps{{path, key.value.get()}};
  if (key.value->item) maps.emplace_back(path + "[]", key.value->item.get());
  if (key.value->named) maps.emplace_back(path + ".*", key.value->named.get());
  return maps;
}

/// What is said of a key where it stands alone: also which keys are in it, as each is a topic, too.
std::string key_alone(const FileFormat& format, const std::string& path, const YamlKey& key) {
  const std::string words(words_of_key(format.kind, path));
  const std::string what = in_words(*key.value);
  std::string text =
      fmt::format("{}{}{}", key.required ? "Required. " : "", words, what.empty() ? "" : fmt::format(" [{}]", what));
  for (const auto& [inner, map] : maps_of(path, key)) {
    std::vector<std::string> names;
    for (const YamlKey& each : map->keys) {
      if (each.variant.empty()) names.push_back(each.name);
    }
    if (!names.empty()) text += fmt::format(" Keys: {}.", fmt::join(names, ", "));
    if (const auto kinds = map->variants(); !kinds.empty()) text += fmt::format(" Kinds: {}.", fmt::join(kinds, ", "));
  }
  return text;
}

/// A kind of map with the keys that only it has.
void add_kind(const FileFormat& format, const std::string& path, const YamlShape& shape, const std::string& kind,
              std::vector<Block>& blocks) {
  const std::string own = fmt::format("{}({})", path, kind);
  blocks.push_back(item(own, std::string(words_of_key(format.kind, own))));
  for (const YamlKey& key : shape.keys) {
    if (key.variant == kind) blocks.push_back(item(key.name, key_alone(format, path_of_key(path, key), key), 1));
  }
}

}  // namespace

std::vector<Block> keys_called(const FileFormat& format, const std::string& name) {
  std::vector<Block> blocks;
  for_each_key(format.shape, [&](const std::string& path, const YamlKey& key) {
    if (means_key(name, path)) blocks.push_back(item(path, key_alone(format, path, key)));
    for (const auto& [inner, map] : maps_of(path, key)) {
      for (const std::string& kind : map->variants()) {
        const bool meant = means_key(name, fmt::format("{}({})", inner, kind)) && !means_key(name, inner);
        if (meant) add_kind(format, inner, *map, kind, blocks);
      }
    }
  });
  return blocks;
}

}  // namespace experiments
