#pragma once
#include "core/files/JsonTree.h"
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace fovea {

/// Typed access to the members of one JSON object in a document of some kind. Errors: BadValue, one sentence
/// that names the document, the path of the value, the value, and what is accepted:
/// "lesson: steps[2].title is 7; a text of at most 60 bytes is accepted." The object must outlive it.
class JsonMembers {
public:
    /// `document`: its kind, "lesson". `path`: of the object, "steps[2]"; empty for the outermost one.
    JsonMembers(std::string_view document, const JsonTree& object, std::string path)
        : m_document(document), m_object(object), m_path(std::move(path)) {}

    /// That it is an object without other keys.
    [[nodiscard]] Result<> only(std::initializer_list<std::string_view> known) const;
    [[nodiscard]] const JsonTree* find(std::string_view key) const { return m_object.find(key); }
    /// The path of a member.
    [[nodiscard]] std::string at(std::string_view key) const;
    [[nodiscard]] Result<const JsonTree*> needed(std::string_view key) const;

    // Each reads a member into `into`, which keeps its value when the member is absent; with `need` that is
    // an error.
    [[nodiscard]] Result<> text(std::string_view key, std::string& into, std::size_t longest,
                                bool need) const;
    [[nodiscard]] Result<> real(std::string_view key, double& into, double least, double most) const;
    template <class Whole>
    [[nodiscard]] Result<> whole(std::string_view key, Whole& into, std::int64_t least, std::int64_t most,
                                 bool need) const {
        std::int64_t value = static_cast<std::int64_t>(into);
        FOVEA_TRY(wholeNumber(key, value, least, most, need));
        into = static_cast<Whole>(value);
        return {};
    }

    /// The error of a value: "PATH is VALUE; accepted".
    [[nodiscard]] tl::unexpected<Error> refuse(const std::string& path, const JsonTree& value,
                                               const std::string& accepted) const;
    [[nodiscard]] tl::unexpected<Error> bad(const std::string& what) const;
    /// The index of a text among `names`.
    [[nodiscard]] Result<std::size_t> oneOf(const std::string& path, const JsonTree& value,
                                            std::span<const std::string_view> names) const;

private:
    [[nodiscard]] Result<> wholeNumber(std::string_view key, std::int64_t& into, std::int64_t least,
                                       std::int64_t most, bool need) const;
    std::string_view m_document;
    const JsonTree& m_object;
    std::string m_path;
};

} // namespace fovea
