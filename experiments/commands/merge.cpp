#include <fmt/format.h>

#include "experiments/commands/commands.h"
#include "experiments/study/store.h"

namespace experiments {

int command_merge(const Arguments& arguments) {
  CommandLine line(
      "merge -o DIR SHARD_DIR...",
      "Puts the shards of a study together. What `results` exports of DIR then is, byte for byte, what one\n"
      "machine would have found. May be repeated, also with shards that are not finished yet.",
      "SHARD_DIR", -1);
  line.text("output,o", "DIR", "where the whole is kept");
  if (!line.parse(arguments)) return kOk;
  const auto output = line.find("output");
  if (!output) throw UsageError("missing -o DIR: where the whole is kept");
  Store store(*output, Store::Mode::write);
  for (const std::string& shard : line.all("SHARD_DIR")) store.merge(shard);
  fmt::print("{}: {} runs, {} of them failed\n", *output, store.integer("SELECT count(*) FROM run"),
             store.integer("SELECT count(*) FROM run WHERE status = 'failed'"));
  return kOk;
}

}  // namespace experiments
