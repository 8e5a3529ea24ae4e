#include "core/policy/PresetTitle.h"
#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

namespace fovea {

namespace {

struct Title {
    std::string_view preset, name;
};

constexpr std::array kTitles = {
    Title{"default", "Default"},
    Title{"full", "Full attention"},
    Title{"encoder", "Encoder default"},
    Title{"window", "Sliding window"},
    Title{"window-sinks", "Window and sinks"},
    Title{"streaming", "StreamingLLM"},
    Title{"dilated", "Dilated window"},
    Title{"dilated-heads", "Longformer, dilated heads"},
    Title{"chunked", "Chunks"},
    Title{"chunked-prev", "Chunks and the one before"},
    Title{"longformer", "Longformer"},
    Title{"longformer-sym", "Longformer, both directions"},
    Title{"sepllm", "SepLLM"},
    Title{"separators", "SepLLM without a cap"},
    Title{"duo", "DuoAttention"},
    Title{"bigbird-itc", "BigBird ITC"},
    Title{"bigbird-parity", "BigBird, both directions"},
    Title{"bigbird-etc", "BigBird ETC"},
    Title{"strided", "Sparse Transformer, strided"},
    Title{"gemma3", "Gemma 3 layers"},
    Title{"gemma2", "Gemma 2 layers"},
    Title{"interleave-1-1", "Window and full by turns"},
    Title{"summaries", "Block means"},
    Title{"linear", "Linear Transformer"},
    Title{"performer", "Performer"},
    Title{"trig", "Random Fourier features"},
    Title{"based", "Based"},
    Title{"lolcats", "LoLCATs"},
    Title{"seed", "Window and recurrence"},
    Title{"seed-local", "Window of the recurrent block"},
    Title{"seed-recurrent", "Recurrence alone"},
    Title{"linformer", "Linformer"},
    Title{"seed-cache", "Recurrence and key cache"},
    Title{"seed-cache-posted", "Recurrence and key cache, gated"},
    Title{"v4", "DeepSeek-V4, top entries"},
    Title{"v4-128", "DeepSeek-V4, blocks of 128"},
    Title{"landmark", "Landmark Attention"},
    Title{"nsa", "Native Sparse Attention"},
    Title{"head-dot", "Top keys by head"},
    Title{"key-norm", "Keys of small norm"},
    Title{"query-peak", "Peaked queries"},
    Title{"top-p", "Top-p of the mass"},
    Title{"dynamic-entropy", "Budget by entropy"},
    Title{"dynamic-deficit", "Budget by missing mass"},
    Title{"reformer", "Reformer"},
    Title{"routing", "Routing Transformer"},
    Title{"quest", "Quest"},
    Title{"twilight", "Twilight"},
    Title{"h2o", "H2O"},
    Title{"tova", "TOVA"},
    Title{"vatp", "VATP"},
    Title{"snapkv", "SnapKV"},
    Title{"colt5", "CoLT5"},
    Title{"mod", "Mixture of Depths"},
    Title{"informer", "Informer"},
    Title{"a-shape", "MInference, A-shape"},
    Title{"vertical-slash", "MInference, vertical-slash"},
    Title{"block-sparse", "MInference, block-sparse"},
    Title{"flexprefill", "FlexPrefill"},
    Title{"xattention", "XAttention"},
    Title{"moba", "MoBA"},
    Title{"dsa", "DeepSeek Sparse Attention"},
    Title{"random", "Random keys"},
    Title{"oracle", "Oracle"},
};

/// The year of the paper the preset follows, from its arXiv id; empty if it follows none.
std::optional<int> presetYear(const PolicyPreset& preset) {
    // An arXiv id of today begins with two digits of the year: 2309.17453.
    const std::string_view id = preset.source;
    const auto digit = [&](std::size_t at) { return std::isdigit(static_cast<unsigned char>(id[at])) != 0; };
    if (id.size() < 5 || id[4] != '.' || !digit(0) || !digit(1))
        return {};
    return 2000 + (id[0] - '0') * 10 + (id[1] - '0');
}

} // namespace

std::string_view presetName(const PolicyPreset& preset) {
    const auto* const found = std::find_if(kTitles.begin(), kTitles.end(),
                                           [&](const Title& title) { return title.preset == preset.name; });
    return found == kTitles.end() ? preset.name : found->name;
}

std::string presetTitle(const PolicyPreset& preset) {
    std::string title(presetName(preset));
    if (const auto year = presetYear(preset))
        title += ", " + std::to_string(*year);
    return title;
}

} // namespace fovea
