// Fidelity of hybrid attention in the isolated regime. With p restricted to the kept keys and renormalised,
// everything follows from the kept mass rho: total variation = 1 - rho, KL(p^ || p) = -ln rho, and the bound
// |o - o^| = (1 - rho) |mean of dropped v - o^| <= 2 (1 - rho) max |v|.
#include "core/measure/Fidelity.h"
#include "core/model/Forward.h"
#include "core/plan/Recast.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <omp.h>

namespace fovea {

namespace {

constexpr std::size_t kRows = 64;          // rows per independent block of sums
constexpr std::size_t kProjectRows = 2048; // rows projected at once
/// Relative to max |v|: the largest kernel error of both arms, with a margin.
double kernelRounding(Precision precision) {
    return precision == Precision::BF16 ? 2e-2 : 2e-5;
}
/// Relative to 1 + |log-sum-exp|: the rounding of two floats; in bf16 that of weights with 8 bits.
double logRounding(Precision precision) {
    return precision == Precision::BF16 ? 0x1p-8 : 0x1p-22;
}

int threadsOr(int threads) {
    return threads > 0 ? threads : omp_get_max_threads();
}

double squaredNorm(const float* x, std::size_t n) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i)
        sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    return sum;
}

double squaredDistance(const float* x, const float* y, std::size_t n) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const double d = static_cast<double>(x[i]) - static_cast<double>(y[i]);
        sum += d * d;
    }
    return sum;
}

/// [T*G] largest |v_j| over j <= i.
std::vector<double> runningMaxNorm(ConstMatrixView v, std::size_t kvHeads, std::size_t headDim, int threads) {
    std::vector<double> norm(v.rows * kvHeads);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (std::size_t i = 0; i < v.rows; ++i)
        for (std::size_t g = 0; g < kvHeads; ++g)
            norm[i * kvHeads + g] = std::sqrt(squaredNorm(v.row(i) + g * headDim, headDim));
    for (std::size_t i = kvHeads; i < norm.size(); ++i)
        norm[i] = std::max(norm[i], norm[i - kvHeads]);
    return norm;
}

struct HeadSums {
    double mass = 0, divergence = 0, error = 0, norm = 0, bound = 0;
    double worstMass = 2;
    std::size_t worstQuery = 0;
};

/// Sum of squares of (a - b) Wo, or of a Wo without b.
double projectedSquares(const Model& model, int layer, ConstMatrixView a, const ConstMatrixView* b,
                        int threads) {
    double sum = 0;
    Matrix difference;
    if (b)
        difference = Matrix(std::min(kProjectRows, a.rows), a.cols);
    Matrix projected(std::min(kProjectRows, a.rows), static_cast<std::size_t>(model.shape.width));
    std::vector<double> rowSquares(projected.rows());
    for (std::size_t first = 0; first < a.rows; first += kProjectRows) {
        const std::size_t rows = std::min(kProjectRows, a.rows - first);
        ConstMatrixView input = a.rowRange(first, rows);
        if (b) {
            const MatrixView d = difference.view().rowRange(0, rows);
#pragma omp parallel for schedule(static) num_threads(threads)
            for (std::size_t r = 0; r < rows; ++r)
                for (std::size_t c = 0; c < d.cols; ++c)
                    d(r, c) = a(first + r, c) - (*b)(first + r, c);
            input = d;
        }
        const MatrixView y = projected.view().rowRange(0, rows);
        projectOutput(model, layer, input, y, threads);
#pragma omp parallel for schedule(static) num_threads(threads)
        for (std::size_t r = 0; r < rows; ++r)
            rowSquares[r] = squaredNorm(y.row(r), y.cols);
        for (std::size_t r = 0; r < rows; ++r)
            sum += rowSquares[r];
    }
    return sum;
}

} // namespace

double divergenceOfKeptMass(double rho) {
    rho = std::clamp(rho, 0.0, 1.0);
    const double kept = rho > 0 ? rho * std::log(2 * rho / (1 + rho)) : 0;
    return 0.5 * (kept + (1 - rho) * std::numbers::ln2 + std::log(2 / (1 + rho)));
}

double divergenceOfScaledMass(double rho, double factor) {
    const double kept = rho * factor, away = std::max(0.0, 1 - kept);
    double sum = (1 - rho + away) * std::numbers::ln2;
    if (rho > 0 && factor > 0)
        sum += rho * std::log(2 / (1 + factor)) + kept * std::log(2 * factor / (1 + factor));
    else
        sum += rho * std::numbers::ln2;
    return 0.5 * sum;
}

double divergenceOfRow(const TileSource& source, int head, std::size_t query) {
    if (source.plan != nullptr && source.plan->partsOf(head).far.far == Far::Recurrent)
        return std::numeric_limits<double>::quiet_NaN();
    const AttentionRow row = makeRow(head, query, source);
    double sum = 0, mass = 0;
    for (std::size_t j = 0; j < row.full.size(); ++j) {
        const double p = static_cast<double>(row.full[j]), q = static_cast<double>(row.hybrid[j]);
        if (std::isnan(q) || q < 0)
            return std::numeric_limits<double>::quiet_NaN();
        mass += q;
        sum += (p > 0 ? p * std::log(2 * p / (p + q)) : 0) + (q > 0 ? q * std::log(2 * q / (p + q)) : 0);
    }
    return 0.5 *
           (sum + std::max(0.0, 1 - mass) * std::numbers::ln2); // the mass of a sink logit lies on no key
}

double projectedNorm(const Model& model, int layer, ConstMatrixView o, int threads) {
    return std::sqrt(projectedSquares(model, layer, o, nullptr, threadsOr(threads)));
}

LayerFidelity measureLayer(const Model& model, const AttentionPlan& plan, const LayerArms& arms,
                           int threads) {
    threads = threadsOr(threads);
    const auto heads = static_cast<std::size_t>(model.shape.heads);
    const auto kvHeads = static_cast<std::size_t>(model.shape.kvHeads);
    const auto headDim = static_cast<std::size_t>(model.shape.headDim);
    const std::size_t tokens = arms.full.rows;
    FOVEA_ASSERT(arms.hybrid.rows == tokens && arms.fullLse.size() == tokens * heads);
    FOVEA_ASSERT(arms.hybridLse.size() == tokens * heads);
    const std::span<const float> exactLse = arms.exactLse.empty() ? arms.hybridLse : arms.exactLse;
    FOVEA_ASSERT(exactLse.size() == tokens * heads);
    // The kind of a head: 0 one softmax over the keys it reads, 1 the same with a sink logit, 2 anything
    // else.
    std::vector<int> kinds(heads, 0);
    for (std::size_t h = 0; h < heads; ++h) {
        const HeadParts& parts = plan.partsOf(static_cast<int>(h));
        const bool other = parts.far.on() || plan.silentRows(static_cast<int>(h)) != nullptr ||
                           recastOf(plan, static_cast<int>(h)) != Recast::None || plan.heads[h]->repeats();
        kinds[h] = other ? 2 : parts.always.sinkLogit ? 1 : 0;
    }

    std::vector<double> maxNorm = runningMaxNorm(arms.v, kvHeads, headDim, threads);
    if (!model.shape.causal) // every row reads every value
        for (std::size_t i = 0; i + kvHeads < maxNorm.size(); ++i)
            maxNorm[i] = maxNorm[maxNorm.size() - kvHeads + i % kvHeads];
    const double largest =
        *std::max_element(maxNorm.end() - static_cast<std::ptrdiff_t>(kvHeads), maxNorm.end());
    const std::size_t blocks = (tokens + kRows - 1) / kRows;
    std::vector<HeadSums> sums(blocks * heads);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (std::size_t b = 0; b < blocks; ++b)
        for (std::size_t h = 0; h < heads; ++h) {
            HeadSums& s = sums[b * heads + h];
            const auto g = static_cast<std::size_t>(model.shape.kvHeadOf(static_cast<int>(h)));
            for (std::size_t i = b * kRows; i < std::min((b + 1) * kRows, tokens); ++i) {
                const double lse = static_cast<double>(arms.fullLse[i * heads + h]);
                const double rho =
                    std::clamp(std::exp(static_cast<double>(exactLse[i * heads + h]) - lse), 0.0, 1.0);
                const float* o = arms.full.row(i) + h * headDim;
                const double error = squaredDistance(o, arms.hybrid.row(i) + h * headDim, headDim);
                const double rounding =
                    kernelRounding(model.precision) * largest +
                    2 * logRounding(model.precision) * (1 + std::abs(lse)) * maxNorm[i * kvHeads + g];
                const double bound = 2 * (1 - rho) * maxNorm[i * kvHeads + g] + rounding;
                s.mass += rho;
                s.divergence +=
                    kinds[h] == 0
                        ? divergenceOfKeptMass(rho)
                        : divergenceOfScaledMass(
                              rho, std::exp(lse - static_cast<double>(arms.hybridLse[i * heads + h])));
                s.error += error;
                s.norm += squaredNorm(o, headDim);
                if (bound > 0 && kinds[h] == 0)
                    s.bound = std::max(s.bound, std::sqrt(error) / bound);
                if (rho < s.worstMass) {
                    s.worstMass = rho;
                    s.worstQuery = i;
                }
            }
        }

    LayerFidelity result;
    result.layer = plan.layer;
    result.nativeWindow = static_cast<std::uint32_t>(model.shape.layer(plan.layer).window);
    result.headMass.resize(heads);
    result.headOutputError.resize(heads);
    double worst = 2;
    bool anyError = false;
    for (std::size_t h = 0; h < heads; ++h) {
        HeadSums head;
        for (std::size_t b = 0; b < blocks; ++b) {
            const HeadSums& s = sums[b * heads + h];
            head.mass += s.mass;
            head.divergence += s.divergence;
            head.error += s.error;
            head.norm += s.norm;
            result.boundRatio = std::max(result.boundRatio, s.bound);
            if (s.worstMass < worst) {
                worst = s.worstMass;
                result.worstHead = static_cast<int>(h);
                result.worstQuery = static_cast<std::uint32_t>(s.worstQuery);
            }
        }
        anyError = anyError || !(head.error == 0);
        const auto rows = static_cast<double>(tokens);
        result.headMass[h] = static_cast<float>(head.mass / rows);
        result.headOutputError[h] = static_cast<float>(head.norm > 0 ? std::sqrt(head.error / head.norm) : 0);
        result.massRecall += head.mass / rows / static_cast<double>(heads);
        result.rowDivergence += head.divergence / rows / static_cast<double>(heads);
    }
    result.worstRowMass = std::min(worst, 1.0);
    // Where every key is read, nothing is left to the far field, and what a gate takes lies on no key: p^ is
    // p times a factor. A recurrent state is read all the same.
    for (std::size_t h = 0; h < heads; ++h)
        if (kinds[h] == 2 && (!plan.asModel || plan.partsOf(static_cast<int>(h)).far.far == Far::Recurrent))
            result.rowDivergence = std::numeric_limits<double>::quiet_NaN();
    if (std::find(kinds.begin(), kinds.end(), 0) == kinds.end())
        result.boundRatio = std::numeric_limits<double>::quiet_NaN();
    // Equal keys are not equal outputs: a gate or a state changes them. Only equal outputs are.
    if (anyError && arms.fullProjected > 0)
        result.outputError =
            std::sqrt(projectedSquares(model, plan.layer, arms.full, &arms.hybrid, threads)) /
            arms.fullProjected;
    result.pairs = plan.pairs() + arms.farEntries;
    result.pairsComputed = plan.pairsComputed() + arms.farEntries;
    result.routerMacs = plan.routing ? plan.routing->macs : 0;
    return result;
}

double topKOverlapOfRow(const AttentionInput& input, const AttentionPlan& plan, int head, std::size_t query,
                        Isa isa) {
    const std::vector<KeptKey> kept = plan.keptKeys(head, query);
    if (kept.empty())
        return 0;
    const std::size_t keys = input.native().end(query, input.k.rows);
    Matrix logits(1, keys);
    logitTile(input, head, query, 0, logits.view(), isa);
    const float* s = logits.view().row(0);
    std::vector<std::uint32_t> order; // the keys that the model lets it read
    for (std::size_t j = input.native().first(query); j < keys; ++j)
        order.push_back(static_cast<std::uint32_t>(j));
    const auto cut = order.begin() + static_cast<std::ptrdiff_t>(std::min(kept.size(), order.size()) - 1);
    std::nth_element(order.begin(), cut, order.end(),
                     [s](std::uint32_t a, std::uint32_t b) { return s[a] != s[b] ? s[a] > s[b] : a > b; });
    const std::uint32_t last = *cut;
    std::size_t hits = 0;
    for (const KeptKey& k : kept)
        hits += s[k.key] > s[last] || (s[k.key] >= s[last] && k.key >= last) ? 1U : 0U;
    return static_cast<double>(hits) / static_cast<double>(kept.size());
}

std::vector<PositionBin> positionBins(std::span<const float> a, std::span<const float> b) {
    FOVEA_ASSERT(a.size() == b.size());
    std::vector<PositionBin> bins;
    for (std::size_t first = 1; first < a.size(); first *= 2) {
        const std::size_t last = std::min(first * 2, a.size()) - 1;
        double sum = 0;
        for (std::size_t t = first; t <= last; ++t)
            sum += static_cast<double>(b[t]) - static_cast<double>(a[t]);
        bins.push_back({static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last),
                        sum / static_cast<double>(last - first + 1)});
    }
    return bins;
}

} // namespace fovea
