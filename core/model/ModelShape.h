#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace fovea {

/// What may differ from layer to layer.
struct LayerShape {
    /// W, the native window: the model was trained to let a query read itself and the W - 1 keys before it.
    /// 0: every key before it.
    int window = 0;
    bool rotated = true;      ///< false: q and k of this layer are not rotated
    double ropeBase = 10000;  ///< of the rotation's frequencies
    double ropeFactor = 1;    ///< linear scaling: positions / factor
    float attentionScale = 0; ///< the factor of q.k; 0: 1/sqrt(D)
    float softCap = 0;        ///< c: an attention logit s becomes c * tanh(s / c); 0: none
    bool operator==(const LayerShape&) const = default;
};

/// The dimensions of a transformer. The letters are used in all comments on shapes, beside T for the number
/// of tokens of a text. All values are checked; H is a multiple of G.
struct ModelShape {
    std::string family;  ///< "llama"
    int layers = 0;      ///< L
    int width = 0;       ///< M
    int feedForward = 0; ///< F
    int heads = 0;       ///< H
    int kvHeads = 0;     ///< G
    int headDim = 0;     ///< D
    int context = 0;     ///< C, the length in tokens it was trained on; longer texts run and are labelled
    int vocabulary = 0;  ///< V
    float normEpsilon = 0;
    LayerShape everyLayer;             ///< of each layer that is not in `ownLayers`
    std::vector<LayerShape> ownLayers; ///< [L] where layers differ; empty: all are alike
    bool operator==(const ModelShape&) const = default;

    [[nodiscard]] int headsPerKv() const { return heads / kvHeads; }
    /// The key-value head that query head `head` reads.
    [[nodiscard]] int kvHeadOf(int head) const { return head * kvHeads / heads; }
    [[nodiscard]] const LayerShape& layer(int l) const;
    /// The factor of q.k in layer `l`.
    [[nodiscard]] float attentionScale(int l = 0) const;
};

/// What is known about a model file besides its dimensions. Shown on the model card and in provenance.
struct ModelInfo {
    std::string name; ///< general.name, or the file name
    std::string path;
    std::string sha256; ///< of the whole file, 64 hex digits
    std::uint64_t fileBytes = 0;
    std::uint64_t parameters = 0;
    std::uint32_t formatVersion = 0;
    std::vector<std::pair<std::string, int>> tensorTypes; ///< ("Q4_1", 210), most frequent first
    std::vector<std::string> warnings;
    bool operator==(const ModelInfo&) const = default;
};

} // namespace fovea
