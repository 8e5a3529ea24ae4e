#pragma once
#include "core/base/RowRange.h"
#include "core/model/ModelShape.h"
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

namespace fovea {

/// Which keys a layer of the model lets a query read: itself and the `window` - 1 keys before it, or every
/// key before it. Both arms keep to it, because the model was trained so.
struct NativeWindow {
    std::size_t window = 0; ///< 0: every key up to the query
    bool later = false;     ///< every key of the text, those after the query too (an encoder, window 0)
    bool operator==(const NativeWindow&) const = default;

    /// The first key that `query` may read. Never decreases as the query increases.
    [[nodiscard]] constexpr std::size_t first(std::size_t query) const {
        return window == 0 || query < window ? 0 : query + 1 - window;
    }
    /// Whether `query` may read `key`, which must be <= query unless `later`.
    [[nodiscard]] constexpr bool lets(std::size_t query, std::size_t key) const {
        return key >= first(query);
    }
    /// The end of the keys that `query` of a text of `tokens` tokens may read.
    [[nodiscard]] constexpr std::size_t end(std::size_t query, std::size_t tokens) const {
        return later ? tokens : query + 1;
    }
    /// The number of keys up to the query that it may read.
    [[nodiscard]] constexpr std::size_t keys(std::size_t query) const { return query + 1 - first(query); }
    /// Of `queries` queries, of which the first is `key` itself, the number that may read that key.
    [[nodiscard]] constexpr std::size_t readers(std::size_t queries) const {
        return window == 0 ? queries : std::min(queries, window);
    }
    /// Whether some query of a text of `tokens` tokens may not read some key before it.
    [[nodiscard]] constexpr bool limits(std::size_t tokens) const { return window != 0 && window < tokens; }
    /// The number of keys up to the query that the queries of `rows` may read, added up.
    [[nodiscard]] constexpr std::uint64_t pairs(RowRange rows) const {
        return pairsBefore(rows.last) - pairsBefore(rows.first);
    }

private:
    [[nodiscard]] constexpr std::uint64_t pairsBefore(std::uint64_t query) const {
        const std::uint64_t reach = window == 0 ? query : std::min<std::uint64_t>(query, window);
        return reach * (reach + 1) / 2 + (query - reach) * reach;
    }
};

/// How a layer of the model makes an attention logit of a product q.k: s = scale * q.k, and with a soft-cap c
/// it becomes c * tanh(s / c). Every logit of the program is made here, or by kernels/SoftCap.h, which does
/// the same on vectors. The logit never decreases as q.k increases.
struct LogitForm {
    float scale = 1;
    float softCap = 0; ///< c; 0: none
    bool operator==(const LogitForm&) const = default;

    [[nodiscard]] bool capped() const { return softCap > 0; }
    [[nodiscard]] float operator()(float product) const { return cap(scale * product); }
    [[nodiscard]] double operator()(double product) const {
        const double s = static_cast<double>(scale) * product, c = static_cast<double>(softCap);
        return capped() ? c * std::tanh(s / c) : s;
    }
    /// The logit of a product that is scaled already.
    [[nodiscard]] float cap(float scaled) const {
        return capped() ? softCap * std::tanh(scaled / softCap) : scaled;
    }
    /// The same for `count` scaled products, in place.
    void capAll(float* scaled, std::size_t count) const {
        for (std::size_t j = 0; capped() && j < count; ++j)
            scaled[j] = cap(scaled[j]);
    }
};

[[nodiscard]] NativeWindow nativeWindow(const ModelShape& shape, int layer);
[[nodiscard]] LogitForm logitForm(const ModelShape& shape, int layer);

/// Whether any layer has a native window, or caps its logits.
[[nodiscard]] bool hasNativeWindows(const ModelShape& shape);
[[nodiscard]] bool capsLogits(const ModelShape& shape);

/// "global", or "local 512" for a layer with a native window of 512 tokens.
[[nodiscard]] std::string layerKind(const ModelShape& shape, int layer);
/// The number of layers with a native window.
[[nodiscard]] int nativeLocalLayers(const ModelShape& shape);
/// What ModelInfo::change says of a model with every layer global.
inline constexpr const char* kOpenedUp = "opened up: every layer global";
/// The shape of that model.
[[nodiscard]] ModelShape withoutNativeWindows(ModelShape shape);

/// The pairs that the model computes in one head of layer `layer` for the queries of `rows` in a text of
/// `tokens` tokens.
[[nodiscard]] std::uint64_t modelPairs(const ModelShape& shape, int layer, RowRange rows, std::size_t tokens);
/// The same over all layers and heads, for a whole text.
[[nodiscard]] std::uint64_t modelPairs(const ModelShape& shape, std::size_t tokens);

} // namespace fovea
