#include "core/files/JsonMembers.h"
#include "core/files/Quote.h"
#include <algorithm>

namespace fovea {

namespace {

using Kind = JsonTree::Kind;

template <class Names>
std::string joined(const Names& names) {
    std::string text;
    for (const std::string_view name : names)
        text.append(text.empty() ? "" : ", ").append(name);
    return text;
}

} // namespace

tl::unexpected<Error> JsonMembers::bad(const std::string& what) const {
    return fail(ErrorCode::BadValue, std::string(m_document) + ": " + what + ".");
}

tl::unexpected<Error> JsonMembers::refuse(const std::string& path, const JsonTree& value,
                                          const std::string& accepted) const {
    return bad(path + " is " + value.quoted() + "; " + accepted);
}

std::string JsonMembers::at(std::string_view key) const {
    return m_path.empty() ? std::string(key) : m_path + "." + std::string(key);
}

Result<> JsonMembers::only(std::initializer_list<std::string_view> known) const {
    if (m_object.kind != Kind::Object)
        return refuse(m_path.empty() ? "the document" : m_path, m_object, "an object is accepted");
    for (const std::string& key : m_object.keys)
        if (std::find(known.begin(), known.end(), key) == known.end())
            return bad(at(quoteForMessage(key)) + " is not known; accepted are " + joined(known));
    return {};
}

Result<const JsonTree*> JsonMembers::needed(std::string_view key) const {
    const JsonTree* value = find(key);
    if (value == nullptr)
        return bad(at(key) + " is missing");
    return value;
}

Result<> JsonMembers::text(std::string_view key, std::string& into, std::size_t longest, bool need) const {
    const JsonTree* value = find(key);
    if (value == nullptr)
        return need ? Result<>(bad(at(key) + " is missing")) : Result<>();
    if (value->kind != Kind::Text || value->text.size() > longest || (need && value->text.empty()))
        return refuse(at(key), *value,
                      "a text of " + std::string(need ? "1 to " : "at most ") + std::to_string(longest) +
                          " bytes is accepted");
    into = value->text;
    return {};
}

Result<> JsonMembers::real(std::string_view key, double& into, double least, double most) const {
    const JsonTree* value = find(key);
    if (value == nullptr)
        return {};
    if ((value->kind != Kind::Whole && value->kind != Kind::Real) || value->real < least ||
        value->real > most)
        return refuse(at(key), *value,
                      "a number from " + numberText(least) + " to " + numberText(most) + " is accepted");
    into = value->real;
    return {};
}

Result<> JsonMembers::wholeNumber(std::string_view key, std::int64_t& into, std::int64_t least,
                                  std::int64_t most, bool need) const {
    const JsonTree* value = find(key);
    if (value == nullptr)
        return need ? Result<>(bad(at(key) + " is missing")) : Result<>();
    if (value->kind != Kind::Whole || value->whole < least || value->whole > most)
        return refuse(at(key), *value,
                      "a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
                          " is accepted");
    into = value->whole;
    return {};
}

Result<std::size_t> JsonMembers::oneOf(const std::string& path, const JsonTree& value,
                                       std::span<const std::string_view> names) const {
    for (std::size_t i = 0; i < names.size(); ++i)
        if (value.kind == Kind::Text && value.text == names[i])
            return i;
    return refuse(path, value, "accepted are " + joined(names));
}

} // namespace fovea
