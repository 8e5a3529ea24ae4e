#include "ui/window/ModelCard.h"
#include "core/base/Memory.h"
#include "core/engine/Engine.h"
#include "core/engine/RunMemory.h"
#include "ui/plot/NumberText.h"
#include <QFileInfo>
#include <QLabel>

namespace fovea::ui {

QString modelTitle(const Model& model) {
    const QString name = QString::fromStdString(model.info.name);
    if (model.info.tensorTypes.empty())
        return name;
    const QString type = QString::fromStdString(model.info.tensorTypes.front().first);
    return name.contains(type) ? name : name + QLatin1Char(' ') + type;
}

ModelCard::ModelCard(QWidget* over) : Sheet(QStringLiteral("model.card"), over) {
    setFixedWidth(460);
}

void ModelCard::showFault(const QString& path, const QString& sentence) {
    clear();
    setTitle(path.isEmpty() ? tr("No model") : QFileInfo(path).fileName());
    addRow(tr("not loaded"), sentence, QStringLiteral("cross"))
        ->setObjectName(QStringLiteral("model.card.error"));
    addRow(QString(), tr("The text and the parameters stay usable; a model loaded before keeps working."));
}

void ModelCard::showModel(const Model& model, Precision precision, std::size_t tokens,
                          const QString& hashNote) {
    clear();
    setTitle(modelTitle(model));
    const ModelShape& s = model.shape;
    const QString ok = QStringLiteral("check"), careful = QStringLiteral("warning");
    addRow(tr("family"), QString::fromStdString(s.family), ok);
    if (!s.predictsTokens())
        addRow(tr("reads"),
               tr("the text in both directions; it predicts no next token, so fidelity is the cosine of its "
                  "sentence vector (pooling: %1) and of each token")
                   .arg(QString::fromUtf8(poolingName(s.pooling))),
               ok);
    addRow(tr("shape"),
           tr("%1 layers x %2 heads (%3 key-value), width %4, head %5, feed-forward %6")
               .arg(s.layers)
               .arg(s.heads)
               .arg(s.kvHeads)
               .arg(grouped(s.width), grouped(s.headDim), grouped(s.feedForward)),
           ok);
    QStringList types;
    for (const auto& [type, count] : model.info.tensorTypes)
        types << QStringLiteral("%1 x %2").arg(QString::fromStdString(type)).arg(count);
    addRow(tr("tensors"),
           tr("%1; %2 parameters").arg(types.join(QStringLiteral(", ")), grouped(model.info.parameters)), ok);
    const bool past = tokens > static_cast<std::size_t>(s.context);
    addRow(tr("context"),
           past && s.positions == PositionKind::Learned
               ? tr("%1 tokens, and no position after them; of the text's %2 the first %1 are run")
                     .arg(grouped(s.context), grouped(static_cast<std::uint64_t>(tokens)))
           : past ? tr("%1 tokens; the text has %2 and runs on, labelled \"past the context\"")
                        .arg(grouped(s.context), grouped(static_cast<std::uint64_t>(tokens)))
                  : tr("%1 tokens").arg(grouped(s.context)),
           past ? careful : ok);
    addRow(tr("tokenizer"), tr("vocabulary %1").arg(grouped(s.vocabulary)), ok);
    const std::uint64_t held = heldWeightBytes(model, precision);
    const std::uint64_t need = tokens > 0 ? memoryNeeded(s, precision, tokens, held) : held;
    const std::uint64_t limit = memoryLimit(0);
    addRow(tr("memory"),
           tr("%1 %2 of %3 free")
               .arg(QString::fromStdString(formatBytes(need)),
                    tokens > 0 ? tr("for this text,") : tr("for the weights,"),
                    QString::fromStdString(formatBytes(limit))),
           need <= limit ? ok : careful);
    addRow(tr("file"),
           tr("%1, %2\n%3")
               .arg(QString::fromStdString(formatBytes(model.info.fileBytes)),
                    QString::fromStdString(model.info.container()), QString::fromStdString(model.info.path)));
    const QString sha256 = QString::fromStdString(model.info.sha256);
    QLabel* const hash = addRow(
        tr("SHA-256"), sha256.isEmpty() ? hashNote : sha256.left(32) + QLatin1Char('\n') + sha256.mid(32));
    hash->setObjectName(QStringLiteral("model.card.sha256"));
    if (!sha256.isEmpty())
        hash->setFont(QFont(QStringLiteral("monospace")));
    for (const std::string& warning : model.info.warnings)
        addRow(tr("note"), QString::fromStdString(warning), careful);
}

} // namespace fovea::ui
