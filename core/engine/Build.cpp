#include "core/engine/Build.h"

namespace fovea {

std::string_view buildVersion() {
    return FOVEA_VERSION;
}
std::string_view buildCommit() {
    return FOVEA_COMMIT;
}

} // namespace fovea
