#include "core/engine/OpenedModel.h"
#include "core/model/NativeAttention.h"

namespace fovea {

std::shared_ptr<const Model> modelToRun(std::shared_ptr<const Model> model, bool nativeWindows) {
    if (nativeWindows || !hasNativeWindows(model->shape))
        return model;
    auto opened = std::make_shared<Model>(*model);
    opened->shape = withoutNativeWindows(std::move(opened->shape));
    opened->info.change = kOpenedUp;
    return opened;
}

} // namespace fovea
