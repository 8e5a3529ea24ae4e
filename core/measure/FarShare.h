#pragma once
#include "core/kernels/FeatureMaps.h"
#include "core/measure/MapTile.h"
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace fovea {

/// The far field of one head as a view of tokens: a summary's mass is spread evenly over its members, a
/// linear state's is phi(q).phi(k) over the row's denominator (trig: may be negative), the mean of the values
/// gives each its share, and a recurrent state, which is read without a query, has no weight per token: NaN.
/// Made for keys of one range; immutable and thread-safe once made. Cost: a linear state the features of the
/// range (with a gate, of all keys).
class FarShare {
public:
    FarShare(const TileSource& source, int head, RowRange keys);
    /// Does the head give weight to keys that it does not read?
    [[nodiscard]] bool any() const { return m_any; }
    /// For keys [keyFirst, keyFirst + weight.size()) inside the range, all <= query, that the plan does not
    /// read: weight = p^ and reason = Far. Other keys are left alone, so are members of summaries that `top`
    /// did not choose. `kept`: the row's exact keys. Cost: the summaries in the range (with top or a gate,
    /// the row's); a linear state r multiply-adds per key.
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
