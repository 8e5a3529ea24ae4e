#pragma once
#include "core/base/Matrix.h"
#include "core/model/ModelShape.h"
#include <cstdint>
#include <vector>

namespace fovea {

/// The fidelity of an encoder, in place of the next-token measures: cosines of last hidden states of the
/// hybrid run and of the full one.
struct SentenceFidelity {
    double cosine = 1;      ///< of the two sentence vectors
    double tokenCosine = 1; ///< mean over tokens of the cosine of the token's two hidden states
    double worstCosine = 1; ///< the smallest of them, which is that of:
    std::uint32_t worstToken = 0;
    std::vector<float> tokens; ///< [T] cosine of each token
    bool operator==(const SentenceFidelity&) const = default;
};

/// The sentence vector of a text: its hidden states [T x M] pooled, then scaled to length 1. [M], in double
/// sums. T > 0. A vector of zeros stays as it is.
[[nodiscard]] std::vector<float> sentenceVector(ConstMatrixView hidden, SentencePooling pooling);

/// Compares the last hidden states [T x M] of both runs, T > 0. Of two equal vectors the cosine is 1, also
/// where both are zero.
[[nodiscard]] SentenceFidelity compareSentences(ConstMatrixView full, ConstMatrixView hybrid,
                                                SentencePooling pooling);

} // namespace fovea
