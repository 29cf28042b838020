// The page: one file that needs nothing else, no network and no JavaScript but for sorting and filtering.
//
// Numbers say where they come from: a <data> element has `data-sql`, the query whose rows it is made of, and `data-of`,
// how (html.h). A cell of the table of results is the mean of its column's `data-measure` under its row's `data-policy`
// at its row's `data-point`; `data-v` is its exact value. The same data give the same bytes.
#pragma once

#include <string>
#include <vector>

#include "experiments/report/page_frame.h"
#include "experiments/report/report_answer.h"
#include "experiments/report/report_data.h"
#include "experiments/report/study_difference.h"

namespace experiments {

/// `files`: the folder of the figures' files as seen from the page. `input`: what the report is made from, as it was
/// given. `explanation`: a section of explanation_page.h, or nothing.
[[nodiscard]] std::string report_page(const ReportData& data, const Focus& focus, const Answer& answer,
                                      const std::vector<DrawnOrNot>& figures, const std::string& files,
                                      const std::string& input, const std::string& explanation = {});

/// The page of what two studies differ in.
[[nodiscard]] std::string difference_page(const StudyDifference& difference, const std::vector<DrawnOrNot>& figures,
                                          const std::string& files, const std::string& before_input,
                                          const std::string& after_input);

}  // namespace experiments
