#pragma once
#include "core/engine/Request.h"
#include "core/engine/Snapshot.h"
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

/// The file behind a model: read again when it changed.
struct ModelKey {
    std::string path;
    Precision precision = Precision::F32;
    std::uintmax_t bytes = 0;
    std::filesystem::file_time_type modified;
    bool operator==(const ModelKey&) const = default;
};
[[nodiscard]] ModelKey modelKey(const Request& request);

/// Everything that belongs to one arm's policy.
struct PolicyResults {
    std::optional<AttentionPolicy> of;
    std::shared_ptr<const VisibleLayer> visible;
    std::shared_ptr<const IsolatedResult> isolated;
    std::shared_ptr<const PropagatedResult> propagated;

    [[nodiscard]] bool isOf(const std::optional<AttentionPolicy>& policy) const;
    /// Keeps what belongs to `policy`; without one nothing.
    void keepFor(const std::optional<AttentionPolicy>& policy);
};

/// What an Engine keeps of one text under one model from one request to the next. Not thread-safe.
struct RunStages {
    std::optional<ModelKey> modelOf;
    std::shared_ptr<const Model> model; ///< as in the file
    std::shared_ptr<const Model> toRun; ///< as the last request wanted it (modelToRun)
    bool nativeWindows = true;          ///< of that request
    std::vector<float> retrieval;       ///< the model's retrieval scores, once asked for

    std::optional<Request> textOf; ///< what tokens, facts and full run belong to
    std::shared_ptr<const Tokens> tokens;
    std::string textHash;
    std::shared_ptr<const TokenFacts> facts;
    std::shared_ptr<const FullRun> full;

    PolicyResults armB, armA;

    /// Whether these are of the request's text and model.
    [[nodiscard]] bool isOf(const Request& request) const;
    /// Takes the loaded model of another run, when the request is for the same file.
    void shareModel(const RunStages& from, const Request& request);
    void dropPolicyResults();
    void dropText();
    void dropModel();
    /// Keeps what is known of either policy, whichever arm had it, and drops the rest.
    void setArms(const AttentionPolicy& b, const std::optional<AttentionPolicy>& a);
};

} // namespace fovea
