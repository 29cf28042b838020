// JSON schemas (draft 7) of the files, for editors: made of what their readers ask (scenario/yaml_shape.h).
//
// A schema accepts each file that the reader accepts: YAML as editors read it (1.2, core schema), where `5` is a number
// and "5" a text, which are one to our readers. It refuses less than they do: nothing that hangs on more than one key.
#pragma once

#include "experiments/base/json.h"
#include "experiments/manual/file_format.h"

namespace experiments {

/// The schema of a format, to be written as a file of its own.
[[nodiscard]] Json json_schema(const FileFormat& format);

/// The same as the text of that file.
[[nodiscard]] std::string json_schema_text(const FileFormat& format);

}  // namespace experiments
