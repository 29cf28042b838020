// A figure of a report as it is to be drawn, or why there is none.
#pragma once

#include <string>
#include <variant>

#include "experiments/report/gnuplot.h"

namespace experiments {

struct Figure {
  Plot plot;
  std::string title;
  std::string caption;      ///< what it shows, as HTML
  std::string description;  ///< for those who do not see it: what is drawn over what
};

/// A figure that is not there.
struct Omission {
  std::string title;
  std::string reason;  ///< a clause, as HTML
};

using FigureOrNot = std::variant<Figure, Omission>;

}  // namespace experiments
