#include "ui/run/PinnedRuns.h"
#include "core/policy/PolicyJson.h"
#include <algorithm>
#include <string_view>

namespace fovea::ui {

namespace {
constexpr std::string_view kPrefix = "run.";
} // namespace

const PinnedRun& PinnedRuns::pin(const Snapshot& snapshot, const QString& text) {
    const AttentionPolicy& policy = snapshot.request->policy;
    auto at = std::find_if(m_runs.begin(), m_runs.end(),
                           [&](const PinnedRun& run) { return sameButName(run.policy, policy); });
    if (at == m_runs.end()) {
        m_runs.push_back({freeName(QStringLiteral("r%1").arg(snapshot.generation)), policy, {}, {}});
        at = m_runs.end() - 1;
    }
    if (const std::optional<ArmFigures> figures = figuresOfB(snapshot)) {
        at->figures = figures;
        at->text = text;
    }
    emit changed();
    return *at;
}

QString PinnedRuns::freeName(const QString& wanted) const {
    const auto taken = [this](const QString& name) {
        return std::any_of(m_runs.begin(), m_runs.end(),
                           [&](const PinnedRun& run) { return run.name == name; });
    };
    QString name = wanted;
    for (int n = 2; taken(name); ++n)
        name = QStringLiteral("%1-%2").arg(wanted).arg(n);
    return name;
}

void PinnedRuns::save(std::map<std::string, std::string>& view) const {
    for (const PinnedRun& run : m_runs)
        view[std::string(kPrefix) + run.name.toStdString()] = policyToJson(run.policy);
}

void PinnedRuns::restore(const std::map<std::string, std::string>& view) {
    m_runs.clear();
    for (const auto& [key, value] : view) {
        if (!key.starts_with(kPrefix))
            continue;
        if (auto policy = policyFromJson(value); policy)
            m_runs.push_back(
                {QString::fromStdString(key.substr(kPrefix.size())), std::move(*policy), {}, {}});
    }
    emit changed();
}

} // namespace fovea::ui
