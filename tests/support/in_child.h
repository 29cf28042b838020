// Runs part of a test in a process of its own: SimGrid allows one engine a process (as WRENCH's tests do it).
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <string>
#include <utility>

#include "sim/simgrid.h"

namespace tests {

namespace in_child_detail {

// Collects what the assertions of a child have to say.
class Failures : public testing::EmptyTestEventListener {
 public:
  explicit Failures(std::string& text) : text_(text) {}
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    text_ += std::string(result.file_name() == nullptr ? "?" : result.file_name()) + ":" +
             std::to_string(result.line_number()) + ": " + result.message() + "\n";
  }

 private:
  std::string& text_;
};

inline void write_all(int file, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t written = ::write(file, text.data() + done, text.size() - done);
    if (written <= 0) _exit(3);
    done += static_cast<std::size_t>(written);
  }
}

// Does not return.
[[noreturn]] inline void run_child(int file, const std::function<std::string()>& body) {
  std::string failures;
  testing::TestEventListeners& listeners = testing::UnitTest::GetInstance()->listeners();
  delete listeners.Release(listeners.default_result_printer());
  listeners.Append(new Failures(failures));
  std::string text;
  try {
    text = body();
  } catch (const std::exception& error) {
    failures += std::string("child threw: ") + error.what() + "\n";
  }
  write_all(file, failures.empty() ? text : "child failed: " + failures);
  _exit(0);
}

inline std::string how_it_died(int status) {
  if (WIFSIGNALED(status)) return std::string("child failed: died of ") + strsignal(WTERMSIG(status)) + "\n";
  if (WEXITSTATUS(status) != 0) return "child failed: exit code " + std::to_string(WEXITSTATUS(status)) + "\n";
  return {};
}

}  // namespace in_child_detail

/// What `body` returns when it runs in a child process. An exception, a crash, a non-zero exit or a failed assertion
/// in the child comes back as a text that begins with "child failed: ".
inline std::string in_child(const std::function<std::string()>& body) {
  sim::load_simgrid();  // once for all children
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return "child failed: no pipe";
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) return "child failed: no fork";
  if (child == 0) {
    close(ends[0]);
    in_child_detail::run_child(ends[1], body);
  }
  close(ends[1]);
  std::string text;
  std::array<char, 65536> buffer{};
  for (ssize_t got = 0; (got = ::read(ends[0], buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return in_child_detail::how_it_died(status) + text;
}

/// Runs `body`, with the assertions in it, in a child process; what fails there fails here.
inline void check_in_child(const std::function<void()>& body) {
  const std::string text = in_child([&] {
    body();
    return std::string("done");
  });
  if (text != "done") ADD_FAILURE() << text;
}

}  // namespace tests
