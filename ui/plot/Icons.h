#pragma once
#include <QIcon>
#include <QString>

namespace fovea::ui {

/// An own SVG of resources/icons, drawn in the current theme's colours at every paint, so it needs no refresh
/// on a change of theme. `name` without folder and extension.
[[nodiscard]] QIcon icon(const QString& name);

/// Makes the compiled-in resources (icons, sample texts) known; a static library's are dropped by the linker
/// otherwise.
void initResources();

} // namespace fovea::ui
