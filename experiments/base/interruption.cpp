#include "experiments/base/interruption.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <string>

namespace experiments {

namespace {

// All that a signal handler may look at: it must not allocate, and whoever it interrupts may hold any lock.
struct Remnant {
  std::atomic<bool> there;
  std::array<char, 4096> path;
};
std::array<Remnant, 16> remnants;
std::atomic<const char*> last_words;
std::atomic<pid_t> owner;

void remove_remnants() {
  for (std::size_t place = remnants.size(); place-- > 0;) {
    const Remnant& each = remnants[place];
    if (each.there && unlink(each.path.data()) != 0) rmdir(each.path.data());
  }
}

extern "C" void end_interrupted(int signal) {
  if (getpid() == owner) {
    remove_remnants();
    const char* const words = last_words;
    if (words != nullptr && write(STDERR_FILENO, words, std::strlen(words)) < 0) last_words = nullptr;
  }
  // The handler has been reset, so that this ends the program as soon as it has returned.
  (void)raise(signal);
}

}  // namespace

void handle_interruptions() {
  owner = getpid();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    sigaction(signal, nullptr, &action);
    if (action.sa_handler == SIG_IGN) continue;
    action.sa_handler = end_interrupted;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(signal, &action, nullptr);
  }
}

void tell_when_interrupted(const char* words) { last_words = words; }

RemovedWhenInterrupted::RemovedWhenInterrupted(const std::filesystem::path& path) {
  const std::string text = std::filesystem::absolute(path).string();
  const auto free =
      std::find_if(remnants.begin(), remnants.end(), [](const Remnant& each) { return !each.there.load(); });
  place_ = static_cast<std::size_t>(free - remnants.begin());
  if (text.size() >= remnants.front().path.size()) place_ = remnants.size();
  if (place_ == remnants.size()) return;
  std::copy(text.c_str(), text.c_str() + text.size() + 1, free->path.begin());
  free->there = true;
}

RemovedWhenInterrupted::~RemovedWhenInterrupted() {
  if (place_ < remnants.size()) remnants[place_].there = false;
}

}  // namespace experiments
