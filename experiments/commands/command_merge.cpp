#include <fmt/format.h>

#include "experiments/commands/commands.h"
#include "experiments/study/store.h"

namespace experiments {

namespace po = boost::program_options;

int command_merge(const Arguments& arguments) {
  CommandLine line(
      "merge -o DIR SHARD_DIR...",
      "Puts the shards of a study together. What `results` exports of DIR then is, byte for byte, what one\n"
      "machine would have found. May be repeated, also with shards that are not finished yet.",
      "SHARD_DIR", -1);
  line.add()("output,o", po::value<std::string>()->value_name("DIR"), "where the whole is kept");
  if (!line.parse(arguments)) return kOk;
  const auto output = line.find<std::string>("output");
  if (!output) throw UsageError("missing -o DIR: where the whole is kept");
  Store store(*output, Store::Mode::write);
  for (const std::string& shard : line.get<std::vector<std::string>>("SHARD_DIR")) store.merge(shard);
  fmt::print("{}: {} runs, {} of them failed\n", *output, store.database().integer("SELECT count(*) FROM run"),
             store.database().integer("SELECT count(*) FROM run WHERE status = 'failed'"));
  return kOk;
}

}  // namespace experiments
