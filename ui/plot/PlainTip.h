#pragma once
#include <QString>

namespace fovea::ui {

/// Escapes `text` for setToolTip and QToolTip::showText, which would interpret markup in names from files and
/// users. Line breaks are kept.
[[nodiscard]] inline QString plainTip(const QString& text) {
    if (text.isEmpty())
        return {};
    return QStringLiteral("<qt>") + text.toHtmlEscaped().replace(QLatin1Char('\n'), QLatin1String("<br>")) +
           QStringLiteral("</qt>");
}

} // namespace fovea::ui
