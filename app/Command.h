#pragma once
#include "app/Outcome.h"
#include "app/ProgressLine.h"
#include "core/base/Cancel.h"
#include <CLI/CLI.hpp>
#include <functional>

namespace fovea::app {

/// The environment of a running command.
class Session {
public:
    explicit Session(CancelToken cancel) : m_cancel(std::move(cancel)) {}
    /// Stop flag, progress on stderr and threads (0: all) for long work. One line of progress at a time.
    [[nodiscard]] WorkContext work(int threads, bool quiet);
    /// The number of threads for the option value `threads`: the same, or OpenMP's default for 0.
    [[nodiscard]] static int threadCount(int threads);
    void clearProgress();
    [[nodiscard]] bool cancelled() const { return m_cancel.cancelled(); }

private:
    CancelToken m_cancel;
    std::unique_ptr<ProgressLine> m_line;
};

/// A subcommand. Its options are in `app`; `run` does the work after they have been parsed.
struct Command {
    CLI::App* app = nullptr;
    std::function<Outcome<>(Session&)> run;
};

[[nodiscard]] Command addPolicies(CLI::App& program);
[[nodiscard]] Command addInspect(CLI::App& program);
[[nodiscard]] Command addTokenize(CLI::App& program);
[[nodiscard]] Command addHeads(CLI::App& program);
[[nodiscard]] Command addAnalyze(CLI::App& program);
[[nodiscard]] Command addLogits(CLI::App& program);
[[nodiscard]] Command addAttention(CLI::App& program);
[[nodiscard]] Command addSweep(CLI::App& program);
[[nodiscard]] Command addMerge(CLI::App& program);
[[nodiscard]] Command addTune(CLI::App& program);
[[nodiscard]] Command addProbe(CLI::App& program);
[[nodiscard]] Command addFailures(CLI::App& program);
[[nodiscard]] Command addGenerate(CLI::App& program);
[[nodiscard]] Command addCheck(CLI::App& program);
[[nodiscard]] Command addBench(CLI::App& program);
[[nodiscard]] Command addExport(CLI::App& program);
[[nodiscard]] Command addLesson(CLI::App& program);

} // namespace fovea::app
