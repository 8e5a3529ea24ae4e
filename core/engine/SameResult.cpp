#include "core/engine/SameResult.h"

namespace fovea {

bool sameText(const Request& a, const Request& b) {
    return a.encode == b.encode && a.textTemplate == b.textTemplate && a.maxTokens == b.maxTokens &&
           (a.text == b.text || (a.text && b.text && *a.text == *b.text));
}

bool sameTokens(const Snapshot& a, const Snapshot& b) {
    return a.tokens && b.tokens && (a.tokens == b.tokens || a.tokens->ids == b.tokens->ids);
}

bool sameRun(const Request& a, const Request& b) {
    return a.modelPath == b.modelPath && a.precision == b.precision && a.nativeWindows == b.nativeWindows &&
           a.isa == b.isa && sameText(a, b);
}

bool sameResult(const Request& a, const Request& b) {
    return sameRun(a, b) && sameButName(a.policy, b.policy);
}

bool sameOther(const std::optional<OtherRun>& a, const std::optional<OtherRun>& b) {
    if (!a || !b)
        return a.has_value() == b.has_value();
    return a->modelPath == b->modelPath && a->maxTokens == b->maxTokens &&
           (a->text == b->text || (a->text && b->text && *a->text == *b->text));
}

bool sameAgainst(const Request& a, const Request& b) {
    return a.against.has_value() == b.against.has_value() &&
           (!a.against || sameButName(*a.against, *b.against)) && sameOther(a.other, b.other);
}

} // namespace fovea
