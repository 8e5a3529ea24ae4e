#pragma once
#include "core/policy/AttentionPolicy.h"
#include <string>
#include <string_view>

namespace fovea {

struct JsonTree;
namespace json {
class Json;
}

/// Reads a policy document ("fovea": "policy", "version": 1). Duplicate or unknown keys, wrong types, values
/// out of range, NaN, depth over 64 and trailing bytes are BadValue that names the key's path; a document of
/// another kind is NotThisFormat. OutOfMemory.
[[nodiscard]] Result<AttentionPolicy> policyFromJson(std::string_view text);
/// The same of a document that is parsed already. Throws std::bad_alloc.
[[nodiscard]] Result<AttentionPolicy> policyFromTree(const JsonTree& document);
/// The whole policy as one document; policyFromJson gives it back unchanged.
[[nodiscard]] std::string policyToJson(const AttentionPolicy& policy);
/// The same, to become a part of another document.
[[nodiscard]] json::Json policyDocument(const AttentionPolicy& policy);
/// The same on one line and without its name: what is hashed.
[[nodiscard]] std::string compactJson(const AttentionPolicy& policy);
/// SHA-256 of the compact form without the name: equal for policies that do the same.
[[nodiscard]] std::string policyHash(const AttentionPolicy& policy);

/// All presets with family, help, published weights, source, and whether they look ahead.
[[nodiscard]] std::string presetsJson();

} // namespace fovea
