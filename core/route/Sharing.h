#pragma once
#include "core/route/Signal.h"
#include <memory>
#include <vector>

namespace fovea {

/// Which heads choose together (a unit): as the signal does, or as routed.share says. A policy with random
/// blocks only chooses per head.
[[nodiscard]] UnitKind unitKindOf(const RoutedPart& routed);

/// A signal evaluated for other units than its own. A unit is a head, the heads of a key-value head, or all
/// heads of the layer. If the requested unit is larger than the signal's, because the policy lets heads
/// choose together, scores are the mean over the signal's own units in it. If it is smaller, they are those
/// of the signal's own unit that contains the head. Calls open no OpenMP region except where the signal's own
/// do.
class SharedSignal {
public:
    SharedSignal(const SignalSpec& signal, UnitKind kind) : m_signal(signal), m_kind(kind) {}
    [[nodiscard]] bool ranksPairs() const { return m_signal.pairs != nullptr; }
    /// The mean logit, or the mean probability if the signal records probabilities.
    [[nodiscard]] std::unique_ptr<PairScorer> pairs(const SignalInput& in) const;
    [[nodiscard]] std::vector<float> tokens(const SignalInput& in) const;
    [[nodiscard]] std::vector<float> queries(const SignalInput& in) const;
    [[nodiscard]] std::uint64_t macs(const SignalInput& in) const;

private:
    /// The inputs of the signal's own units that `in.unit` consists of.
    [[nodiscard]] std::vector<SignalInput> parts(const SignalInput& in) const;
    [[nodiscard]] std::vector<float> mean(const SignalInput& in,
                                          std::vector<float> (*scores)(const SignalInput&)) const;

    const SignalSpec& m_signal;
    UnitKind m_kind;
};

} // namespace fovea
