#include "core/model/ModelShape.h"
#include <cmath>

namespace fovea {

const LayerShape& ModelShape::layer(int l) const {
    return ownLayers.empty() ? everyLayer : ownLayers[static_cast<std::size_t>(l)];
}

LayerShape& ModelShape::ownLayer(int l) {
    if (ownLayers.empty())
        ownLayers.assign(static_cast<std::size_t>(layers), everyLayer);
    return ownLayers[static_cast<std::size_t>(l)];
}

float ModelShape::attentionScale(int l) const {
    const float own = layer(l).attentionScale;
    return own != 0 ? own : static_cast<float>(1.0 / std::sqrt(static_cast<double>(headDim)));
}

std::string ModelInfo::container() const {
    return formatVersion == 0 ? "safetensors" : "GGUF " + std::to_string(formatVersion);
}

} // namespace fovea
