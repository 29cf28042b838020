// The formats of our files: which there are, what may stand in them, and what each key means.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/scenario/config_catalogue.h"
#include "experiments/scenario/yaml_shape.h"

namespace experiments {

/// The format of one kind of file.
struct FileFormat {
  ConfigKind kind;
  std::string name;   ///< "scenario": of its page and its schema
  std::string about;  ///< a sentence
  YamlShape shape;    ///< what its reader asks for
};

/// The formats that have a schema and a page: scenario, study, policy, machine, device. Asks the readers: half a second
/// for a scenario.
[[nodiscard]] FileFormat file_format(ConfigKind kind);
/// Their kinds, in the order in which they are described.
[[nodiscard]] const std::vector<ConfigKind>& described_kinds();

/// What a key means: one sentence, or a part of one. Empty: nobody has said.
///
/// `path`: from the top of the file, `processes[].regions.*.size`, with the kind of a map behind what is one of
/// several: `processes[].threads.*(locker).script`. What is said of a key without a kind holds for all kinds; what a
/// scenario says of its machine, policies and devices stands with those.
[[nodiscard]] std::string_view words_of_key(ConfigKind kind, std::string_view path);

/// With which kind of file the words for a key stand: a scenario's `policies[].munlock.mode` with policies, as
/// `munlock.mode`.
struct KeyPlace {
  ConfigKind kind;
  std::string path;
};
[[nodiscard]] KeyPlace place_of_key(ConfigKind kind, std::string_view path);

/// A row of the table that words_of_key looks into. One that no reader's key leads to fails a test: that key is gone.
struct KeyWords {
  ConfigKind kind;
  std::string_view path;
  std::string_view words;
};
[[nodiscard]] const std::vector<KeyWords>& all_key_words();

/// Where a key of the map at `outer` is, as words_of_key has it.
[[nodiscard]] std::string path_of_key(const std::string& outer, const YamlKey& key);

/// Calls `visit(path, key)` for each key of a shape, the outer ones first.
void for_each_key(const YamlShape& shape, const std::function<void(const std::string&, const YamlKey&)>& visit);

}  // namespace experiments
