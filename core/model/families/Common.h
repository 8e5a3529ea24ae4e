#pragma once
// What the files of families share: readers of the settings that all have, and tensors in the usual order.
#include "core/model/Family.h"
#include <optional>
#include <string>
#include <vector>

namespace fovea::families {

/// Assigns a checked integer to an int.
[[nodiscard]] Result<> assign(int& to, const Result<std::int64_t>& value);

/// The error of a setting with a value that does not run: Unsupported, "KEY is VALUE; ACCEPTED".
[[nodiscard]] tl::unexpected<Error> doesNotRun(const std::string& key, const std::string& value,
                                               const std::string& accepted);

/// Checks that G divides H and that D is even and at most 256. The texts name the settings.
[[nodiscard]] Result<> requireHeads(const ModelShape& shape, const std::string& kvHeads,
                                    const std::string& headDim);

// ---- GGUF: keys begin with the architecture ----

/// L, M, F, C, H, G, D and the epsilon of the norms. Refuses experts, and a value length other than D.
[[nodiscard]] Result<ModelShape> ggufShape(const Settings& metadata, const std::string& architecture,
                                           NormKind norm = NormKind::Rms);
/// RoPE base and linear scaling into everyLayer. `partial`: fewer than D numbers may be rotated. Scaling of
/// other kinds than none, linear, and llama3 or longrope (both stored as factors) is Unsupported.
[[nodiscard]] Result<> ggufRope(const Settings& metadata, const std::string& architecture, ModelShape& shape,
                                bool partial = false);
/// Both of the above: what every rotated family reads first.
[[nodiscard]] Result<ModelShape> ggufDecoder(const Settings& metadata, const std::string& architecture,
                                             bool partial = false);
/// A native window W from attention.sliding_window; 0 or missing: none.
[[nodiscard]] Result<int> ggufWindow(const Settings& metadata, const std::string& architecture);
/// Refuses attention.sliding_window > 0.
[[nodiscard]] Result<> ggufNoWindow(const Settings& metadata, const std::string& architecture);

// ---- config.json ----

/// The name of a setting, inside `text_config` where a model of text and images has one.
[[nodiscard]] std::string configKey(const Settings& config, const std::string& key);
/// L, M, F, C, H, G, D, V and rms_norm_eps. Refuses experts.
[[nodiscard]] Result<ModelShape> configShape(const Settings& config);
/// Base, scaling (none, linear, llama3; with `longRope` also longrope, whose factors the family reads) and R,
/// in the older spelling (rope_theta, rope_scaling) and the newer one (all inside `parameters`).
[[nodiscard]] Result<> configRope(const Settings& config, ModelShape& shape, double base = 10000,
                                  const std::string& parameters = "rope_parameters", bool longRope = false);
/// tie_word_embeddings.
[[nodiscard]] Result<> configTies(const Settings& config, ModelShape& shape, bool tiedByDefault);
/// Refuses a setting that is true.
[[nodiscard]] Result<> requireFalse(const Settings& config, const std::string& key, const ModelShape& shape);
/// The activation that `key` names; a missing key keeps shape.activation.
[[nodiscard]] Result<> configActivation(const Settings& config, const std::string& key, ModelShape& shape);
/// The four that rotated families share: shape, RoPE, `hidden_act`, ties.
[[nodiscard]] Result<ModelShape> configDecoder(const Settings& config, bool tiedByDefault = false,
                                               double ropeBase = 10000, bool longRope = false);

// ---- Tensors ----

/// Token embedding, output norm, output (optional).
[[nodiscard]] std::vector<TensorRow> outerTensors(Convention norms = Convention::None);
/// q, k, v and the attention output, then gate, up, down. `queryKey` holds for q and k.
[[nodiscard]] std::vector<TensorRow> branchTensors(Convention queryKey = Convention::None);
void append(std::vector<TensorRow>& to, std::vector<TensorRow> more);

/// The tensors of a model with norms before the branches, as Llama, Qwen and SmolLM have them.
[[nodiscard]] std::vector<TensorRow> decoderTensors(Convention queryKey = Convention::None);
/// RMS norms of q and k.
[[nodiscard]] std::vector<TensorRow> queryKeyNorms(Convention norms = Convention::None);

inline constexpr std::string_view kDecoderPrefixes[] = {"model.", ""};

} // namespace fovea::families
