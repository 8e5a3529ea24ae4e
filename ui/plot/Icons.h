#pragma once
#include <QIcon>
#include <QString>

namespace fovea::ui {

/// An icon from an SVG in resources/icons. It is drawn in the colours of the current theme at every paint, so
/// it follows a change of theme. `name`: without folder and extension.
[[nodiscard]] QIcon icon(const QString& name);

/// Registers the compiled-in resources (icons, sample texts). Needed because the linker drops those of a
/// static library.
void initResources();

} // namespace fovea::ui
