// What the program leaves behind where somebody ends it in the middle: SIGINT (Ctrl-C), SIGTERM or SIGHUP.
//
// It ends by that signal, as whoever sent it expects (a shell then says 130, 143 or 129), without a word but those that
// a command has for it, and without files that are not whole. A signal that it was started to ignore (nohup) stays
// ignored. SIGKILL leaves what is there: the next run of the same command neither reads nor minds it.
#pragma once

#include <cstddef>
#include <filesystem>

namespace experiments {

/// From now on. Of this process: one that it forks ends by the signal and touches no file.
void handle_interruptions();

/// Said on standard error if it is ended from now on. Null: nothing. `words` must live as long as the program.
void tell_when_interrupted(const char* words);

/// A file, or a folder that is empty, that is removed if the program is ended while this lives; the last one first. Of
/// more than 16 at a time, and of paths of 4096 bytes and more, nothing is known.
class RemovedWhenInterrupted {
 public:
  explicit RemovedWhenInterrupted(const std::filesystem::path& path);
  ~RemovedWhenInterrupted();
  RemovedWhenInterrupted(const RemovedWhenInterrupted&) = delete;
  RemovedWhenInterrupted& operator=(const RemovedWhenInterrupted&) = delete;

 private:
  std::size_t place_;
};

}  // namespace experiments
