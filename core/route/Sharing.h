#pragma once
#include "core/route/Signal.h"
#include <memory>
#include <vector>

namespace fovea {

/// What a unit of a policy is: the signal's own, or what `share` asks. A policy with random blocks alone
/// chooses per head.
[[nodiscard]] UnitKind unitKindOf(const RoutedPart& routed);

/// A signal asked for other units than its own. A unit is a head, the heads of a key-value head, or all heads
/// of the layer. Where the unit asked for is greater than the signal's (a policy has heads choose as one),
/// the scores are the mean over the signal's own units in it; where it is smaller, they are those of the
/// signal's own unit that the head lies in. Calls open no OpenMP region except where the signal's own do.
class SharedSignal {
public:
    SharedSignal(const SignalSpec& signal, UnitKind kind) : m_signal(signal), m_kind(kind) {}
    [[nodiscard]] bool ranksPairs() const { return m_signal.pairs != nullptr; }
    /// Mean logit; the mean probability where the signal records one.
    [[nodiscard]] std::unique_ptr<PairScorer> pairs(const SignalInput& in) const;
    [[nodiscard]] std::vector<float> tokens(const SignalInput& in) const;
    [[nodiscard]] std::vector<float> queries(const SignalInput& in) const;
    [[nodiscard]] std::uint64_t macs(const SignalInput& in) const;

private:
    /// Inputs of the signal's own units that make up `in.unit`.
    [[nodiscard]] std::vector<SignalInput> parts(const SignalInput& in) const;
    [[nodiscard]] std::vector<float> mean(const SignalInput& in,
                                          std::vector<float> (*scores)(const SignalInput&)) const;

    const SignalSpec& m_signal;
    UnitKind m_kind;
};

} // namespace fovea
