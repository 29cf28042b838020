// What the page looks like and what it can do: page.css and page.js, as the build embeds them.
#pragma once

#include <string_view>

namespace experiments {

/// The style sheet. Its selectors for the dark scheme name gnuplot's own spelling of colours: `rgb(  0, 114, 178)`.
extern const std::string_view kPageStyle;

/// The script. Without it the page has a plain table. What is chosen is kept in the address, so that it can be passed
/// on: #sort=COLUMN&order=descending&filter=WORDS.
extern const std::string_view kPageScript;

}  // namespace experiments
