#include "ui/window/FileKind.h"
#include "core/base/Memory.h"
#include <QFile>
#include <QFileInfo>
#include <QLocale>

namespace fovea::ui {

namespace {

constexpr qint64 kHead = 65536;

QString bytesText(qint64 bytes) {
    return QString::fromStdString(formatBytes(static_cast<std::uint64_t>(bytes)));
}

/// The value of the top-level "fovea" key, if the bytes begin a JSON object that has one near its start.
QByteArray documentKind(const QByteArray& head) {
    const QByteArray trimmed = head.trimmed();
    if (!trimmed.startsWith('{'))
        return {};
    const qsizetype key = trimmed.indexOf("\"fovea\"");
    if (key < 0)
        return {};
    const qsizetype open = trimmed.indexOf('"', trimmed.indexOf(':', key));
    const qsizetype close = open < 0 ? -1 : trimmed.indexOf('"', open + 1);
    return close < 0 ? QByteArray() : trimmed.mid(open + 1, close - open - 1);
}

} // namespace

FileKind fileKind(const QString& path) {
    const QFileInfo info(path);
    const QString name = info.fileName();
    if (!info.exists())
        return {FileKind::Refused, QStringLiteral("%1: not found").arg(path)};
    if (!info.isFile())
        return {FileKind::Refused,
                QStringLiteral("%1 is not a file: text, GGUF model, policy or session expected").arg(name)};
    QFile file(path);
    if (!file.open(QIODevice::ReadOnly))
        return {FileKind::Refused, QStringLiteral("%1 cannot be read: %2").arg(name, file.errorString())};
    const QByteArray head = file.read(kHead);
    if (head.startsWith("GGUF"))
        return {FileKind::Model,
                QStringLiteral("GGUF model, %1: opens its card, then loads").arg(bytesText(info.size()))};
    const QByteArray document = documentKind(head);
    if (document == "policy")
        return {FileKind::Policy, QStringLiteral("Policy: becomes B")};
    if (document == "session")
        return {FileKind::Session, QStringLiteral("Session: opens")};
    if (head.contains('\0'))
        return {FileKind::Refused,
                QStringLiteral(
                    "%1, %2, holds zero bytes and is not GGUF: text, GGUF model, policy or session expected")
                    .arg(name, bytesText(info.size()))};
    // Four bytes a token is what byte BPE takes on English prose; the run says the true number.
    return {FileKind::Text, QStringLiteral("Text, %1, about %2 tokens: replaces the text")
                                .arg(bytesText(info.size()),
                                     QLocale(QLocale::English).toString(qMax<qint64>(1, info.size() / 4)))};
}

} // namespace fovea::ui
