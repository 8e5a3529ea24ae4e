#include "core/measure/NextToken.h"
#include "core/base/Stopwatch.h"
#include "core/measure/Exponential.h"
#include "core/model/Forward.h"
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <omp.h>

namespace fovea {

namespace {

constexpr std::size_t kLanes = 16;
constexpr std::size_t kChunk = 512; // floats are summed in lanes over a chunk, chunks in double
using Lanes = std::array<float, kLanes>;

double total(const Lanes& lanes) {
    double sum = 0;
    for (const float lane : lanes)
        sum += static_cast<double>(lane);
    return sum;
}

/// Sums term(i) over [0, count) in a fixed order.
template <class Term>
double sumInLanes(std::size_t count, const Term& term) {
    double sum = 0;
    for (std::size_t begin = 0; begin < count; begin += kChunk) {
        const std::size_t end = std::min(begin + kChunk, count);
        Lanes lanes{};
        std::size_t i = begin;
        for (; i + kLanes <= end; i += kLanes)
            for (std::size_t l = 0; l < kLanes; ++l)
                lanes[l] += term(i + l);
        for (std::size_t l = 0; i < end; ++i, ++l)
            lanes[l] += term(i);
        sum += total(lanes);
    }
    return sum;
}

int threadsOf(const WorkContext& work) {
    return work.threads > 0 ? work.threads : omp_get_max_threads();
}

} // namespace

RowScore scoreRow(std::span<const float> logits) {
    Lanes best;
    best.fill(-std::numeric_limits<float>::infinity());
    const float* x = logits.data();
    std::size_t i = 0;
    for (; i + kLanes <= logits.size(); i += kLanes)
        for (std::size_t l = 0; l < kLanes; ++l)
            best[l] = x[i + l] > best[l] ? x[i + l] : best[l];
    for (; i < logits.size(); ++i)
        best[0] = std::max(best[0], x[i]);
    const float top = *std::max_element(best.begin(), best.end());
    const auto first = std::find(logits.begin(), logits.end(), top);
    const double sum = sumInLanes(logits.size(), [x, top](std::size_t j) { return fastExp(x[j] - top); });
    return {static_cast<double>(top) + std::log(sum), static_cast<std::int32_t>(first - logits.begin())};
}

double rowKl(std::span<const float> p, double logNormaliserP, std::span<const float> q,
             double logNormaliserQ) {
    FOVEA_ASSERT(p.size() == q.size());
    // ln(p/q) is computed from the difference of the logits, which is exact when they are close; the
    // difference of two rounded logarithms would lose a small divergence.
    const auto norm = static_cast<float>(logNormaliserP);
    const auto shift = static_cast<float>(logNormaliserP - logNormaliserQ);
    const float* a = p.data();
    const float* b = q.data();
    return std::max(0.0, sumInLanes(p.size(), [=](std::size_t i) {
                        const float d = (a[i] - b[i]) - shift;
                        const float logP = a[i] - norm;
                        const float probP = fastExp(logP);
                        // d + e^-d - 1, computed by its series when the terms would cancel.
                        const float near =
                            d * d *
                            (0.5F + d * (-1.0F / 6 + d * (1.0F / 24 + d * (-1.0F / 120 + d * (1.0F / 720)))));
                        const float far = probP * d + (fastExp(logP - d) - probP);
                        return (d < 0 ? -d : d) < 0.25F ? probP * near : far;
                    }));
}

Result<NextTokenScores> scoreText(const Model& model, std::span<const std::int32_t> ids,
                                  ConstMatrixView hidden, const WorkContext& work) {
    const std::size_t tokens = ids.size();
    const auto vocabulary = static_cast<std::size_t>(model.shape.vocabulary);
    NextTokenScores scores;
    scores.nll.assign(tokens, std::numeric_limits<float>::quiet_NaN());
    scores.logNormaliser.resize(tokens);
    scores.top1.resize(tokens);
    Matrix logits(std::min(kLogitRows, tokens), vocabulary);
    for (std::size_t first = 0; first < tokens; first += kLogitRows) {
        FOVEA_TRY(work.checkpoint());
        work.report("reading logits", static_cast<double>(first), static_cast<double>(tokens));
        const WorkClock clock(work);
        const std::size_t rows = std::min(kLogitRows, tokens - first);
        logitRows(model, hidden, first, logits.view().rowRange(0, rows), work.threads);
        const ConstMatrixView chunk = logits.view();
#pragma omp parallel for schedule(static) num_threads(threadsOf(work))
        for (std::size_t r = 0; r < rows; ++r) {
            const std::size_t position = first + r;
            const RowScore score = scoreRow({chunk.row(r), vocabulary});
            scores.logNormaliser[position] = static_cast<float>(score.logNormaliser);
            scores.top1[position] = score.top1;
            if (position + 1 < tokens) {
                const auto next = static_cast<std::size_t>(ids[position + 1]);
                scores.nll[position + 1] =
                    static_cast<float>(score.logNormaliser - static_cast<double>(chunk(r, next)));
            }
        }
        scores.seconds += clock.seconds();
    }
    return scores;
}

Result<NextTokenComparison> compareNextToken(const Model& model, std::span<const std::int32_t> ids,
                                             ConstMatrixView fullHidden, const NextTokenScores& full,
                                             ConstMatrixView hybridHidden, const WorkContext& work) {
    const std::size_t tokens = ids.size();
    const auto vocabulary = static_cast<std::size_t>(model.shape.vocabulary);
    NextTokenComparison result;
    PropagatedFidelity& f = result.fidelity;
    f.kl.assign(tokens, 0);
    f.fullNll = full.nll;
    f.fullTop1 = full.top1;
    f.hybridNll.assign(tokens, std::numeric_limits<float>::quiet_NaN());
    f.hybridTop1.resize(tokens);

    Matrix logits(std::min(kLogitRows, tokens), vocabulary);
    Matrix fullLogits(std::min(kLogitRows, tokens), vocabulary);
    for (std::size_t first = 0; first < tokens; first += kLogitRows) {
        FOVEA_TRY(work.checkpoint());
        work.report("comparing next tokens", static_cast<double>(first), static_cast<double>(tokens));
        const std::size_t rows = std::min(kLogitRows, tokens - first);
        std::array<double, kLogitRows> normaliser{};
        const WorkClock clock(work);
        logitRows(model, hybridHidden, first, logits.view().rowRange(0, rows), work.threads);
        const ConstMatrixView chunk = logits.view();
#pragma omp parallel for schedule(static) num_threads(threadsOf(work))
        for (std::size_t r = 0; r < rows; ++r) {
            const std::size_t position = first + r;
            const RowScore score = scoreRow({chunk.row(r), vocabulary});
            normaliser[r] = score.logNormaliser;
            f.hybridTop1[position] = score.top1;
            if (position + 1 < tokens) {
                const auto next = static_cast<std::size_t>(ids[position + 1]);
                f.hybridNll[position + 1] =
                    static_cast<float>(score.logNormaliser - static_cast<double>(chunk(r, next)));
            }
        }
        result.hybridSeconds += clock.seconds();
        // The logits of the full arm are computed again, because T x V numbers would not fit in memory.
        logitRows(model, fullHidden, first, fullLogits.view().rowRange(0, rows), work.threads);
        const ConstMatrixView fullChunk = fullLogits.view();
#pragma omp parallel for schedule(static) num_threads(threadsOf(work))
        for (std::size_t r = 0; r < rows; ++r) {
            const std::span<const float> p(fullChunk.row(r), vocabulary);
            f.kl[first + r] = static_cast<float>(
                rowKl(p, scoreRow(p).logNormaliser, {chunk.row(r), vocabulary}, normaliser[r]));
        }
    }

    double klSum = 0, fullSum = 0, hybridSum = 0;
    std::size_t agree = 0;
    for (std::size_t i = 0; i < tokens; ++i) {
        klSum += static_cast<double>(f.kl[i]);
        agree += f.fullTop1[i] == f.hybridTop1[i] ? 1U : 0U;
        if (static_cast<double>(f.kl[i]) > f.klWorst) {
            f.klWorst = static_cast<double>(f.kl[i]);
            f.klWorstPosition = static_cast<std::uint32_t>(i);
        }
        if (i > 0) {
            fullSum += static_cast<double>(f.fullNll[i]);
            hybridSum += static_cast<double>(f.hybridNll[i]);
        }
    }
    const auto count = static_cast<double>(tokens);
    f.nextTokenKl = klSum / count;
    f.top1Agreement = static_cast<double>(agree) / count;
    std::vector<float> sorted = f.kl;
    const std::size_t at = std::min(tokens - 1, static_cast<std::size_t>(0.95 * count));
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(at), sorted.end());
    f.klP95 = static_cast<double>(sorted[at]);
    if (tokens > 1) {
        f.fullMeanNll = fullSum / (count - 1);
        f.hybridMeanNll = hybridSum / (count - 1);
        f.deltaNll = (hybridSum - fullSum) / (count - 1);
    }
    return result;
}

} // namespace fovea
