#include "ui/params/Sections.h"
#include "ui/plot/NumberText.h"
#include <QStringList>
#include <algorithm>

namespace fovea::ui {

namespace {

/// In a file a missing local part means full attention; here every part is off.
AttentionPolicy emptyPolicy() {
    AttentionPolicy off;
    off.local.window = 0;
    return off;
}

} // namespace

const std::vector<std::string_view>& sectionNames() {
    static const std::vector<std::string_view> names = {"Local", "Always", "Routed", "Far", "Mix"};
    return names;
}

QString sectionTitle(std::string_view section) {
    return section == "Far" ? QStringLiteral("Far field") : text(section);
}

bool sectionOn(const AttentionPolicy& policy, std::string_view section) {
    if (section == "Local")
        return policy.local.window > 0 || policy.local.chunk > 0;
    if (section == "Always")
        return policy.always.sinks > 0 || !policy.always.pinned.empty() || policy.always.special ||
               policy.always.punctuation || policy.always.sinkLogit;
    if (section == "Routed")
        return policy.routed.on();
    if (section == "Far")
        return policy.far.on();
    return !(policy.mix == MixPart{}) || !policy.headPolicies.empty();
}

QString sectionState(const AttentionPolicy& policy, std::string_view section) {
    if (!sectionOn(policy, section))
        return QStringLiteral("off");
    const AttentionPolicy off = emptyPolicy();
    QStringList parts;
    for (const ParamSpec& spec : paramSpecs()) {
        if (spec.section != section || (spec.active != nullptr && !spec.active(policy)))
            continue;
        const std::string value = formatParam(spec, spec.get(policy)); // as texts: "off" is a NaN
        if (!isKnob(spec) && value == formatParam(spec, spec.get(off)))
            continue;
        const QString label = text(spec.label);
        parts << (spec.kind == ParamKind::Flag ? label
                                               : label + QLatin1Char(' ') + QString::fromStdString(value));
    }
    return parts.join(QStringLiteral(", "));
}

AttentionPolicy withoutSection(AttentionPolicy policy, std::string_view section) {
    return withSectionOf(std::move(policy), section, emptyPolicy());
}

AttentionPolicy withSectionOf(AttentionPolicy policy, std::string_view section,
                              const AttentionPolicy& source) {
    if (section == "Local")
        policy.local = source.local;
    else if (section == "Always")
        policy.always = source.always;
    else if (section == "Routed")
        policy.routed = source.routed;
    else if (section == "Far") {
        policy.far = source.far;
        policy.combine = source.combine;
    } else {
        policy.mix = source.mix;
        policy.headPolicies = source.headPolicies;
    }
    policy.name.clear();
    return policy;
}

const std::vector<std::string_view>& knobKeys() {
    static const std::vector<std::string_view> keys = [] {
        std::vector<std::string_view> all = {"local.window", "always.sinks", "routed.signal"};
        all.insert(all.end(), std::begin(kBudgetKeys), std::end(kBudgetKeys));
        all.push_back("far.far");
        return all;
    }();
    return keys;
}

bool isKnob(const ParamSpec& spec) {
    const auto& keys = knobKeys();
    return std::find(keys.begin(), keys.end(), spec.key) != keys.end();
}

} // namespace fovea::ui
