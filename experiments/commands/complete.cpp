#include <fmt/format.h>

#include "experiments/commands/commands.h"
#include "experiments/commands/topics.h"
#include "experiments/manual/completion.h"

namespace experiments {

int command_complete(const Arguments& arguments) {
  for (const Candidate& each : candidates(arguments, words_of_commands(), manual_topics())) {
    fmt::print("{}\t{}\n", each.word, each.about);
  }
  return kOk;
}

}  // namespace experiments
