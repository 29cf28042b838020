// Files and folders of output: whole or not at all, and refused before any work is done if they cannot be written.
#pragma once

#include <cstdio>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "experiments/base/interruption.h"

namespace experiments {

/// Whether a name of a file to write is `-`: standard output.
[[nodiscard]] bool is_standard_output(const std::filesystem::path& path);

/// A file that appears whole or not at all. One that takes another's place has its permissions. `-` is standard output,
/// which is the file's alone while it lives: what else is printed goes to standard error, so that a pipe gets the file.
class OutputFile {
 public:
  /// Makes sure, before any work is done, that the file can be written. Throws UsageError if not.
  explicit OutputFile(const std::filesystem::path& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Writes and puts the file in place. Throws std::runtime_error, and leaves an old file alone, if that fails.
  void commit(const std::string& text);

  /// For what is written bit by bit. Begins anew the first time.
  [[nodiscard]] std::ostream& stream();
  /// Puts in place what has been written to stream(). Throws as above.
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path partial_;
  std::optional<RemovedWhenInterrupted> remnant_;
  std::ofstream out_;
  std::FILE* printed_ = nullptr;  // what `stdout` is otherwise
};

/// Throws UsageError if `option`'s file is the one that is read: it would take its place.
void refuse_own_input(const std::filesystem::path& input, const std::filesystem::path& output, const char* option);

/// A folder into which files are put that appear whole or not at all.
class OutputFolder {
 public:
  /// Makes the folder if it is not there, and makes sure, before any work is done, that files can be written into it.
  /// Throws UsageError if not, and leaves no folder behind.
  explicit OutputFolder(const std::filesystem::path& path);
  /// Removes what the constructor made and commit() has not filled.
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  /// Writes all files (text by name), and then puts them in place. Throws std::runtime_error if writing fails, and
  /// leaves the folder as it was.
  void commit(const std::map<std::string, std::string>& files);

 private:
  void make(const std::filesystem::path& path);
  void clean_up() noexcept;

  std::filesystem::path path_;
  std::filesystem::path staging_;               // within path_, so that putting in place is a rename
  std::vector<std::filesystem::path> folders_;  // that were made, the outermost first
  std::deque<RemovedWhenInterrupted> remnants_;
};

}  // namespace experiments
