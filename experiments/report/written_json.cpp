#include "experiments/report/written_json.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "experiments/base/diagnostics.h"

namespace experiments {

double number_in(const Json& value, const std::string& key) {
  constexpr double kMost = 9.3e18;
  const double number = value.is_number() ? value.get<double>() : -1;
  if (number >= 0 && number < kMost) return number;
  throw NotAsWritten(fmt::format("'{}': expected a number from 0 to 2^63, found {}", key, value.dump()));
}

double number_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) throw NotAsWritten(fmt::format("'{}' is missing", key));
  return number_in(*found, key);
}

std::string text_at(const Json& object, const char* key) { return object.at(key).get<std::string>(); }

Json read_written(const std::filesystem::path& file, const std::string& command,
                  const std::function<void(const Json&)>& use) {
  Json json = Json::parse(std::ifstream(file), nullptr, false);
  const auto refuse = [&](const std::string& why) -> InputError {
    return InputError(
        {{file.string(), 0, 0, "", fmt::format("this is no file that `{}` has written{}", command, why)}});
  };
  if (!json.is_object()) throw refuse("");
  try {
    use(json);
  } catch (const Json::exception& error) {
    throw refuse(": " + in_words(error));
  } catch (const NotAsWritten& error) {
    throw refuse(fmt::format(": {}", error.what()));
  }
  return json;
}

}  // namespace experiments
