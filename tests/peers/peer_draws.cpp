// Writes the random numbers that the C++ peers draw, for the peer in Python: of each faulter COUNT think times in
// nanoseconds, then COUNT pages, as 64-bit integers in the machine's own order.
//
//   peer_draws COUNT FILE [option of a peer]...
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "tests/peers/peer_model.h"

namespace {

void write(std::ofstream& out, const std::vector<std::int64_t>& numbers) {
  out.write(reinterpret_cast<const char*>(numbers.data()),
            static_cast<std::streamsize>(numbers.size() * sizeof(std::int64_t)));
}

void write_draws(std::ofstream& out, peers::Competitor& faulter, std::size_t count) {
  std::vector<std::int64_t> thinks(count);
  std::vector<std::int64_t> pages(count);
  for (std::int64_t& think : thinks) think = faulter.think().count();
  for (std::int64_t& page : pages) page = faulter.draw_page();
  write(out, thinks);
  write(out, pages);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 3) throw std::invalid_argument("usage: peer_draws COUNT FILE [option of a peer]...");
    const peers::Options options = peers::parse_options(argc - 2, argv + 2);
    const peers::Costs costs;
    std::ofstream out(argv[2], std::ios::binary);
    for (int faulter = 1; faulter <= options.faulters; ++faulter) {
      peers::Competitor competitor(costs, options, faulter);
      write_draws(out, competitor, std::stoul(argv[1]));
    }
    out.close();
    if (!out) throw std::runtime_error(std::string(argv[2]) + ": cannot be written");
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << "peer_draws: " << error.what() << "\n";
    return EXIT_FAILURE;
  }
}
