// Trees of YAML values as text again: what reads them gives the same tree.
#pragma once

#include <string>

namespace experiments {

struct YamlNode;

/// In one line, as --set reads it.
[[nodiscard]] std::string to_flow(const YamlNode& node);

/// A map as a file: its keys a line each, what they hold indented down to `depth` levels, and in one line below that.
/// Ends with a line break.
[[nodiscard]] std::string to_block(const YamlNode& node, int depth = 3);

}  // namespace experiments
