#include "experiments/scenario/locker_file.h"

#include <fmt/format.h>

#include <boost/algorithm/string/trim.hpp>

#include <string>
#include <string_view>

#include "experiments/base/diagnostics.h"
#include "experiments/base/quantity.h"
#include "experiments/scenario/yaml_reader.h"
#include "experiments/scenario/yaml_values.h"
#include "models/spec/page.h"

namespace experiments {

namespace {

using Call = models::ScriptStep::Call;

constexpr std::string_view kStepExpected =
    "mlock, munlock, munmap, mlockall, mlockall future, munlockall, mmap locked, remap_file_pages, exit, brk SIZE, "
    "stack "
    "SIZE or hold DURATION";

const Choices<Call>& plain_steps() {
  static const Choices<Call> steps = {{"mlock", Call::mlock},
                                      {"munlock", Call::munlock},
                                      {"munmap", Call::munmap},
                                      {"mlockall", Call::mlockall},
                                      {"mlockall future", Call::mlockall_future},
                                      {"munlockall", Call::munlockall},
                                      {"mmap locked", Call::mmap_locked},
                                      {"remap_file_pages", Call::remap_file_pages},
                                      {"exit", Call::exit}};
  return steps;
}

/// What follows `word` in `text`, if that is how it begins.
std::optional<std::string> argument_of(const std::string& text, const std::string& word) {
  if (text != word && !text.starts_with(word + " ")) return std::nullopt;
  return boost::algorithm::trim_copy(text.substr(word.size()));
}

Expected<models::ScriptStep> parse_growth(const std::string& text, Call call, const std::string& argument) {
  const auto size = parse_size(argument);
  if (!size) return Refusal{fmt::format("in '{}': {}", text, size.message())};
  const bool whole = size->count() > 0 && models::bytes_of(models::pages_of(*size)) == *size;
  if (!whole) return Refusal{fmt::format("in '{}': expected a multiple of 4KiB above zero", text)};
  return models::ScriptStep{call, {}, *size};
}

Expected<models::ScriptStep> parse_step(const std::string& text) {
  for (const auto& [word, call] : plain_steps()) {
    if (text == word) return models::ScriptStep{call};
  }
  if (const auto argument = argument_of(text, "hold")) {
    const auto duration = parse_duration(*argument);
    if (duration) return models::ScriptStep{Call::hold, *duration};
    return Refusal{fmt::format("in '{}': {}", text, duration.message())};
  }
  if (const auto argument = argument_of(text, "brk")) return parse_growth(text, Call::brk, *argument);
  if (const auto argument = argument_of(text, "stack")) return parse_growth(text, Call::stack, *argument);
  std::vector<std::string> words{"hold 100ms", "brk 1MiB", "stack 64KiB"};
  for (const auto& [word, call] : plain_steps()) words.push_back(word);
  return Refusal{fmt::format("expected {}, found '{}'{}", kStepExpected, text, did_you_mean(text, words))};
}

}  // namespace

std::optional<std::vector<models::ScriptStep>> script_of(const YamlField& field) {
  std::vector<models::ScriptStep> script;
  for (const YamlField& item : field.items("a list of steps such as [mlock, hold 100ms, munlock]")) {
    if (!script.empty() && script.back().call == Call::exit) item.refuse("nothing can come after exit");
    const auto step = item.parsed(parse_step, kStepExpected);
    if (step) script.push_back(*step);
  }
  return script;
}

}  // namespace experiments
