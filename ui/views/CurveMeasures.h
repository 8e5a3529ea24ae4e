#pragma once
#include "core/tune/Tuner.h"
#include <optional>

class QComboBox;

namespace fovea::ui {

struct CurveAxis;

/// What the curve can have on its axes, in the order of the two lists.
enum CostMeasure { PairsCost, FlopsCost, SecondsCost };
enum FidelityMeasure {
    KlMeasure,
    Top1Measure,
    DeltaNllMeasure,
    OutputErrorMeasure,
    KeptMassMeasure,
    SentenceMeasure
};

/// Fills the two lists: short names, so that none is cut in a narrow panel, with the whole names as data and
/// tips.
void addCurveMeasures(QComboBox& cost, QComboBox& fidelity);
/// Whether the measure compares predictions of the next token, which an encoder does not make.
[[nodiscard]] bool ofNextToken(int fidelityMeasure);
/// A share of full attention's; NaN where it was not measured.
[[nodiscard]] double curveCost(int measure, const Cost& cost);
[[nodiscard]] double curveFidelity(int measure, const PropagatedFidelity& fidelity, double massRecall,
                                   double outputError);
/// Of the measures that are predicted; empty for the others.
[[nodiscard]] std::optional<Band> curveBand(int measure, const Prediction& predicted);
[[nodiscard]] CurveAxis curveAxis(int fidelityMeasure);

} // namespace fovea::ui
