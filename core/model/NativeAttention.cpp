#include "core/model/NativeAttention.h"

namespace fovea {

NativeWindow nativeWindow(const ModelShape& shape, int layer) {
    return {static_cast<std::size_t>(shape.layer(layer).window), !shape.causal};
}

LogitForm logitForm(const ModelShape& shape, int layer) {
    return {shape.attentionScale(layer), shape.layer(layer).softCap};
}

bool hasNativeWindows(const ModelShape& shape) {
    return nativeLocalLayers(shape) > 0;
}

bool capsLogits(const ModelShape& shape) {
    for (int layer = 0; layer < shape.layers; ++layer)
        if (shape.layer(layer).softCap > 0)
            return true;
    return false;
}

std::string layerKind(const ModelShape& shape, int layer) {
    const int window = shape.layer(layer).window;
    return window > 0 ? "local " + std::to_string(window) : "global";
}

int nativeLocalLayers(const ModelShape& shape) {
    int count = 0;
    for (int layer = 0; layer < shape.layers; ++layer)
        count += shape.layer(layer).window > 0 ? 1 : 0;
    return count;
}

ModelShape withoutNativeWindows(ModelShape shape) {
    shape.everyLayer.window = 0;
    for (LayerShape& layer : shape.ownLayers)
        layer.window = 0;
    return shape;
}

std::uint64_t modelPairs(const ModelShape& shape, int layer, RowRange rows, std::size_t tokens) {
    const NativeWindow native = nativeWindow(shape, layer);
    return native.later ? std::uint64_t{rows.last - rows.first} * tokens : native.pairs(rows);
}

std::uint64_t modelPairs(const ModelShape& shape, std::size_t tokens) {
    std::uint64_t pairs = 0;
    for (int layer = 0; layer < shape.layers; ++layer)
        pairs += modelPairs(shape, layer, {0, tokens}, tokens) * static_cast<std::uint64_t>(shape.heads);
    return pairs;
}

} // namespace fovea
