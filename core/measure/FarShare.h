#pragma once
#include "core/kernels/FeatureMaps.h"
#include "core/measure/MapTile.h"
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace fovea {

/// Spreads the far field of one head over its tokens, for views. The mass of a summary is divided evenly
/// among its tokens. A linear state gives phi(q).phi(k) divided by the denominator of the row (for trig it
/// may be negative). The mean of the values gives each token an equal share. A recurrent state has no weight
/// per token, because it is read without a query: NaN. Made for one range of keys; immutable and thread-safe
/// once made. Cost of construction: for a linear state, the features of the range (with a gate, of all keys).
class FarShare {
public:
    FarShare(const TileSource& source, int head, RowRange keys);
    /// Whether the head gives weight to keys that it does not read.
    [[nodiscard]] bool any() const { return m_any; }
    /// Writes weight = p^ and reason = Far for those keys in [keyFirst, keyFirst + weight.size()) that the
    /// plan does not read. The range must lie inside that of the constructor and hold only
    /// keys that the model lets `query` read.
    /// Other keys are not written, nor are tokens of summaries that `top` did not choose. `kept`: the keys
    /// that the row reads exactly. Cost: the summaries in the range (with top or a gate, those of the whole
    /// row); for a linear state r multiply-adds per key.
    void row(std::size_t query, std::span<const KeptKey> kept, std::size_t keyFirst, std::span<float> weight,
             std::span<Reason> reason) const;

private:
    [[nodiscard]] bool gated() const { return m_parts->combine.combine == Combine::Gated; }
    /// Does the far field's weight follow from the far field alone? A row's log-sum-exp does not tell it
    /// then.
    [[nodiscard]] bool alone() const { return gated() || m_parts->combine.windowFactor == 0; }
    /// What a gate leaves to the far field.
    [[nodiscard]] double gatedShare() const { return 1 - m_parts->combine.gate; }
    template <class Put>
    void summaries(std::size_t query, double lse, RowRange range, const Put& put) const;
    template <class Put>
    void projection(std::size_t query, double lse, RowRange range, const Put& put) const;
    template <class Put>
    void linear(std::size_t query, double lse, std::span<const KeptKey> kept, RowRange range,
                const Put& put) const;

    const TileSource& m_source;
    const HeadParts* m_parts = nullptr;
    int m_head;
    bool m_any = false;
    std::optional<Features> m_features;
    RowRange m_keys; ///< of the features below
    std::vector<float> m_keyFeatures, m_keyExponents;
};

} // namespace fovea
