// Who waited for mmap_lock in a trace, and who held it: for how long in the mean, and at longest.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>

#include "experiments/report/figures/figures.h"
#include "experiments/report/figures/plot_builder.h"
#include "experiments/report/trace_page.h"

namespace experiments {

namespace {

// As many as can be told apart at a glance.
constexpr std::size_t kMostUsers = 14;

struct LockMark {
  const char* name;
  const char* column;
  int type;
  double size;
  const char* colour;
};

// Okabe and Ito's vermilion and blue; filled and open besides, and the open one goes around the other where both are
// one.
constexpr LockMark kLongestMark{"longest", "5", 7, 1.5, "#D55E00"};
constexpr LockMark kMeanMark{"mean", "4", 6, 2.3, "#0072B2"};

/// Rows of a mean and the longest, joined by a line.
FigureOrNot users_figure(PlotBuilder plot, std::vector<TracedLockUser> users, bool several_locks, const char* axis,
                         const std::string& none, const std::string& caption) {
  std::erase_if(users, [](const TracedLockUser& user) { return user.longest <= 0; });
  if (users.empty()) return Omission{plot.title(), none};
  const std::size_t all = users.size();
  users.resize(std::min(kMostUsers, all));
  double low = std::numeric_limits<double>::max();
  double high = 1;
  Tics names;
  for (const TracedLockUser& user : users) {
    const double mean = std::max(1.0, user.mean > 0 ? user.mean : user.longest);
    const std::string name = several_locks ? fmt::format("{}: {}", user.process, user.who) : user.who;
    low = std::min(low, mean);
    high = std::max(high, user.longest);
    plot.row({std::to_string(names.size()), user.process, user.who, digits(mean), digits(user.longest),
              digits(user.together), digits(user.count)});
    names.emplace_back(name, static_cast<double>(names.size()));
  }
  plot.log_times("x", low, high);
  plot.rows(static_cast<int>(users.size()) - 1, names);
  plot.set("grid", "ytics");
  plot.label("x", axis);
  plot.curve("DATA using 4:1:($5-$4):(0) with vectors nohead linewidth 2 linecolor rgb '#7F7F7F' title ''");
  for (const LockMark& mark : {kLongestMark, kMeanMark}) {
    plot.curve(
        fmt::format("DATA using {}:1 with points pointsize {} linewidth 2 pointtype {} linecolor rgb '{}' title {}",
                    mark.column, mark.size, mark.type, mark.colour, gnuplot_string(mark.name)));
  }
  constexpr int kRow = 48;
  constexpr int kAround = 260;
  plot.height(kAround + kRow * static_cast<int>(users.size()));
  return plot.figure(caption + (users.size() < all ? fmt::format(" The first {} of {}.", users.size(), all) : ""),
                     "One row for each, with the mean and the longest on a logarithmic axis of time.");
}

bool has_several_locks(const Json& import) { return import.at("locks").size() > 1; }

}  // namespace

FigureOrNot traced_waits_figure(const Json& import) {
  return users_figure(PlotBuilder("waits", "Who waits for mmap_lock",
                                  {"row", "lock_of", "asker", "mean_ns", "longest_ns", "together_ns", "acquisitions"}),
                      who_waited(import), has_several_locks(import), "wait (time, logarithmic)", "nobody waited for it",
                      "Those who waited, by class, mode and call; who waited longest together on top.");
}

FigureOrNot traced_holds_figure(const Json& import) {
  return users_figure(PlotBuilder("holds", "Who holds mmap_lock",
                                  {"row", "lock_of", "holder", "mean_ns", "longest_ns", "together_ns", "holds"}),
                      who_held(import), has_several_locks(import), "hold (time, logarithmic)",
                      "no hold is in it from beginning to end",
                      "Holds by class, mode and call; who held it longest together on top.");
}

}  // namespace experiments
