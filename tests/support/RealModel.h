#pragma once
#include "SourceDir.h"
#include "core/engine/Engine.h"
#include <fstream>
#include <iterator>
#include <string>

namespace fovea::test {

/// The default model's path; empty when it is not on this machine (tests/run fetches it).
inline std::string realModelPath() {
    const Result<std::string> path = findModel("");
    if (!path || !std::ifstream(*path).good())
        return {};
    return *path;
}

/// The first `bytes` of a sample text of the source tree; empty when it is not there.
inline std::string sampleText(const std::string& name, std::size_t bytes) {
    std::ifstream in(std::string(FOVEA_SOURCE_DIR) + "/samples/" + name, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    text.resize(std::min(text.size(), bytes));
    return text;
}

/// Prose with a fact near its start that is asked for at its end: something to route for.
inline std::string factText() {
    std::string text = "The harbour office wrote the code 7319 on the blue door. ";
    const char* filler[] = {
        "Rain fell on the quay and the gulls were loud. ", "A ferry left for the islands at noon. ",
        "The baker sold bread to the sailors, as always. ", "Nobody spoke of the storm any more. "};
    for (int i = 0; i < 18; ++i)
        text += filler[i % 4];
    return text + "The code that the harbour office wrote on the blue door was";
}

inline Request requestOf(const std::string& text) {
    Request request;
    request.text = std::make_shared<const std::string>(text);
    request.modelPath = realModelPath();
    request.policy.local.window = 32;
    request.policy.always.sinks = 4;
    request.policy.routed.signal = "group_dot";
    request.policy.routed.budget = 8;
    request.policy.name = "test";
    return request;
}

} // namespace fovea::test

/// Skips a test that needs the model file; said in the output.
#define FOVEA_NEED_MODEL()                                                                                   \
    do {                                                                                                     \
        if (fovea::test::realModelPath().empty())                                                            \
            QSKIP("the default model is not in the cache; tests/run fetches it");                            \
    } while (false)
