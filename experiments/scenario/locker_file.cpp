#include "experiments/scenario/locker_file.h"

#include <fmt/format.h>

#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/split.hpp>
#include <boost/algorithm/string/trim.hpp>

#include <cctype>
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

constexpr std::string_view kStepExpected = "a step such as mlock, munmap 64MiB, brk 1MiB or hold 100ms";
// Of all steps, where none is near: what they begin with.
constexpr std::string_view kFirstWords =
    "brk, exit, hold, mlock, mlockall, mmap locked, mremap, msync, munlock, munlockall, munmap, remap_file_pages, "
    "stack";

const Choices<Call>& plain_steps() {
  static const Choices<Call> steps = {{"mlock", Call::mlock},
                                      {"mlock onfault", Call::mlock_onfault},
                                      {"munlock", Call::munlock},
                                      {"munmap", Call::munmap},
                                      {"mlockall", Call::mlockall},
                                      {"mlockall onfault", Call::mlockall_onfault},
                                      {"mlockall future", Call::mlockall_future},
                                      {"munlockall", Call::munlockall},
                                      {"mmap locked", Call::mmap_locked},
                                      {"remap_file_pages", Call::remap_file_pages},
                                      {"msync", Call::msync},
                                      {"mremap", Call::mremap},
                                      {"mremap aligned", Call::mremap_aligned},
                                      {"exit", Call::exit}};
  return steps;
}

/// What follows `word` in `text`, if that is how it begins.
std::optional<std::string> argument_of(const std::string& text, const std::string& word) {
  if (text != word && !text.starts_with(word + " ")) return std::nullopt;
  return boost::algorithm::trim_copy(text.substr(word.size()));
}

/// A number of whole pages of the step `text`.
Expected<models::Bytes> parse_pages(const std::string& text, const std::string& argument) {
  const auto size = parse_size(argument);
  if (!size) return Refusal{fmt::format("in '{}': {}", text, size.message())};
  const bool whole = size->count() > 0 && models::bytes_of(models::pages_of(*size)) == *size;
  if (!whole) return Refusal{fmt::format("in '{}': expected a multiple of 4KiB above zero", text)};
  return *size;
}

Expected<models::ScriptStep> parse_growth(const std::string& text, Call call, const std::string& argument) {
  const auto size = parse_pages(text, argument);
  if (!size) return Refusal{size.message()};
  return models::ScriptStep{call, {}, *size};
}

Expected<models::ScriptStep> parse_brk(const std::string& text, const std::string& argument) {
  if (!argument.starts_with('-')) return parse_growth(text, Call::brk, argument);
  return parse_growth(text, Call::brk_shrink, argument.substr(1));
}

/// Where the piece begins: 0 is a place, too.
Expected<models::Bytes> parse_place(const std::string& text, const std::string& argument) {
  const auto place = parse_size(argument);
  if (place && place->count() == 0) return *place;
  return parse_pages(text, argument);
}

/// What follows a call on the region: `SIZE`, `SIZE pause DURATION` or `SIZE at SIZE`.
Expected<models::ScriptStep> parse_piece(const std::string& text, Call call, const std::string& argument) {
  std::vector<std::string> words;
  boost::algorithm::split(words, argument, boost::algorithm::is_space(), boost::algorithm::token_compress_on);
  const auto size = parse_pages(text, words.front());
  if (!size) return Refusal{size.message()};
  models::ScriptStep step{call, {}, *size};
  if (words.size() == 1) return step;
  if (words.size() == 3 && words[1] == "pause") {
    const auto pause = parse_duration(words[2]);
    if (!pause) return Refusal{fmt::format("in '{}': {}", text, pause.message())};
    step.hold = *pause;
    return step;
  }
  if (words.size() == 3 && words[1] == "at") {
    const auto place = parse_place(text, words[2]);
    if (!place) return Refusal{place.message()};
    step.at = *place;
    return step;
  }
  return Refusal{fmt::format("in '{}': expected nothing, `pause DURATION` or `at SIZE` behind the size", text)};
}

/// A call on the region with something behind it that begins with a digit, as a size does.
std::optional<Expected<models::ScriptStep>> parse_in_pieces(const std::string& text) {
  for (const auto& [word, call] : plain_steps()) {
    const auto argument = models::is_on_region(call) ? argument_of(text, word) : std::nullopt;
    if (argument && !argument->empty() && std::isdigit(static_cast<unsigned char>(argument->front())) != 0) {
      return parse_piece(text, call, *argument);
    }
  }
  return std::nullopt;
}

/// A step that is none: the nearest one, or the one with more behind it than it takes, or what there is.
Refusal refuse_step(const std::string& text) {
  std::vector<std::string> words{"hold 100ms", "brk 1MiB", "brk -1MiB", "stack 64KiB"};
  for (const auto& [word, call] : plain_steps()) words.push_back(word);
  std::string hint = did_you_mean(text, words);
  for (const auto& [word, call] : plain_steps()) {
    if (hint.empty() && text.starts_with(word + " ")) hint = fmt::format(" (did you mean {}?)", word);
  }
  if (hint.empty()) hint = fmt::format(" (all begin with one of {})", kFirstWords);
  return {fmt::format("expected {}, found {}{}", kStepExpected, as_found(text), hint)};
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
  if (const auto in_pieces = parse_in_pieces(text)) return *in_pieces;
  if (const auto argument = argument_of(text, "brk")) return parse_brk(text, *argument);
  if (const auto argument = argument_of(text, "stack")) return parse_growth(text, Call::stack, *argument);
  return refuse_step(text);
}

}  // namespace

TextForm step_form() {
  std::string words = "hold|brk|stack";
  for (const auto& [word, call] : plain_steps()) words += "|" + word;
  return {"step", std::string(kStepExpected), fmt::format("^({})( .*)?$", words)};
}

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
