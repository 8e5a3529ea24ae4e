#pragma once
#include "app/Outcome.h"
#include "app/Output.h"
#include "core/export/SweepReport.h"
#include <optional>
#include <string>

namespace fovea::app {

/// Where the points of a sweep go while it runs. Both files are replaced after each point, so whatever ends
/// the program, the points done are there.
class SweepFiles {
public:
    /// NAME.json gets the document, with a table in NAME.csv beside it; NAME.csv gets the table alone.
    [[nodiscard]] static Outcome<SweepFiles> named(const std::string& out);
    [[nodiscard]] OutputFiles outputs() const;
    /// Marks the Pareto points of each text, and writes.
    [[nodiscard]] Outcome<> write(SweepReport& report) const;
    /// The document; empty: there is no file.
    [[nodiscard]] Outcome<std::optional<SweepReport>> read() const;
    [[nodiscard]] const std::string& document() const { return m_json; } ///< empty: none is written
    [[nodiscard]] const std::string& first() const { return m_json.empty() ? m_csv : m_json; }

private:
    std::string m_json, m_csv;
};

/// Reads the document of a sweep. Errors name the file.
[[nodiscard]] Outcome<SweepReport> readSweep(const std::string& path);

/// What a sweep prints: the points that are done, text by text.
[[nodiscard]] std::string sweepTable(const SweepReport& report);

} // namespace fovea::app
