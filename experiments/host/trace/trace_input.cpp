#include "experiments/host/trace/trace_input.h"

#include <sys/wait.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "experiments/base/diagnostics.h"
#include "experiments/base/shell.h"

namespace experiments {

namespace {

constexpr std::size_t kBufferSize = 1U << 20U;
static_assert(kBufferSize > TraceInput::kLongestLine);

struct Packing {
  std::string_view magic;
  const char* program;
};

constexpr std::array<Packing, 3> kPackings{
    {{{"\x1f\x8b", 2}, "gzip"}, {{"\xfd\x37zXZ", 5}, "xz"}, {{"\x28\xb5\x2f\xfd", 4}, "zstd"}}};

struct BinaryForm {
  std::string_view magic;
  const char* what;
  const char* command;  // that prints it, before the file's name
};

constexpr std::array<BinaryForm, 2> kBinaryForms{
    {{"PERFILE2", "perf's own form", "perf script --ns -i"},
     {{"\x17\x08\x44tracing", 10}, "trace-cmd's own form", "trace-cmd report -t -i"}}};

}  // namespace

void TraceInput::Closer::operator()(std::FILE* file) const {
  if (is_pipe) {
    (void)pclose(file);
  } else if (file != stdin) {
    (void)std::fclose(file);
  }
}

TraceInput::TraceInput(const std::string& path) : path_(path), buffer_(kBufferSize) {
  file_.reset(path == "-" ? stdin : std::fopen(path.c_str(), "rb"));
  if (!file_) throw UsageError(fmt::format("'{}': cannot be read: {}", path, std::strerror(errno)));
  const std::string_view first = first_bytes();
  for (const BinaryForm& form : kBinaryForms) {
    if (!first.starts_with(form.magic)) continue;
    throw UsageError(fmt::format("'{}' is {}: expected its text, as of `{} {} | mlocksim import -`", path, form.what,
                                 form.command, shell_word(path)));
  }
  for (const Packing& packing : kPackings) {
    if (first.starts_with(packing.magic)) unpack_with(packing.program);
  }
}

std::string_view TraceInput::first_bytes() {
  if (!fill() && std::ferror(file_.get()) != 0) {
    throw UsageError(fmt::format("'{}': cannot be read: {}", path_, std::strerror(errno)));
  }
  return {buffer_.data(), end_};
}

void TraceInput::unpack_with(const char* program) {
  if (path_ == "-")
    throw UsageError(fmt::format("what comes in is packed: expected `{} -dc | mlocksim import -`", program));
  const std::string command = fmt::format("exec {} -dc -- {} 2>/dev/null", program, shell_word(path_));
  file_ = {popen(command.c_str(), "re"), Closer{true}};
  if (!file_) throw UsageError(fmt::format("'{}': {} cannot be run: {}", path_, program, std::strerror(errno)));
  packer_ = program;
  begin_ = end_ = 0;
}

bool TraceInput::fill() {
  std::copy(buffer_.data() + begin_, buffer_.data() + end_, buffer_.data());
  end_ -= std::exchange(begin_, 0);
  const std::size_t count = std::fread(buffer_.data() + end_, 1, buffer_.size() - end_, file_.get());
  end_ += count;
  return count > 0;
}

void TraceInput::end_unpacking() {
  const char* const packer = std::exchange(packer_, nullptr);
  file_.get_deleter() = Closer{false};
  const int status = pclose(file_.release());
  file_ = {std::fopen("/dev/null", "rb"), Closer{false}};
  constexpr int kNoProgram = 127;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNoProgram)
    refuse(fmt::format("cannot be unpacked: {} is not installed", packer));
  if (status != 0) refuse("cannot be unpacked to its end: it is damaged, or not whole");
}

std::optional<std::string_view> TraceInput::next() {
  for (;;) {
    const char* const start = buffer_.data() + begin_;
    const std::size_t length = end_ - begin_;
    const void* const newline = std::memchr(start, '\n', length);
    if (newline != nullptr) {
      const auto size = static_cast<std::size_t>(static_cast<const char*>(newline) - start);
      begin_ += size + 1;
      ++line_;
      if (size > kLongestLine) break;
      return std::string_view(start, size);
    }
    if (length > kLongestLine) {
      ++line_;
      break;
    }
    if (fill()) continue;
    if (std::ferror(file_.get()) != 0) refuse(fmt::format("cannot be read on: {}", std::strerror(errno)));
    if (packer_ != nullptr) end_unpacking();
    if (begin_ == end_) return std::nullopt;
    whole_ = false;
    ++line_;
    return std::string_view(buffer_.data() + std::exchange(begin_, end_), length);
  }
  refuse(fmt::format("expected the line of a trace, found one of more than {} KiB", kLongestLine / 1024));
}

void TraceInput::refuse(const std::string& message) const {
  throw InputError({{path_, line_, line_ > 0 ? 1 : 0, "", message}});
}

}  // namespace experiments
