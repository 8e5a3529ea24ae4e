#include "core/tune/Calibration.h"
#include "core/base/Check.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace fovea {

namespace {

constexpr double kLeastKl = 1e-7;     // below it float rounding decides
constexpr double kLeastFactor = 1.05; // a band is never narrower
constexpr double kRidge = 0.05;       // of the layer weights, as a share of the mean square
constexpr std::size_t kFolds = 8;     // of the inner choice of a predictor
constexpr int kSweeps = 100;

double sum(const std::vector<double>& values, std::size_t first = 0) {
    return std::accumulate(values.begin() + static_cast<std::ptrdiff_t>(std::min(first, values.size())),
                           values.end(), 0.0);
}

/// The part of each layer in the sum of a predictor, without weights.
std::vector<double> parts(Predictor predictor, const CalibrationPoint& point) {
    std::vector<double> out = predictor == Predictor::LostMass      ? point.lostMass
                              : predictor == Predictor::OutputError ? point.outputError
                                                                    : point.streamError;
    if (predictor == Predictor::OutputError)
        for (double& x : out)
            x *= x;
    if (predictor == Predictor::LateLayers)
        std::fill(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(out.size() * 2 / 3), 0.0);
    return out;
}

/// Weights w >= 0 [L] that make sum w x close to y, in relative terms: coordinate descent on
/// |A u - 1|^2 + ridge |u - 1|^2 with A = scaled x / y.
std::vector<double> layerWeights(const std::vector<CalibrationPoint>& points) {
    const std::size_t layers = points.front().streamError.size();
    double scale = 0;
    for (const CalibrationPoint& p : points)
        scale += std::log(p.kl / std::max(sum(p.streamError), 1e-300));
    scale = std::exp(scale / static_cast<double>(points.size()));
    std::vector<std::vector<double>> gram(layers, std::vector<double>(layers, 0));
    std::vector<double> target(layers, 0);
    double trace = 0;
    for (std::size_t a = 0; a < layers; ++a) {
        for (const CalibrationPoint& p : points) {
            const double x = scale * p.streamError[a] / p.kl;
            target[a] += x;
            for (std::size_t b = 0; b < layers; ++b)
                gram[a][b] += x * scale * p.streamError[b] / p.kl;
        }
        trace += gram[a][a];
    }
    const double ridge = std::max(kRidge * trace / static_cast<double>(layers), 1e-12);
    std::vector<double> u(layers, 1);
    for (int sweep = 0; sweep < kSweeps; ++sweep)
        for (std::size_t a = 0; a < layers; ++a) {
            double rest = target[a] + ridge;
            for (std::size_t b = 0; b < layers; ++b)
                if (b != a)
                    rest -= gram[a][b] * u[b];
            u[a] = std::max(0.0, rest / (gram[a][a] + ridge));
        }
    for (double& weight : u)
        weight *= scale;
    return u;
}

/// The leave-one-out width: 90 of 100 new errors are expected within it.
double percentile(std::vector<double> errors) {
    if (errors.empty())
        return 0;
    std::sort(errors.begin(), errors.end());
    const auto place = static_cast<std::size_t>(std::ceil(0.9 * static_cast<double>(errors.size() + 1)));
    return errors[std::min(std::max<std::size_t>(place, 1), errors.size()) - 1];
}

/// Of 1 - top-1 agreement; no flip counts as one in 10,000.
double logFlips(const CalibrationPoint& point) {
    return std::log(std::max(1 - point.top1, 1e-4));
}

template <class T>
std::vector<T> without(const std::vector<T>& values, std::size_t fold, std::size_t folds) {
    std::vector<T> out;
    for (std::size_t n = 0; n < values.size(); ++n)
        if (n % folds != fold)
            out.push_back(values[n]);
    return out;
}

std::vector<double> ranks(const std::vector<double>& values) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
    std::vector<double> rank(values.size());
    for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
        for (end = begin + 1; end < order.size() && !(values[order[begin]] < values[order[end]]);)
            ++end;
        for (std::size_t n = begin; n < end; ++n)
            rank[order[n]] = static_cast<double>(begin + end - 1) / 2;
    }
    return rank;
}

} // namespace

double rankCorrelation(const std::vector<double>& a, const std::vector<double>& b) {
    FOVEA_ASSERT(a.size() == b.size());
    if (a.size() < 2)
        return std::numeric_limits<double>::quiet_NaN();
    const std::vector<double> x = ranks(a), y = ranks(b);
    const double mean = static_cast<double>(a.size() - 1) / 2;
    double xy = 0, xx = 0, yy = 0;
    for (std::size_t n = 0; n < x.size(); ++n) {
        xy += (x[n] - mean) * (y[n] - mean);
        xx += (x[n] - mean) * (x[n] - mean);
        yy += (y[n] - mean) * (y[n] - mean);
    }
    return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : std::numeric_limits<double>::quiet_NaN();
}

std::string_view predictorName(Predictor predictor) {
    switch (predictor) {
    case Predictor::StreamError:
        return "output error beside the residual stream";
    case Predictor::LayerWeighted:
        return "output error beside the residual stream, weighted by layer";
    case Predictor::OutputError:
        return "relative output error";
    case Predictor::LateLayers:
        return "output error of the last third of the layers";
    case Predictor::LostMass:
        break;
    }
    return "lost attention mass";
}

CalibrationPoint calibrationPoint(const Judgement& judged, const PropagatedFidelity& measured) {
    CalibrationPoint point;
    for (const LayerJudgement& layer : judged.layers) {
        point.streamError.push_back(layer.streamError);
        point.outputError.push_back(layer.outputError);
        point.lostMass.push_back(1 - layer.mass);
    }
    point.kl = measured.nextTokenKl;
    point.top1 = measured.top1Agreement;
    point.deltaNll = measured.deltaNll;
    return point;
}

Calibration::Line Calibration::lineThrough(const std::vector<double>& x, const std::vector<double>& y) {
    const auto n = static_cast<double>(x.size());
    const double meanX = sum(x) / n, meanY = sum(y) / n;
    double xx = 0, xy = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        xx += (x[i] - meanX) * (x[i] - meanX);
        xy += (x[i] - meanX) * (y[i] - meanY);
    }
    // Loss grows with error: a slope of the other sign, or a steep one through close points, is noise.
    const double b = xx > 1e-9 ? std::clamp(xy / xx, 0.25, 2.0) : 1;
    return {meanY - b * meanX, b};
}

double Calibration::sumOf(const Fit& fit, const CalibrationPoint& point) {
    const std::vector<double> layer = parts(fit.predictor, point);
    if (fit.predictor != Predictor::LayerWeighted)
        return sum(layer);
    double s = 0;
    for (std::size_t l = 0; l < layer.size(); ++l)
        s += fit.weight[l] * layer[l];
    return s;
}

double Calibration::klOf(const Fit& fit, const CalibrationPoint& point) {
    if (const double s = sumOf(fit, point); s > 0)
        return std::exp(fit.kl.a + fit.kl.b * std::log(s));
    // The predictor does not see every layer: an error in another one is still a loss.
    const double stream = sum(point.streamError);
    return stream > 0 ? std::exp(fit.stream.a + fit.stream.b * std::log(stream)) : 0;
}

Calibration::Fit Calibration::fitOne(const Points& points, Predictor predictor) {
    Fit fit;
    fit.predictor = predictor;
    if (predictor == Predictor::LayerWeighted)
        fit.weight = layerWeights(points);
    std::vector<double> x, y, stream, all;
    for (const CalibrationPoint& point : points) {
        stream.push_back(std::log(sum(point.streamError)));
        all.push_back(std::log(point.kl));
        if (const double s = sumOf(fit, point); s > 0) {
            x.push_back(std::log(s));
            y.push_back(all.back());
        }
    }
    fit.stream = lineThrough(stream, all);
    fit.kl = x.empty() ? fit.stream : lineThrough(x, y);
    return fit;
}

Calibration::Fit Calibration::fitBest(const Points& points) {
    const std::size_t folds = std::min(points.size(), kFolds);
    Predictor best = Predictor::StreamError;
    double least = std::numeric_limits<double>::infinity();
    for (const Predictor predictor : kPredictors) {
        double error = 0;
        for (std::size_t fold = 0; fold < folds; ++fold) {
            const Fit fit = fitOne(without(points, fold, folds), predictor);
            for (std::size_t n = fold; n < points.size(); n += folds) {
                const double miss = std::log(std::max(klOf(fit, points[n]), 1e-300) / points[n].kl);
                error += miss * miss;
            }
        }
        if (error < least) {
            least = error;
            best = predictor;
        }
    }
    return fitOne(points, best);
}

Calibration::Calibration(std::vector<CalibrationPoint> points) {
    for (CalibrationPoint& point : points)
        if (point.kl >= kLeastKl && sum(point.streamError) > 0 && sum(point.lostMass) > 0)
            m_points.push_back(std::move(point));
    m_rankCorrelation = std::numeric_limits<double>::quiet_NaN();
    if (!ready())
        return;
    m_fit = fitAll(m_points);
    std::vector<double> predicted, measured, errors, flipErrors, lossErrors;
    for (std::size_t n = 0; n < m_points.size(); ++n) {
        const Fit fit = fitAll(without(m_points, n, m_points.size()));
        const CalibrationPoint& point = m_points[n];
        const double kl = std::max(klOf(fit, point), 1e-300);
        predicted.push_back(kl);
        measured.push_back(point.kl);
        errors.push_back(std::abs(std::log(kl / point.kl)));
        flipErrors.push_back(std::abs(fit.flips.a + fit.flips.b * std::log(kl) - logFlips(point)));
        lossErrors.push_back(std::abs(point.deltaNll / std::max(kl, kLeastKl) - fit.lossPerKl));
    }
    m_rankCorrelation = fovea::rankCorrelation(predicted, measured);
    m_factor = std::max(kLeastFactor, std::exp(std::min(percentile(errors), 20.0)));
    m_flipFactor = std::max(kLeastFactor, std::exp(std::min(percentile(flipErrors), 20.0)));
    m_lossSpread = percentile(lossErrors);
}

Calibration::Fit Calibration::fitAll(const Points& points) {
    Fit fit = fitBest(points);
    std::vector<double> x, y;
    for (const CalibrationPoint& point : points) {
        x.push_back(std::log(std::max(klOf(fit, point), 1e-300)));
        y.push_back(logFlips(point));
        fit.lossPerKl += point.deltaNll / point.kl / static_cast<double>(points.size());
    }
    fit.flips = lineThrough(x, y);
    return fit;
}

Prediction Calibration::predict(const Judgement& judged) const {
    FOVEA_ASSERT(ready());
    const double kl = klOf(m_fit, calibrationPoint(judged, {}));
    Prediction prediction;
    prediction.kl = {kl, kl / m_factor, kl * m_factor};
    const double flips = kl > 0 ? std::exp(m_fit.flips.a + m_fit.flips.b * std::log(kl)) : 0;
    const auto agreement = [](double share) { return std::clamp(1 - share, 0.0, 1.0); };
    prediction.top1 = {agreement(flips), agreement(flips * m_flipFactor), agreement(flips / m_flipFactor)};
    const double share = m_fit.lossPerKl;
    const auto [least, most] = std::minmax({share * prediction.kl.low, share * prediction.kl.high,
                                            (share - m_lossSpread) * kl, (share + m_lossSpread) * kl});
    prediction.deltaNll = {share * kl, least, most};
    return prediction;
}

} // namespace fovea
