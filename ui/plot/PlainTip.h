#pragma once
#include <QString>

namespace fovea::ui {

/// `text` for setToolTip and QToolTip::showText, which guess markup from what they are given: names from
/// files and users stay plain, lines stay lines.
[[nodiscard]] inline QString plainTip(const QString& text) {
    if (text.isEmpty())
        return {};
    return QStringLiteral("<qt>") + text.toHtmlEscaped().replace(QLatin1Char('\n'), QLatin1String("<br>")) +
           QStringLiteral("</qt>");
}

} // namespace fovea::ui
