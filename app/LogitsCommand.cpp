#include "app/Command.h"
#include "app/Interrupt.h"
#include "app/Output.h"
#include "app/RunText.h"
#include "app/Usage.h"
#include "core/engine/Engine.h"
#include "core/files/AtomicFile.h"
#include "core/files/Npy.h"
#include "core/measure/NextToken.h"
#include "core/model/Forward.h"
#include "core/text/Display.h"
#include <algorithm>
#include <cstdio>
#include <numeric>

namespace fovea::app {

namespace {

struct Options {
    TextRunOptions text;
    std::string positions = "last";
    std::string top = "10";
    std::string logits;
};

Outcome<std::vector<std::size_t>> readPositions(const std::string& text, std::size_t tokens) {
    std::vector<std::size_t> positions;
    if (text == "all") {
        positions.resize(tokens);
        std::iota(positions.begin(), positions.end(), std::size_t{0});
        return positions;
    }
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        const std::string part = text.substr(begin, end - begin);
        if (part == "last") {
            positions.push_back(tokens - 1);
        } else {
            Outcome<std::int64_t> index =
                parseWhole("--positions", part, 0, static_cast<std::int64_t>(tokens) - 1);
            if (!index)
                return badUsage(index.error().message + ", and so are last and all");
            positions.push_back(static_cast<std::size_t>(*index));
        }
        begin = end + 1;
    }
    return positions;
}

std::vector<TokenScore> bestOf(const float* logits, std::size_t vocabulary, std::size_t count,
                               double logNormaliser) {
    std::vector<std::int32_t> ids(vocabulary);
    std::iota(ids.begin(), ids.end(), 0);
    count = std::min(count, vocabulary);
    std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count), ids.end(),
                      [&](std::int32_t a, std::int32_t b) {
                          return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
                      });
    std::vector<TokenScore> top;
    for (std::size_t k = 0; k < count; ++k)
        top.push_back({ids[k], logits[ids[k]],
                       static_cast<float>(static_cast<double>(logits[ids[k]]) - logNormaliser)});
    return top;
}

/// Logits are always computed in blocks of 64 rows from the beginning of the text, because the bits of a row
/// may depend on the rows it is multiplied with, and printed and saved values must agree.
class LogitBlocks {
public:
    LogitBlocks(const Model& model, const Matrix& hidden, const WorkContext& work)
        : m_model(model), m_hidden(hidden), m_work(work) {}
    [[nodiscard]] std::size_t first() const { return m_first; }
    [[nodiscard]] ConstMatrixView rows() const { return m_logits.view(); }
    /// Computes the block that holds `row`.
    Result<> load(std::size_t row) {
        FOVEA_TRY(m_work.checkpoint());
        const std::size_t first = row / kLogitRows * kLogitRows;
        if (m_logits.rows() > 0 && first == m_first)
            return {};
        m_first = first;
        m_logits = Matrix(std::min(kLogitRows, m_hidden.rows() - first),
                          static_cast<std::size_t>(m_model.shape.vocabulary));
        logitRows(m_model, m_hidden.view(), first, m_logits.view(), m_work.threads);
        return {};
    }

private:
    const Model& m_model;
    const Matrix& m_hidden;
    const WorkContext& m_work;
    std::size_t m_first = 0;
    Matrix m_logits;
};

Outcome<std::vector<PositionScores>> scorePositions(LogitBlocks& blocks,
                                                    const std::vector<std::size_t>& positions,
                                                    std::size_t top, const WorkContext& work) {
    std::vector<PositionScores> rows;
    for (const std::size_t index : positions) {
        FOVEA_TRY(blocks.load(index));
        const ConstMatrixView logits = blocks.rows();
        const float* row = logits.row(index - blocks.first());
        rows.push_back({index, bestOf(row, logits.cols, top, scoreRow({row, logits.cols}).logNormaliser)});
        work.report("next-token distributions", static_cast<double>(rows.size()),
                    static_cast<double>(positions.size()));
    }
    return rows;
}

/// The T x V matrix, a block at a time.
Outcome<> saveLogits(LogitBlocks& blocks, std::size_t tokens, std::size_t vocabulary, const std::string& path,
                     const WorkContext& work) {
    const auto output = [](const Error& error) {
        return error.code == ErrorCode::Cancelled ? Failure(error) : Failure(kFailed, error.message);
    };
    const SaveGuard guard;
    Result<AtomicFile> file = AtomicFile::create(path);
    if (!file)
        return tl::make_unexpected(output(file.error()));
    std::string bytes = npyHeader({tokens, vocabulary});
    for (std::size_t row = 0; row < tokens; row += kLogitRows) {
        FOVEA_TRY(blocks.load(row));
        appendNpy(bytes, blocks.rows());
        if (const Result<> done = file->append(bytes); !done)
            return tl::make_unexpected(output(done.error()));
        bytes.clear();
        work.report("writing logits", static_cast<double>(row + blocks.rows().rows),
                    static_cast<double>(tokens));
    }
    if (const Result<> done = file->commit(); !done)
        return tl::make_unexpected(output(done.error()));
    return {};
}

std::string table(const TextRun& run, std::span<const float> nll, const std::vector<PositionScores>& rows) {
    double sum = 0;
    for (std::size_t i = 1; i < nll.size(); ++i)
        sum += static_cast<double>(nll[i]);
    char line[128];
    std::string text = std::to_string(nll.size()) + " tokens, " + run.policy.summary();
    if (nll.size() > 1) {
        std::snprintf(line, sizeof line, ", mean loss %.4f nats", sum / static_cast<double>(nll.size() - 1));
        text += line;
    }
    text += "\n";
    const Tokenizer& tokenizer = *run.snapshot->model->tokenizer;
    for (const PositionScores& row : rows) {
        text += "\nafter token " + std::to_string(row.index) + " " +
                displayText(run.snapshot->tokens->pieces[row.index]) + "\n";
        for (const TokenScore& score : row.top) {
            std::snprintf(line, sizeof line, "  %8.4f  logit %9.4f  id %6d  ",
                          std::exp(static_cast<double>(score.logprob)), static_cast<double>(score.logit),
                          score.id);
            text += line + displayText(tokenizer.piece(score.id)) + "\n";
        }
    }
    return text;
}

Outcome<> run(const Options& options, Session& session) {
    Outcome<std::int64_t> top = parseWhole("--top", options.top, 1, 1 << 20);
    FOVEA_TRY(top);
    OutputFiles files;
    files.add("--out", options.text.output.out);
    files.add("--logits", options.logits);
    Outcome<TextRun> made = prepareRun(options.text, "", files, session);
    FOVEA_TRY(made);
    TextRun& run = *made;
    if (!run.card->shape.predictsTokens())
        return badUsage(run.card->shape.family + ": " + kNoNextToken +
                        "; export --hidden and --sentence write what it computes");
    Engine engine;
    FOVEA_TRY(runEngine(run, engine, options.text.output.quiet, session));
    const Model& model = *run.snapshot->model;
    Outcome<std::vector<std::size_t>> positions =
        readPositions(options.positions, run.snapshot->tokens->size());
    FOVEA_TRY(positions);

    std::shared_ptr<const Matrix> hidden = run.snapshot->full->hidden;
    std::vector<float> nll = run.snapshot->full->nll;
    if (!isFull(run.policy, model.shape)) {
        Result<PropagatedResult> hybrid = runPropagated(*run.snapshot, run.policy, run.work);
        FOVEA_TRY(hybrid);
        hidden = hybrid->hidden;
        nll = hybrid->fidelity.hybridNll;
    }
    LogitBlocks blocks(model, *hidden, run.work);
    Outcome<std::vector<PositionScores>> rows =
        scorePositions(blocks, *positions, static_cast<std::size_t>(*top), run.work);
    FOVEA_TRY(rows);
    if (!options.logits.empty())
        FOVEA_TRY(saveLogits(blocks, hidden->rows(), static_cast<std::size_t>(model.shape.vocabulary),
                             options.logits, run.work));
    session.clearProgress();
    return deliver(options.text.output, logitsJson(run.head(), *run.snapshot->tokens, nll, *rows),
                   table(run, nll, *rows));
}

} // namespace

Command addLogits(CLI::App& program) {
    auto options = std::make_shared<Options>();
    CLI::App* app =
        program.add_subcommand("logits", "Next-token distributions and the loss at every position under a "
                                         "policy. Without a policy option: full attention.");
    app->add_option("--positions", options->positions,
                    "Where to show the distribution after a token. Default: last.")
        ->type_name("all|0,5,last")
        ->group("Output");
    app->add_option("--top", options->top, "Most likely tokens shown per position. Default: 10.")
        ->type_name("K")
        ->group("Output");
    app->add_option("--logits", options->logits,
                    "Write all logits as a T x V float32 array in NumPy's format.")
        ->type_name("FILE.npy")
        ->group("Output");
    addTextRunOptions(*app, options->text, "Also write the JSON document to this file.");
    app->footer("nll[i] is -ln P(token i | tokens before it) in nats, null at 0.\n\nExamples:\n"
                "  fovea logits --text 'The capital of France is' --top 5\n"
                "  fovea logits page.txt --window 64 --sinks 4 --json\n"
                "  fovea logits page.txt --logits page.npy");
    return {app, [options](Session& session) { return run(*options, session); }};
}

} // namespace fovea::app
