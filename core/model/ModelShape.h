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

enum class NormKind : std::uint8_t {
    Rms,  ///< x / sqrt(mean(x^2) + eps) * w
    Layer ///< (x - mean) / sqrt(var + eps) * w + b
};
/// What is normed among the queries and keys of a layer, before rotation.
enum class QkNorm : std::uint8_t {
    None,
    Head, ///< each head by itself, with one weight [D] for all heads
    Whole ///< all heads together, with weights [H*D] and [G*D]
};
enum class Activation : std::uint8_t {
    Silu,     ///< x / (1 + e^-x)
    GeluTanh, ///< x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))
    GeluErf   ///< x/2 * (1 + erf(x / sqrt(2)))
};
enum class PositionKind : std::uint8_t {
    Rope,   ///< queries and keys are rotated; a text may be longer than C
    Learned ///< a vector per position is added to the embedding; a text has at most C tokens
};
/// How the last hidden states of a text become its sentence vector, which then has length 1.
enum class SentencePooling : std::uint8_t {
    Mean, ///< of all tokens, those that the tokenizer adds included
    First ///< the first token, [CLS]
};

/// "mean" or "first token".
[[nodiscard]] constexpr const char* poolingName(SentencePooling pooling) {
    return pooling == SentencePooling::First ? "first token" : "mean";
}

/// What a transformer is: its dimensions, and what its layers compute. The letters are used in all comments
/// on shapes, beside T for the number of tokens of a text. All values are checked; H is a multiple of G. The
/// defaults are those of a Llama model.
struct ModelShape {
    std::string family;  ///< general.architecture or model_type: "llama"
    int layers = 0;      ///< L
    int width = 0;       ///< M
    int feedForward = 0; ///< F
    int heads = 0;       ///< H
    int kvHeads = 0;     ///< G
    int headDim = 0;     ///< D
    int context = 0;     ///< C, the length in tokens it was trained on (see PositionKind)
    int vocabulary = 0;  ///< V
    float normEpsilon = 0;
    LayerShape everyLayer;             ///< of each layer that is not in `ownLayers`
    std::vector<LayerShape> ownLayers; ///< [L] where layers differ; empty: all are alike

    bool causal = true; ///< false: a token also reads the tokens after it (BERT)
    NormKind norm = NormKind::Rms;
    bool normsBefore = true; ///< the input of attention and of the feed-forward network is normed
    bool normsAfter = false; ///< their output is normed before it is added to the residual stream
    bool normsOfSum = false; ///< the residual stream is normed after each addition (BERT)
    bool finalNorm = true;   ///< after the last layer
    QkNorm qkNorm = QkNorm::None;
    bool qkvBias = false, outputBias = false, feedForwardBias = false;
    Activation activation = Activation::Silu;
    bool gated = true; ///< feed-forward: (f(x Wg) * (x Wu)) Wd; else f(x Wu) Wd
    PositionKind positions = PositionKind::Rope;
    int rotary = 0; ///< R: the first R numbers of a head are rotated; 0: all D
    /// Divisors of the frequencies [R/2], when the settings give them; a file may have them as tensors
    /// instead. `longRopeFactors` serve texts of more than `ropeContext` tokens.
    std::vector<float> ropeFactors, longRopeFactors;
    int ropeContext = 0;        ///< 0: one set of factors for every length
    float ropeMagnitude = 1;    ///< multiplies the cosines and sines (LongRoPE)
    float embeddingScale = 1;   ///< multiplies the token embedding
    int tokenTypes = 0;         ///< > 0: the vector of type 0 is added to each embedding (BERT)
    bool embeddingNorm = false; ///< the sum of embeddings is normed
    bool tiedOutput = false;    ///< the settings say that the token embedding serves, whatever is stored
    float finalSoftCap = 0;     ///< c: a logit s becomes c * tanh(s / c); 0: none
    SentencePooling pooling = SentencePooling::Mean; ///< of a model that does not predict tokens
    bool operator==(const ModelShape&) const = default;

    [[nodiscard]] int headsPerKv() const { return heads / kvHeads; }
    /// The key-value head that query head `head` reads.
    [[nodiscard]] int kvHeadOf(int head) const { return head * kvHeads / heads; }
    [[nodiscard]] const LayerShape& layer(int l) const;
    /// For a reader of settings: layer `l` as one that may differ from the others.
    [[nodiscard]] LayerShape& ownLayer(int l);
    /// The factor of q.k in layer `l`.
    [[nodiscard]] float attentionScale(int l) const;
    [[nodiscard]] int rotaryDim() const { return rotary > 0 ? rotary : headDim; } ///< R
    [[nodiscard]] bool hasNormsAfter() const { return normsAfter || normsOfSum; }
    [[nodiscard]] bool predictsTokens() const { return causal; } ///< has next-token logits
};

/// Why next-token measures are empty for a model that does not predict tokens.
inline constexpr const char* kNoNextToken =
    "this model reads the text in both directions and predicts no next token";

/// What is known about a model file besides its dimensions. Shown on the model card and in provenance.
struct ModelInfo {
    std::string name; ///< general.name, or the file name
    std::string path;
    std::string sha256; ///< of the whole file, 64 hex digits
    std::uint64_t fileBytes = 0;
    std::uint64_t parameters = 0;
    std::uint32_t formatVersion = 0; ///< of GGUF; 0: the model is a folder with safetensors
    std::vector<std::pair<std::string, int>> tensorTypes; ///< ("Q4_1", 210), most frequent first
    std::vector<std::string> warnings;
    /// How the model that runs differs from the one in the file ("every layer global"); empty: it does not.
    std::string change;
    bool operator==(const ModelInfo&) const = default;

    /// "GGUF 3" or "safetensors".
    [[nodiscard]] std::string container() const;
};

} // namespace fovea
