#include "core/engine/SameResult.h"

namespace fovea {

bool sameRun(const Request& a, const Request& b) {
    return a.modelPath == b.modelPath && a.precision == b.precision && a.isa == b.isa &&
           a.encode == b.encode && a.textTemplate == b.textTemplate && a.maxTokens == b.maxTokens &&
           (a.text == b.text || (a.text && b.text && *a.text == *b.text));
}

bool sameResult(const Request& a, const Request& b) {
    return sameRun(a, b) && sameButName(a.policy, b.policy);
}

} // namespace fovea
