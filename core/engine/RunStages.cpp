#include "core/engine/RunStages.h"
#include "core/engine/SameResult.h"
#include <system_error>
#include <utility>

namespace fovea {

ModelKey modelKey(const Request& request) {
    ModelKey key{request.modelPath, request.precision, 0, {}};
    std::error_code ignored; // a file that cannot be examined fails when it is read, with a better message
    key.bytes = std::filesystem::file_size(request.modelPath, ignored);
    key.modified = std::filesystem::last_write_time(request.modelPath, ignored);
    return key;
}

bool PolicyResults::isOf(const std::optional<AttentionPolicy>& policy) const {
    return of && policy && sameButName(*of, *policy);
}

void PolicyResults::keepFor(const std::optional<AttentionPolicy>& policy) {
    if (!isOf(policy))
        *this = {};
    of = policy;
}

bool RunStages::isOf(const Request& request) const {
    return textOf && sameRun(*textOf, request);
}

void RunStages::shareModel(const RunStages& from, const Request& request) {
    ModelKey wanted = modelKey(request);
    if (!from.model || from.modelOf != wanted || model == from.model)
        return;
    dropModel();
    model = from.model;
    modelOf = std::move(wanted);
    if (from.nativeWindows == request.nativeWindows) {
        toRun = from.toRun; // one copy of what may have been changed for it
        nativeWindows = from.nativeWindows;
    }
    retrieval = from.retrieval;
}

void RunStages::dropPolicyResults() {
    armA = {};
    armB = {};
}

void RunStages::dropText() {
    textOf.reset();
    tokens.reset();
    facts.reset();
    full.reset();
    dropPolicyResults();
}

void RunStages::dropModel() {
    dropText();
    modelOf.reset();
    model.reset();
    toRun.reset();
    retrieval.clear();
}

void RunStages::setArms(const AttentionPolicy& b, const std::optional<AttentionPolicy>& a) {
    if (!armB.isOf(b) && (armA.isOf(b) || armB.isOf(a)))
        std::swap(armA, armB);
    if (armB.isOf(b) && armB.isOf(a) && !armA.isOf(a))
        armA = armB;
    armB.keepFor(b);
    armA.keepFor(a);
}

} // namespace fovea
