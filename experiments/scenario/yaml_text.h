// Trees of YAML values as text, there and back: what is written reads as the same tree.
#pragma once

#include <string>
#include <vector>

namespace experiments {

struct Diagnostic;
struct Position;
struct YamlNode;

/// Reads a text as a file would be read: nodes are at their lines if `origin` has one, and otherwise all at `origin`.
[[nodiscard]] YamlNode parse_yaml(const std::string& text, const Position& origin,
                                  std::vector<Diagnostic>& diagnostics);

/// In one line, as --set reads it.
[[nodiscard]] std::string to_flow(const YamlNode& node);

/// A map as a file: its keys a line each, what they hold indented down to `depth` levels, and in one line below that.
/// Ends with a line break.
[[nodiscard]] std::string to_block(const YamlNode& node, int depth = 3);

}  // namespace experiments
