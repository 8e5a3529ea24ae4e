#include "core/model/ModelShape.h"
#include <cmath>

namespace fovea {

float ModelShape::attentionScale() const {
    return static_cast<float>(1.0 / std::sqrt(static_cast<double>(headDim)));
}

} // namespace fovea
