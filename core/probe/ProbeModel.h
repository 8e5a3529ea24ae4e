#pragma once
#include "core/base/Cancel.h"
#include "core/engine/Request.h"
#include "core/model/Model.h"
#include "core/probe/Probe.h"
#include <memory>
#include <optional>

namespace fovea {

/// Asks a model the cases of probes, with full attention and under the policy of a request. Texts that are
/// continued go through cached decoding, greedily, until the answer is decided; texts that are given go
/// through one run, and a token is right when it is the most likely one after those before it. The prompt of
/// a given text, which some policies treat in another way, is what stands before the first answer.
class ProbeModel {
public:
    /// `model`: as loadForDecoding loads it, for this request.
    ProbeModel(std::shared_ptr<const Model> model, Request request)
        : m_model(std::move(model)), m_request(std::move(request)) {}

    /// For runProbe. Errors: those of the tokenizer.
    [[nodiscard]] Result<std::size_t> count(std::string_view text, const WorkContext& work) const;
    /// For runProbe. Errors: those of Decoder and of a hybrid run; Cancelled. Throws std::bad_alloc.
    [[nodiscard]] Result<double> ask(ProbeKind kind, const ProbeCase& probe, ProbeArm arm,
                                     const WorkContext& work);

private:
    [[nodiscard]] Result<Tokens> read(const ProbeCase& probe, const WorkContext& work) const;
    [[nodiscard]] Result<double> continued(ProbeKind kind, const ProbeCase& probe, const Tokens& tokens,
                                           const AttentionPolicy& policy, const WorkContext& work);
    [[nodiscard]] Result<double> given(ProbeKind kind, const ProbeCase& probe, const Tokens& tokens,
                                       const AttentionPolicy& policy, const WorkContext& work);

    std::shared_ptr<const Model> m_model;
    Request m_request;
};

} // namespace fovea
