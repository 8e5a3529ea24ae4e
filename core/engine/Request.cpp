#include "core/engine/Request.h"
#include "core/base/Check.h"

namespace fovea {

Request requestOfA(const Request& request) {
    FOVEA_ASSERT(request.other.has_value());
    Request own = request;
    if (request.other->text)
        own.text = request.other->text;
    if (!request.other->modelPath.empty())
        own.modelPath = request.other->modelPath;
    own.maxTokens = request.other->maxTokens.value_or(request.maxTokens);
    own.visible.queries = {}; // rows of arm B's text
    own.visible.keys = {};
    own.other.reset();
    own.against.reset();
    return own;
}

Request exchangedRuns(const Request& request, std::string name) {
    FOVEA_ASSERT(request.other.has_value());
    Request after = request;
    after.other->name = std::move(name);
    after.maxTokens = request.other->maxTokens.value_or(request.maxTokens);
    after.other->maxTokens = request.maxTokens;
    if (request.other->text) {
        after.text = request.other->text;
        after.other->text = request.text;
    }
    if (!request.other->modelPath.empty()) {
        after.modelPath = request.other->modelPath;
        after.other->modelPath = request.modelPath;
    }
    return after;
}

} // namespace fovea
