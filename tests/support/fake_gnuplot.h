// A gnuplot that misbehaves, found before the real one.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/support/command_line.h"

namespace tests {

/// The path of gnuplot; empty where there is none.
inline std::string real_gnuplot() {
  std::string path = run_program({"/usr/bin/env", "sh", "-c", "command -v gnuplot"}).out;
  while (!path.empty() && path.back() == '\n') path.pop_back();
  return path;
}

/// While it lives, `gnuplot` is this script of sh. $1 is the file to draw.
class FakeGnuplot {
 public:
  explicit FakeGnuplot(const std::string& script) : path_(std::getenv("PATH")) {
    const std::string file = folder_.write("gnuplot", "#!/bin/sh\n" + script + "\n");
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    setenv("PATH", (folder_ / "" + ":" + path_).c_str(), 1);
  }
  ~FakeGnuplot() { setenv("PATH", path_.c_str(), 1); }
  FakeGnuplot(const FakeGnuplot&) = delete;
  FakeGnuplot& operator=(const FakeGnuplot&) = delete;

 private:
  TemporaryFolder folder_;
  std::string path_;
};

}  // namespace tests
