#include "core/lesson/Glossary.h"
#include "core/files/JsonMembers.h"
#include <algorithm>
#include <cctype>
#include <set>

namespace fovea::lesson {

namespace {

using Kind = JsonTree::Kind;

constexpr std::string_view kDocument = "glossary";
constexpr std::size_t kMostEntries = 500, kMostForms = 20, kLongestWord = 60, kLongestText = 600;
constexpr std::size_t kExact = 2; ///< words of so many letters are compared as they are written

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool inWord(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || static_cast<unsigned char>(c) >= 0x80;
}

bool isAt(std::string_view text, std::size_t at, std::string_view word) {
    if (at + word.size() > text.size() || (at > 0 && inWord(text[at - 1])) ||
        (at + word.size() < text.size() && inWord(text[at + word.size()])))
        return false;
    if (word.size() <= kExact)
        return text.substr(at, word.size()) == word;
    return std::equal(word.begin(), word.end(), text.begin() + static_cast<std::ptrdiff_t>(at),
                      [](char a, char b) { return lower(a) == lower(b); });
}

Result<> readForms(const JsonMembers& members, GlossaryEntry& entry) {
    const JsonTree* also = members.find("also");
    if (also == nullptr)
        return {};
    if (also->kind != Kind::List || also->list.size() > kMostForms)
        return members.refuse(members.at("also"), *also,
                              "a list of at most " + std::to_string(kMostForms) + " words is accepted");
    for (std::size_t i = 0; i < also->list.size(); ++i) {
        const JsonTree& form = also->list[i];
        if (form.kind != Kind::Text || form.text.empty() || form.text.size() > kLongestWord)
            return members.refuse(members.at("also") + "[" + std::to_string(i) + "]", form,
                                  "a word of at most " + std::to_string(kLongestWord) + " bytes is accepted");
        entry.also.push_back(form.text);
    }
    return {};
}

} // namespace

Result<std::vector<GlossaryEntry>> glossaryFromJson(std::string_view text) {
    const Result<JsonTree> document = parseJson(text, std::size_t{1} << 16);
    if (!document)
        return fail(ErrorCode::BadValue, std::string(kDocument) + ": " + document.error().message);
    const JsonMembers whole(kDocument, *document, "");
    FOVEA_TRY(whole.only({"fovea", "version", "entries"}));
    std::string kind;
    int version = 0;
    FOVEA_TRY(whole.text("fovea", kind, kLongestWord, true));
    FOVEA_TRY(whole.whole("version", version, 1, 1, true));
    if (kind != kDocument)
        return whole.refuse("fovea", *whole.find("fovea"), "\"glossary\" is accepted");
    const auto entries = whole.needed("entries");
    FOVEA_TRY(entries);
    if ((*entries)->kind != Kind::List || (*entries)->list.size() > kMostEntries)
        return whole.refuse("entries", **entries,
                            "a list of at most " + std::to_string(kMostEntries) + " entries is accepted");
    std::vector<GlossaryEntry> glossary;
    std::set<std::string> known;
    for (std::size_t i = 0; i < (*entries)->list.size(); ++i) {
        const std::string path = "entries[" + std::to_string(i) + "]";
        const JsonMembers members(kDocument, (*entries)->list[i], path);
        FOVEA_TRY(members.only({"word", "also", "say"}));
        GlossaryEntry entry;
        FOVEA_TRY(members.text("word", entry.word, kLongestWord, true));
        FOVEA_TRY(members.text("say", entry.say, kLongestText, true));
        FOVEA_TRY(readForms(members, entry));
        std::vector<std::string> forms = entry.also;
        forms.push_back(entry.word);
        for (const std::string& form : forms)
            if (!known.insert(form).second)
                return whole.bad(path + " explains \"" + form + "\" once more");
        glossary.push_back(std::move(entry));
    }
    return glossary;
}

std::vector<GlossaryHit> glossaryWords(std::string_view text, std::span<const GlossaryEntry> glossary) {
    std::vector<GlossaryHit> hits;
    for (std::size_t at = 0; at < text.size();) {
        GlossaryHit longest{at, at, nullptr};
        const auto offer = [&](const GlossaryEntry& entry, std::string_view form) {
            if (form.size() > longest.end - at && isAt(text, at, form))
                longest = {at, at + form.size(), &entry};
        };
        for (const GlossaryEntry& entry : glossary) {
            offer(entry, entry.word);
            for (const std::string& form : entry.also)
                offer(entry, form);
        }
        if (longest.entry != nullptr)
            hits.push_back(longest);
        at = std::max(longest.end, at + 1);
    }
    return hits;
}

} // namespace fovea::lesson
