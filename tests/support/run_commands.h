// Reads the commands that the program prints for repeating a run: by a shell, and then by the program's own reader.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "experiments/commands/scenario_options.h"
#include "tests/support/command_line.h"

namespace tests {

/// The words that a shell makes of a command. Precondition: none of them has a line break.
inline std::vector<std::string> words_of(const std::string& command) {
  const Outcome outcome =
      run_program({"/bin/sh", "-c", "set -- " + command + "; for word; do printf '%s\\n' \"$word\"; done"});
  EXPECT_EQ(outcome.code, 0) << command << "\n" << outcome.err;
  std::vector<std::string> words;
  std::string word;
  for (const char c : outcome.out) {
    if (c != '\n') {
      word += c;
      continue;
    }
    words.push_back(word);
    word.clear();
  }
  return words;
}

/// What `mlocksim run ...` would run.
inline experiments::RunSpec run_of_command(const std::string& command) {
  std::vector<std::string> words = words_of(command);
  if (words.size() < 3 || words[0] != "mlocksim" || words[1] != "run") {
    ADD_FAILURE() << "no run: " << command;
    return {};
  }
  words.erase(words.begin(), words.begin() + 2);
  experiments::CommandLine line("run SCENARIO [OPTION]...", "", "SCENARIO", 1);
  line.text("policy", "NAME|FILE", "");
  experiments::add_scenario_options(line);
  (void)line.parse(words);
  return experiments::run_of(line);
}

}  // namespace tests
