#pragma once
#include "core/engine/Request.h"
#include <map>
#include <string>
#include <string_view>

namespace fovea {

/// A saved state of the window: a Request, and what the shell wants back, as opaque texts.
struct Session {
    Request request;         ///< `isa` and `maxMemory` belong to the machine and are not saved
    std::string modelSha256; ///< of the model the session was made with; empty: not known
    std::map<std::string, std::string> view;
};

/// A policy document with "fovea": "session" and text, model and view added; layout as
/// json::write. Text that is not UTF-8 is kept as base64, so every byte comes back.
[[nodiscard]] std::string sessionToJson(const Session& session);
/// Strict: duplicate or unknown keys, wrong types, depth over 64 and trailing bytes are BadValue that names
/// the key's path; a document of another kind is NotThisFormat. The policy passes the same gate as a policy
/// file.
[[nodiscard]] Result<Session> sessionFromJson(std::string_view text);

} // namespace fovea
