#pragma once
#include "core/engine/Request.h"
#include <map>
#include <string>
#include <string_view>

namespace fovea {

/// A saved state of the window: a Request, and the state of the views as opaque texts.
struct Session {
    Request request;         ///< `isa` and `maxMemory` are properties of the machine and are not saved
    std::string modelSha256; ///< of the model that the session was saved with; empty: unknown
    std::map<std::string, std::string> view;
};

/// A policy document with "fovea": "session" and text, model and view added, and as "against" the policy
/// document of arm A unless that is full attention, as "other" its own text or model; layout as json::write.
/// Text that is not UTF-8 is kept as base64, so every byte comes back. Throws std::bad_alloc.
[[nodiscard]] std::string sessionToJson(const Session& session);
/// Reads a session strictly. Errors: BadValue for duplicate or unknown keys, wrong types, nesting over 64 and
/// trailing bytes (the message names the path of the key); NotThisFormat for a document of another kind;
/// OutOfMemory. The policy is checked like a policy file.
[[nodiscard]] Result<Session> sessionFromJson(std::string_view text);

} // namespace fovea
