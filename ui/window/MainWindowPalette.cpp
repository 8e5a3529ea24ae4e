#include "core/policy/PresetTitle.h"
#include "ui/params/ParamPanel.h"
#include "ui/plot/NumberText.h"
#include "ui/views/TextView.h"
#include "ui/window/Actions.h"
#include "ui/window/Docks.h"
#include "ui/window/Documents.h"
#include "ui/window/MainWindow.h"
#include "ui/window/MessageBar.h"
#include <QAction>
#include <QFileInfo>
#include <QRegularExpression>
#include <optional>

// What the command palette finds.
namespace fovea::ui {

namespace {

/// "window 64" or "top_p=0.9": a parameter by label, option or key, and its value.
struct Setting {
    const ParamSpec* spec;
    ParamValue value;
};
std::optional<Setting> settingOf(const QString& typed) {
    static const QRegularExpression kPattern(QStringLiteral("^\\s*(.+?)\\s*[ =]\\s*(\\S+)\\s*$"));
    const QRegularExpressionMatch match = kPattern.match(typed);
    if (!match.hasMatch())
        return {};
    const QString name = match.captured(1);
    const ParamSpec* spec = findParam(name.toStdString());
    for (const ParamSpec& one : paramSpecs())
        if (spec == nullptr && text(one.label).compare(name, Qt::CaseInsensitive) == 0)
            spec = &one;
    if (spec == nullptr)
        return {};
    const Result<ParamValue> value = parseParam(*spec, match.captured(2).toStdString());
    if (!value)
        return {};
    return Setting{spec, *value};
}

} // namespace

std::vector<PaletteEntry> MainWindow::typedEntries(const QString& typed) {
    std::vector<PaletteEntry> entries;
    if (const auto setting = settingOf(typed))
        entries.push_back({tr("Set %1 to %2")
                               .arg(text(setting->spec->label),
                                    QString::fromStdString(formatParam(*setting->spec, setting->value))),
                           tr("parameter"),
                           [this, setting] { m_context.requests.setParam(*setting->spec, setting->value); }});
    static const QRegularExpression kCell(QStringLiteral("^\\s*L?(\\d{1,4})\\s*H(\\d{1,4})\\s*$"),
                                          QRegularExpression::CaseInsensitiveOption);
    static const QRegularExpression kLayer(QStringLiteral("^\\s*L(\\d{1,4})\\s*$"),
                                           QRegularExpression::CaseInsensitiveOption);
    static const QRegularExpression kToken(QStringLiteral("^\\s*#(\\d{1,7})\\s*$"));
    const SnapshotPtr snapshot = m_context.runs.snapshot();
    if (const auto cell = kCell.match(typed); cell.hasMatch() && snapshot && snapshot->model) {
        const int layer = cell.captured(1).toInt(), head = cell.captured(2).toInt();
        if (layer < snapshot->model->shape.layers && head < snapshot->model->shape.heads)
            entries.push_back({tr("Go to layer %1, head %2").arg(layer).arg(head), tr("head"),
                               [this, layer, head] { m_context.selection.setCell(layer, head); }});
    }
    if (const auto row = kLayer.match(typed); row.hasMatch() && snapshot && snapshot->model) {
        const int layer = row.captured(1).toInt();
        if (layer < snapshot->model->shape.layers)
            entries.push_back({tr("Go to layer %1").arg(layer), tr("layer"), [this, layer] {
                                   m_context.selection.setCell(layer, m_context.selection.head());
                               }});
    }
    if (const auto place = kToken.match(typed); place.hasMatch() && snapshot && snapshot->tokens) {
        const int token = place.captured(1).toInt();
        if (static_cast<std::size_t>(token) < snapshot->tokens->size())
            entries.push_back({tr("What #%1 reads").arg(token), tr("token"),
                               [this, token] { m_context.selection.pin(token); }});
    }
    return entries;
}

std::vector<PaletteEntry> MainWindow::paletteEntries(const QString& typed) {
    std::vector<PaletteEntry> all;
    for (const ActionSpec& spec : actionSpecs()) {
        QAction* const found = action(spec.id);
        if (found == nullptr || !found->isEnabled() || spec.id == "help.palette")
            continue;
        const QString key = found->shortcut().toString(QKeySequence::NativeText);
        QString title = found->text();
        title.remove(QLatin1Char('&'));
        all.push_back({title, key.isEmpty() ? tr("command") : key, [found] { found->trigger(); }});
    }
    for (const PolicyPreset& preset : policyPresets())
        if (m_context.requests.runs(preset.policy))
            all.push_back({tr("Preset %1").arg(QString::fromStdString(presetTitle(preset))),
                           text(preset.name), [this, &preset] {
                               m_context.requests.setPolicy(preset.policy,
                                                            tr("preset %1").arg(text(preset.name)));
                           }});
    for (const ParamSpec& spec : paramSpecs())
        all.push_back({tr("Parameter: %1").arg(text(spec.label)), QStringLiteral("--") + text(spec.option),
                       [this, key = text(spec.key)] {
                           m_docks->show(QStringLiteral("dock.params"));
                           m_params->reveal(key);
                       }});
    for (const SampleSpec& sample : sampleSpecs())
        all.push_back({tr("Sample text: %1").arg(text(sample.name)), text(sample.file),
                       [this, &sample] { m_documents->openSample(sample); }});
    for (const FileKind::Kind kind : {FileKind::Text, FileKind::Model, FileKind::Session})
        for (const QString& path : m_recent.files(kind))
            all.push_back({tr("Open %1").arg(QFileInfo(path).fileName()), tr("recent"),
                           [this, path] { m_documents->open({path}); }});
    std::vector<PaletteEntry> found = typedEntries(typed);
    for (PaletteEntry& entry : matchingEntries(all, typed))
        found.push_back(std::move(entry));
    if (!typed.trimmed().isEmpty())
        found.push_back({tr("Find \"%1\" in the text").arg(typed.trimmed()),
                         action("edit.find")->shortcut().toString(QKeySequence::NativeText),
                         [this, typed] { findChild<TextView*>()->find(typed.trimmed()); }});
    return found;
}

} // namespace fovea::ui
