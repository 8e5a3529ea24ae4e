#pragma once
#include "core/measure/Fidelity.h"
#include "core/tune/Judge.h"
#include <cstdint>
#include <string_view>
#include <vector>

namespace fovea {

/// A predicted number, and the interval in which a measurement of it is expected.
struct Band {
    double value = 0, low = 0, high = 0;
};

/// What a propagated run of a policy is expected to give. Never a measurement: those are Measurements,
/// another type.
struct Prediction {
    Band kl;       ///< next-token KL, nats
    Band top1;     ///< top-1 agreement, 0..1
    Band deltaNll; ///< loss change, nats per token
};

/// A policy that has been both judged and run over one text.
struct CalibrationPoint {
    std::vector<double> streamError; ///< [L] of LayerJudgement
    std::vector<double> outputError; ///< [L]
    std::vector<double> lostMass;    ///< [L] 1 - kept mass
    double kl = 0, top1 = 0, deltaNll = 0;
};
[[nodiscard]] CalibrationPoint calibrationPoint(const Judgement& judged, const PropagatedFidelity& measured);

/// The number of a judgement that the KL is predicted from.
enum class Predictor : std::uint8_t {
    StreamError,   ///< sum over layers of LayerJudgement::streamError
    LayerWeighted, ///< the same, each layer with a weight of its own
    OutputError,   ///< sum over layers of the squared relative output error
    LateLayers,    ///< streamError of the last third of the layers
    LostMass,      ///< sum over layers of 1 - kept mass
};
inline constexpr Predictor kPredictors[] = {Predictor::StreamError, Predictor::LayerWeighted,
                                            Predictor::OutputError, Predictor::LateLayers,
                                            Predictor::LostMass};
[[nodiscard]] std::string_view
predictorName(Predictor predictor); ///< "output error beside the residual stream", ...

/// Predicts next-token KL from judgements, calibrated by policies that have been run on a text of this model:
/// ln KL = a + b ln s, where s is one of `kPredictors` and a and b are least squares over the points. The
/// weights of LayerWeighted are non-negative least squares of the relative error, drawn to equal weights by a
/// ridge. The predictor with the least error in leave-one-out predictions is taken; where it is 0 and a layer
/// has an error all the same, StreamError predicts. Top-1 flips follow from the predicted KL by a line of
/// their own in logarithms, loss change as a share of it.
///
/// All that is said about its quality is out of sample: each point is predicted by a calibration of the other
/// points, in which the predictor is chosen and everything is fitted again. The band of a prediction is the
/// value times and over `factor`, the 90th percentile of these errors (Barber et al., "Predictive inference
/// with the jackknife+", 2021, 1905.02928); below 9 points it is the greatest error, and covers n/(n+1) of
/// new points. The bands of top-1 agreement and loss change are such percentiles too; that of the loss change
/// holds at least what the band of the KL makes of it.
class Calibration {
public:
    /// A calibration without points predicts nothing.
    Calibration() = default;
    /// Points without any loss are left out: a policy that changes nothing says nothing of the relation. The
    /// result does not depend on threads. Cost: some milliseconds up to 50 points.
    explicit Calibration(std::vector<CalibrationPoint> points);

    /// Whether it can predict: at least three points with a loss.
    [[nodiscard]] bool ready() const { return m_points.size() >= 3; }
    /// Must be ready.
    [[nodiscard]] Prediction predict(const Judgement& judged) const;
    [[nodiscard]] std::size_t points() const { return m_points.size(); }
    [[nodiscard]] Predictor predictor() const { return m_fit.predictor; }
    /// Spearman's rank correlation of predicted and measured KL, leave-one-out; NaN below three points.
    [[nodiscard]] double rankCorrelation() const { return m_rankCorrelation; }
    /// The width of the band: KL is expected between value / factor and value * factor.
    [[nodiscard]] double factor() const { return m_factor; }

private:
    struct Line {
        double a = 0, b = 1;
    };
    struct Fit {
        Predictor predictor = Predictor::StreamError;
        std::vector<double> weight; ///< [L], of LayerWeighted
        Line kl;
        Line stream; ///< of StreamError, where `predictor` is 0
        Line flips;  ///< of 1 - top-1 agreement, from ln of the predicted KL
        double lossPerKl = 0;
    };
    using Points = std::vector<CalibrationPoint>;
    [[nodiscard]] static Line lineThrough(const std::vector<double>& x, const std::vector<double>& y);
    [[nodiscard]] static Fit fitOne(const Points& points, Predictor predictor);
    [[nodiscard]] static Fit fitBest(const Points& points);
    [[nodiscard]] static double sumOf(const Fit& fit, const CalibrationPoint& point);
    [[nodiscard]] static double klOf(const Fit& fit, const CalibrationPoint& point);
    /// fitBest, with flips and loss change.
    [[nodiscard]] static Fit fitAll(const Points& points);

    Points m_points;
    Fit m_fit;
    double m_rankCorrelation = 0;
    double m_factor = 1, m_flipFactor = 1;
    double m_lossSpread = 0; ///< of the loss change, as a share of the predicted KL
};

/// Spearman's rank correlation; equal values share the mean of their ranks. NaN when either side is constant
/// or has fewer than two values.
[[nodiscard]] double rankCorrelation(const std::vector<double>& a, const std::vector<double>& b);

} // namespace fovea
