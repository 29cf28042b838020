// The bytes of a trace, line by line: from a file, packed or not, or from standard input. Memory is bounded.
#pragma once

#include <cstddef>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace experiments {

class TraceInput {
 public:
  /// A line of a trace is far shorter: comm, frame and a system call's six arguments come to 300 characters.
  static constexpr std::size_t kLongestLine = std::size_t{1} << 16U;

  /// `path`: a file, unpacked with gzip, xz or zstd if it begins as their files do; `-`: standard input. Throws
  /// UsageError where it cannot be read, or is the binary form of perf or trace-cmd.
  explicit TraceInput(const std::string& path);

  /// The next line, without its newline; valid until the next call. Throws InputError for one longer than
  /// kLongestLine, and where unpacking fails.
  [[nodiscard]] std::optional<std::string_view> next();

  /// As the user named it.
  [[nodiscard]] const std::string& path() const { return path_; }
  /// Of the line that next() returned last, from 1.
  [[nodiscard]] int line() const { return line_; }
  /// Whether that line ended with a newline.
  [[nodiscard]] bool is_whole() const { return whole_; }

 private:
  struct Closer {
    bool is_pipe;
    void operator()(std::FILE* file) const;
  };

  [[nodiscard]] std::string_view first_bytes();
  void unpack_with(const char* program);
  void end_unpacking();
  bool fill();
  [[noreturn]] void refuse(const std::string& message) const;

  std::string path_;
  std::unique_ptr<std::FILE, Closer> file_{nullptr, Closer{false}};
  const char* packer_ = nullptr;  // that unpacks it; null: nothing more is packed
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // of what has not been handed out
  std::size_t end_ = 0;    // of what has been read
  int line_ = 0;
  bool whole_ = true;
};

}  // namespace experiments
