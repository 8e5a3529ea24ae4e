#pragma once
#include "app/Output.h"
#include "core/export/MeasurementStore.h"
#include "core/export/TuneReport.h"
#include <map>
#include <memory>
#include <string>

namespace fovea::app {

/// Where a tuning is written: its answer, its points, and the store of measurements from which an interrupted
/// search goes on. Without a path nothing is written or known.
class TuneFolder {
public:
    explicit TuneFolder(std::string path) : m_path(std::move(path)) {}

    /// Makes the folder. Then its files, to be checked before any work.
    [[nodiscard]] Outcome<OutputFiles> prepare() const;
    /// Opens the store. `quiet`: no note on lines that could not be read.
    [[nodiscard]] Outcome<> openStore(bool quiet);
    /// Lets a search find measurements here and keep new ones. This must outlive `watch`.
    void serve(TuneWatch& watch);
    /// Replaces the files by what is known now. A policy of an earlier tuning that this one does not have, or
    /// not yet, goes: it would not belong to the document beside it.
    [[nodiscard]] Outcome<> save(const TuneReport& report) const;
    /// Where the best policy is written; empty: nowhere.
    [[nodiscard]] std::string policyFile() const;

private:
    [[nodiscard]] std::string file(const char* name) const {
        return m_path.empty() ? "" : m_path + "/" + name;
    }
    [[nodiscard]] Outcome<> savePolicy(const std::string& path, const AttentionPolicy* policy) const;
    [[nodiscard]] const std::string& keyOf(const Snapshot& text);

    std::string m_path;
    std::unique_ptr<MeasurementStore> m_store;
    std::map<std::shared_ptr<const Tokens>, std::string> m_keys; ///< measurementKey, made once for each text
};

} // namespace fovea::app
