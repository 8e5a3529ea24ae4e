#include "core/text/SpecialTokens.h"
#include <algorithm>

namespace fovea {

void SpecialTokens::add(std::string name, std::int32_t id) {
    if (name.empty())
        return;
    auto& names = m_byFirstByte[static_cast<unsigned char>(name.front())];
    const auto place = std::find_if(names.begin(), names.end(),
                                    [&](const Name& other) { return other.text.size() < name.size(); });
    names.insert(place, {std::move(name), id});
    ++m_count;
}

std::optional<SpecialTokens::Found> SpecialTokens::find(std::string_view text, std::size_t from) const {
    if (empty())
        return std::nullopt;
    for (std::size_t at = from; at < text.size(); ++at)
        for (const Name& name : m_byFirstByte[static_cast<unsigned char>(text[at])])
            if (text.compare(at, name.text.size(), name.text) == 0)
                return Found{at, at + name.text.size(), name.id};
    return std::nullopt;
}

} // namespace fovea
