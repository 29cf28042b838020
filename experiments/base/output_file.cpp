#include "experiments/base/output_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "experiments/base/diagnostics.h"

namespace experiments {

namespace {

// What a symbolic link leads to, so that the link stays one.
std::filesystem::path target_of(const std::filesystem::path& path) {
  std::error_code ignored;
  // /dev/stdout may lead to a pipe, which has no path of its own.
  const bool to_a_file = !std::filesystem::exists(path, ignored) || std::filesystem::is_regular_file(path, ignored);
  const bool link = std::filesystem::is_symlink(path, ignored) && to_a_file;
  return link ? std::filesystem::weakly_canonical(path, ignored) : path;
}

}  // namespace

bool is_standard_output(const std::filesystem::path& path) { return path == "-"; }

OutputFile::OutputFile(const std::filesystem::path& path) : path_(target_of(path)), partial_(path_) {
  if (is_standard_output(path)) {
    printed_ = std::exchange(stdout, stderr);  // a variable like any other in glibc (its manual, "Standard Streams")
    return;
  }
  std::error_code ignored;
  // A device or a pipe is written to; replacing it would put a plain file in its place.
  const bool in_place = std::filesystem::exists(path_, ignored) && !std::filesystem::is_regular_file(path_, ignored);
  if (!in_place) {
    partial_ += fmt::format(".part{}", getpid());
    remnant_.emplace(partial_);
  }
  const bool writable = in_place ? !std::filesystem::is_directory(path_) && access(path_.c_str(), W_OK) == 0
                                 : path_.has_filename() && std::ofstream(partial_).is_open();
  if (!writable) throw UsageError(fmt::format("'{}': cannot be written", path.string()));
}

OutputFile::~OutputFile() {
  if (printed_ != nullptr) stdout = printed_;
  std::error_code ignored;
  if (partial_ != path_) std::filesystem::remove(partial_, ignored);
}

void OutputFile::commit(const std::string& text) {
  stream() << text;
  commit();
}

std::ostream& OutputFile::stream() {
  if (is_standard_output(path_)) return std::cout;
  if (!out_.is_open()) out_.open(partial_, std::ios::trunc);
  return out_;
}

void OutputFile::commit() {
  if (is_standard_output(path_)) {
    std::cout.flush();
    return;
  }
  out_.close();
  if (!out_) throw std::runtime_error(fmt::format("{}: writing failed (disk full?)", path_.string()));
  if (partial_ == path_) return;
  std::error_code ignored;
  const auto before = std::filesystem::status(path_, ignored);
  if (std::filesystem::is_regular_file(before)) std::filesystem::permissions(partial_, before.permissions(), ignored);
  std::filesystem::rename(partial_, path_);
}

OutputFolder::OutputFolder(const std::filesystem::path& path) : path_(path) {
  std::error_code error;
  try {
    if (path.empty()) throw std::runtime_error("no name");
    make(std::filesystem::absolute(path).lexically_normal());
    std::string staging = (path_ / ".hgrm.XXXXXX").string();
    if (mkdtemp(staging.data()) == nullptr) throw std::runtime_error("not writable");
    staging_ = staging;
    remnants_.emplace_back(staging_);
  } catch (const std::exception&) {
    clean_up();
    throw UsageError(
        fmt::format("'{}': cannot be written; expected a folder, or the name of one to make", path.string()));
  }
}

OutputFolder::~OutputFolder() { clean_up(); }

void OutputFolder::make(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) return;
  if (path.has_relative_path()) make(path.parent_path());
  if (!std::filesystem::create_directory(path)) return;
  folders_.push_back(path);
  remnants_.emplace_back(path);
}

void OutputFolder::clean_up() noexcept {
  std::error_code ignored;
  if (!staging_.empty()) std::filesystem::remove_all(staging_, ignored);
  // Only those without files go.
  for (auto folder = folders_.rbegin(); folder != folders_.rend(); ++folder) std::filesystem::remove(*folder, ignored);
}

void OutputFolder::commit(const std::map<std::string, std::string>& files) {
  for (const auto& [name, text] : files) {
    if (std::filesystem::is_directory(path_ / name)) {
      throw std::runtime_error(fmt::format("{}: is a folder", (path_ / name).string()));
    }
    std::ofstream out(staging_ / name);
    out << text;
    out.close();
    if (!out) throw std::runtime_error(fmt::format("{}: writing failed (disk full?)", (path_ / name).string()));
  }
  for (const auto& [name, text] : files) std::filesystem::rename(staging_ / name, path_ / name);
}

void refuse_own_input(const std::filesystem::path& input, const std::filesystem::path& output, const char* option) {
  std::error_code not_there;
  if (std::filesystem::equivalent(input, output, not_there)) {
    throw UsageError(fmt::format("--{}: '{}' is what is read: expected another file", option, output.string()));
  }
}

}  // namespace experiments
