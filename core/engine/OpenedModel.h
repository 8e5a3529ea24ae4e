#pragma once
#include "core/model/Model.h"
#include <memory>

namespace fovea {

/// The model as a Request wants it run: as it was trained, or with its native windows opened up, so that
/// every layer is global. The changed model shares weights and tokenizer with `model`, and its
/// ModelInfo::change says what was changed. Without native windows it is `model` itself. Throws
/// std::bad_alloc.
[[nodiscard]] std::shared_ptr<const Model> modelToRun(std::shared_ptr<const Model> model, bool nativeWindows);

} // namespace fovea
