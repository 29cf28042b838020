#include "experiments/commands/replay.h"

#include <boost/program_options/parsers.hpp>

#include <exception>
#include <optional>
#include <vector>

#include "experiments/commands/commands.h"
#include "experiments/commands/scenario_options.h"

namespace experiments {

Expected<models::Scenario> scenario_of_command(const std::string& command) {
  namespace po = boost::program_options;
  try {
    Arguments words = po::split_unix(command);
    if (words.size() < 3 || words[0] != "mlocksim" || words[1] != "run") return Refusal{"this is no run: " + command};
    words.erase(words.begin(), words.begin() + 2);
    CommandLine line("run SCENARIO [OPTION]...", "", "SCENARIO", 1);
    line.text("policy", "NAME|FILE", "");
    add_scenario_options(line);
    (void)line.parse(words);
    return read_run(run_of(line)).scenario;
  } catch (const std::exception& error) {
    return Refusal{error.what()};
  }
}

}  // namespace experiments
