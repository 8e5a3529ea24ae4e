#include "app/TuneFolder.h"
#include "core/policy/PolicyJson.h"
#include <filesystem>

namespace fovea::app {

namespace {

constexpr const char* kPolicy = "policy.json";
constexpr const char* kBudgets = "budgets.json";
constexpr const char* kPoints = "points.csv";
constexpr const char* kDocument = "tune.json";
constexpr const char* kStore = "measurements.jsonl";

} // namespace

Outcome<OutputFiles> TuneFolder::prepare() const {
    OutputFiles outputs;
    if (m_path.empty())
        return outputs;
    FOVEA_TRY(makeFolder(m_path));
    for (const char* name : {kPolicy, kBudgets, kPoints, kDocument, kStore})
        outputs.add("--out", file(name));
    return outputs;
}

Outcome<> TuneFolder::openStore(bool quiet) {
    if (m_path.empty())
        return {};
    Result<MeasurementStore> store = MeasurementStore::open(file(kStore));
    if (!store)
        return workFailed(store.error().message);
    m_store = std::make_unique<MeasurementStore>(std::move(*store));
    if (m_store->unread() > 0)
        printNote(
            std::to_string(m_store->unread()) + (m_store->unread() == 1 ? " line" : " lines") + " of " +
                file(kStore) +
                " could not be read (cut short, or of another version); they stay there and are not used",
            quiet);
    return {};
}

void TuneFolder::serve(TuneWatch& watch) {
    if (!m_store)
        return;
    watch.known = [this](const Snapshot& text, const TuneCandidate& candidate) {
        return m_store->find(keyOf(text), candidate.hash);
    };
    watch.measured = [this](const Snapshot& text, const TuneCandidate& candidate,
                            const Measurement& measurement) {
        return m_store->add(keyOf(text), candidate.hash, candidate.policy, measurement);
    };
}

Outcome<> TuneFolder::save(const TuneReport& report) const {
    if (m_path.empty())
        return {};
    const Tuning& tuning = report.tuning;
    FOVEA_TRY(app::save(file(kPoints), tuneCsv(tuning)));
    FOVEA_TRY(app::save(file(kDocument), tuneJson(report)));
    FOVEA_TRY(
        savePolicy(policyFile(), tuning.best ? &tuning.points[*tuning.best].candidate.policy : nullptr));
    return savePolicy(file(kBudgets), report.budgets ? &report.budgets->budgets.policy : nullptr);
}

std::string TuneFolder::policyFile() const {
    return file(kPolicy);
}

Outcome<> TuneFolder::savePolicy(const std::string& path, const AttentionPolicy* policy) const {
    if (policy != nullptr)
        return app::save(path, policyToJson(*policy));
    std::error_code error;
    std::filesystem::remove(path, error);
    return error ? workFailed("cannot remove " + path + ": " + error.message()) : Outcome<>();
}

const std::string& TuneFolder::keyOf(const Snapshot& text) {
    std::string& key = m_keys[text.tokens];
    if (key.empty())
        key = measurementKey(text);
    return key;
}

} // namespace fovea::app
