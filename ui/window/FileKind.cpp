#include "ui/window/FileKind.h"
#include "core/base/Memory.h"
#include "core/files/ModelFolder.h"
#include "core/files/Sniff.h"
#include <QFile>
#include <QFileInfo>
#include <QLocale>

namespace fovea::ui {

namespace {

constexpr qint64 kHead = 65536;

QString bytesText(qint64 bytes) {
    return QString::fromStdString(formatBytes(static_cast<std::uint64_t>(bytes)));
}

} // namespace

FileKind fileKind(const QString& path) {
    const QFileInfo info(path);
    const QString name = info.fileName();
    if (!info.exists())
        return {FileKind::Refused, QStringLiteral("%1: not found").arg(path)};
    if (info.isDir() && isModelFolder(path.toStdString()))
        return {FileKind::Model, QStringLiteral("Model folder: opens its card, then loads")};
    if (!info.isFile())
        return {
            FileKind::Refused,
            QStringLiteral(
                "%1 is neither a file nor a model's folder: text, model, policy, session or lesson expected")
                .arg(name)};
    QFile file(path);
    if (!file.open(QIODevice::ReadOnly))
        return {FileKind::Refused, QStringLiteral("%1 cannot be read: %2").arg(name, file.errorString())};
    const QByteArray head = file.read(kHead);
    const Content content = contentOf({head.constData(), static_cast<std::size_t>(head.size())});
    switch (content) {
    case Content::Nothing:
        return {
            FileKind::Refused,
            QStringLiteral("%1 is empty, so the text stays: text, model, policy, session or lesson expected")
                .arg(name)};
    case Content::Gguf:
        return {FileKind::Model,
                QStringLiteral("GGUF model, %1: opens its card, then loads").arg(bytesText(info.size()))};
    case Content::Safetensors:
    case Content::Config:
        return {FileKind::Model, QStringLiteral("Model folder of %1: opens its card, then loads").arg(name)};
    case Content::Pickle:
        return {FileKind::Refused,
                QStringLiteral("%1: %2").arg(name, QString::fromUtf8(kPickleRefusal.data()))};
    case Content::Policy:
        return {FileKind::Policy, QStringLiteral("Policy: becomes B")};
    case Content::Session:
        return {FileKind::Session, QStringLiteral("Session: opens")};
    case Content::Lesson:
        return {FileKind::Lesson, QStringLiteral("Lesson: begins")};
    case Content::Binary:
        return {FileKind::Refused, QStringLiteral("%1, %2, holds zero bytes and is no model: text, GGUF or "
                                                  "safetensors, policy, session or lesson expected")
                                       .arg(name, bytesText(info.size()))};
    case Content::Text:
        break;
    }
    // Four bytes a token is what byte BPE takes on English prose; the run says the true number.
    return {FileKind::Text,
            QStringLiteral("Text, %1, about %2 tokens: replaces the text")
                .arg(bytesText(info.size()),
                     QLocale(QLocale::English).toString(qMax<qint64>(1, info.size() / 4))),
            QString::fromStdString(nameContradicts(name.toStdString(), content))};
}

} // namespace fovea::ui
