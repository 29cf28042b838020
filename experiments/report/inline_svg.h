// A drawing of gnuplot's as part of a page.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "experiments/report/gnuplot.h"

namespace experiments {

/// `svg` as an element of HTML: without a size of its own and without a background, its black in the colour of the
/// text, without gnuplot's titles, which would pop up, its identifiers begun with `prefix`, so that they are the
/// drawing's own among all of a page, and named by `label` for those who do not see it. A reason where it is no SVG.
[[nodiscard]] std::variant<std::string, NotDrawn> inline_svg(std::string_view svg, const std::string& prefix,
                                                             const std::string& label);

}  // namespace experiments
