// The file of a recording: the requests of one class of threads of a real machine, one a line.
//
// `# mlocksim recording 1`, and then lines of nine words: thread, due, think, call, region, offset, size, write, read;
// and of a request that was woken while it waited a tenth, wake_ups: how long it took to run each time, with commas.
// `thread`: its number in the class, from 0. Times are whole nanoseconds, offset and size bytes, of whole pages; `call`
// as of to_string(RecordedRequest::Call); `region`: its name, or `-`. `#` begins a comment. `mlocksim import` writes
// it.
#pragma once

#include <filesystem>
#include <string>

#include "experiments/base/quantity.h"
#include "models/spec/threads.h"

namespace experiments {

/// The refusal names file and line.
[[nodiscard]] Expected<models::ReplaySpec> read_recording(const std::filesystem::path& file);

/// The text of such a file; read_recording is the way back.
[[nodiscard]] std::string recording_text(const models::ReplaySpec& replay);

}  // namespace experiments
