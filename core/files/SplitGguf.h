#pragma once
#include "core/base/Cancel.h"
#include "core/base/Result.h"
#include "core/files/FileParts.h"
#include "core/files/Gguf.h"
#include <memory>
#include <string>

namespace fovea {

/// A GGUF model of one file or of several. Offsets of tensors are those in `files`.
struct GgufFiles {
    std::unique_ptr<FileParts> files;
    Gguf gguf; ///< keys of the first part, tensors of all parts in the order of the parts
};

/// Opens the GGUF file `path`. When it says that it is part of a split model (the key split.count), the other
/// parts are found beside it by their names, NAME-00001-of-00003.gguf, whichever part `path` is; llama.cpp's
/// gguf-split writes them. Parts are checked as readGguf checks a file, and against each other: split.no,
/// split.count, split.tensors.count, general.architecture, and names that occur twice. Errors: those of
/// readGguf; Io (a missing part), Inconsistent (parts that disagree), Unsupported (a part under another
/// name).
[[nodiscard]] Result<GgufFiles> openGguf(const std::string& path, const WorkContext& work);

} // namespace fovea
