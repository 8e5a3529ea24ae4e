// Every parameter at both ends of its range, one by one, under some of the presets in which it does
// something: the whole engine on a tiny model gives finite numbers, or refuses with a sentence. Generated
// from the tables of parameters and presets, so that a new row is tested without another line.
#include "core/engine/Engine.h"
#include "core/policy/ParamSpec.h"
#include "tests/support/TinyModel.h"
#include <QTest>
#include <algorithm>
#include <cmath>

using namespace fovea;

namespace {

/// Both ends of a row's range, and the values beside the range that it also takes.
std::vector<ParamValue> endsOf(const ParamSpec& spec) {
    std::vector<ParamValue> ends;
    switch (spec.kind) {
    case ParamKind::Integer:
        ends = {static_cast<std::int64_t>(spec.minimum), static_cast<std::int64_t>(spec.maximum)};
        if (spec.allAllowed)
            ends.emplace_back(kAll);
        break;
    case ParamKind::Real:
        ends = {spec.minimum, spec.maximum};
        if (spec.offAllowed)
            ends.emplace_back(std::nan(""));
        break;
    case ParamKind::Flag:
        ends = {false, true};
        break;
    case ParamKind::Name:
        for (const std::string_view name : spec.names)
            ends.emplace_back(std::string(name));
        break;
    case ParamKind::IntegerList: // nothing, the first token or layer, one that does not exist
        ends = {std::vector<std::int64_t>(), std::vector<std::int64_t>{0},
                std::vector<std::int64_t>{static_cast<std::int64_t>(spec.maximum)}};
        break;
    }
    return ends;
}

/// Policies under which a row does something: of the presets a few, evenly spaced over those that it belongs
/// to, and some in which parts meet that no preset has together.
std::vector<AttentionPolicy> basesOf(const ParamSpec& spec) {
    constexpr std::size_t kMost = 4;
    const auto isActive = [&](const AttentionPolicy& p) { return !spec.active || spec.active(p); };
    std::vector<AttentionPolicy> presets, bases;
    for (const PolicyPreset& preset : policyPresets()) {
        presets.push_back(preset.policy);
        presets.back().local.window = std::min<std::int64_t>(preset.policy.local.window, 24);
        if (!isActive(presets.back()))
            presets.pop_back();
    }
    const std::size_t count = std::min(kMost, presets.size());
    for (std::size_t n = 0; n < count; ++n)
        bases.push_back(presets[n * presets.size() / count]);
    AttentionPolicy always;
    always.local.window = 8;
    always.always.special = true;
    always.always.punctuation = true;
    always.always.sinkLogit = 3;
    AttentionPolicy linear = always;
    linear.far.far = Far::Linear;
    linear.combine.combine = Combine::Shared;
    for (const AttentionPolicy& policy : {always, linear})
        if (isActive(policy))
            bases.push_back(policy);
    return bases;
}

/// The first number that is not finite, by name; empty: all are.
std::string notFinite(const Snapshot& s) {
    std::string found;
    const auto look = [&](const char* name, auto value) {
        if (found.empty() && !std::isfinite(value))
            found.append(name).append(" is ").append(std::to_string(value));
    };
    for (const LayerFidelity& layer : s.isolated->layers) {
        look("mass_recall", layer.massRecall);
        look("output_error", layer.outputError);
        look("worst_row_mass", layer.worstRowMass);
        for (const float mass : layer.headMass)
            look("head_mass", mass);
        for (const float error : layer.headOutputError)
            look("head_output_error", error);
    }
    look("topk_overlap", s.isolated->overlap.mean);
    const PropagatedFidelity& f = s.propagated->fidelity;
    for (const double x : {f.nextTokenKl, f.klP95, f.klWorst, f.top1Agreement, f.deltaNll, f.hybridMeanNll})
        look("next-token fidelity", x);
    for (const float x : f.depthError)
        look("depth_error", x);
    const ConstMatrixView hidden = s.propagated->hidden->view();
    for (std::size_t r = 0; r < hidden.rows; ++r)
        for (std::size_t c = 0; c < hidden.cols; ++c)
            look("hidden state", hidden(r, c));
    for (const Cost* cost : {&s.isolated->cost, &s.propagated->cost})
        for (const double x : {cost->density, cost->pairsRatio, cost->flopsRatio, cost->kvBytesRatio})
            look("cost", x);
    // Row divergence has no value where a token has no weight or a negative one.
    bool undefined = false;
    s.request->policy.eachParts([&](const HeadParts& parts) {
        undefined = undefined || parts.far.far == Far::Recurrent ||
                    (parts.far.far == Far::Linear && parts.far.map == FeatureMap::Trig);
    });
    if (!undefined)
        look("row_divergence", s.isolated->rowDivergence);
    return found;
}

} // namespace

class tst_RangeEnds : public QObject {
    Q_OBJECT
private slots:
    void everyRowAtBothEnds_data();
    void everyRowAtBothEnds();
    void farFieldOfNoWeight_data();
    void farFieldOfNoWeight();

private:
    /// Empty: finite numbers, or an error that a user can act on.
    std::string problemOf(const AttentionPolicy& policy);

    test::TinyModelFile m_model;
    Engine m_engine; ///< reads model and text once, runs full attention once
};

std::string tst_RangeEnds::problemOf(const AttentionPolicy& policy) {
    Request request = test::tinyRequest(m_model, 70);
    request.headStats = false;
    request.policy = policy;
    WorkContext work;
    work.threads = 1;
    const Result<std::shared_ptr<const Snapshot>> done = m_engine.run(request, {}, work);
    if (done)
        return notFinite(**done);
    const Error& error = done.error();
    const bool asked = error.code == ErrorCode::BadValue || error.code == ErrorCode::Unsupported ||
                       error.code == ErrorCode::TooLarge;
    return asked && error.message.size() > 20 ? "" : error.message;
}

void tst_RangeEnds::everyRowAtBothEnds_data() {
    QTest::addColumn<int>("row");
    for (std::size_t n = 0; n < paramSpecs().size(); ++n)
        QTest::newRow(std::string(paramSpecs()[n].key).c_str()) << static_cast<int>(n);
}

void tst_RangeEnds::everyRowAtBothEnds() {
    QFETCH(int, row);
    const ParamSpec& spec = paramSpecs()[static_cast<std::size_t>(row)];
    std::vector<AttentionPolicy> bases = basesOf(spec);
    QVERIFY2(!bases.empty(), "the row does nothing under any of the policies tried");
    for (const AttentionPolicy& base : bases)
        for (const ParamValue& value : endsOf(spec)) {
            AttentionPolicy policy = base;
            spec.set(policy, value);
            const std::string problem = problemOf(policy);
            QVERIFY2(problem.empty(), (policyToOptions(policy) + "\n" + problem).c_str());
        }
}

void tst_RangeEnds::farFieldOfNoWeight_data() {
    QTest::addColumn<int>("combine");
    QTest::addColumn<double>("end");
    for (const int combine : {static_cast<int>(Combine::Shared), static_cast<int>(Combine::Gated)})
        for (const double end : {0.0, 0.5, 1.0})
            QTest::addRow("%s %g", combine == static_cast<int>(Combine::Gated) ? "gate" : "window factor",
                          end)
                << combine << end;
}

/// With a factor of 0 the exact keys weigh nothing: p^ is the far field's alone and sums to 1, sink logit or
/// not, and the output is the weights times the values.
void tst_RangeEnds::farFieldOfNoWeight() {
    QFETCH(int, combine);
    QFETCH(double, end);
    for (const bool sink : {false, true}) {
        Request request = test::tinyRequest(m_model, 70);
        request.policy = {};
        request.policy.local.window = 8;
        request.policy.far.far = Far::Linear;
        request.policy.combine.combine = static_cast<Combine>(combine);
        request.policy.combine.gate = end;
        request.policy.combine.windowFactor = end;
        if (sink)
            request.policy.always.sinkLogit = 1;
        request.depth = Depth::Visible;
        const auto done = m_engine.run(request, {}, {});
        if (sink && request.policy.combine.combine == Combine::Gated) {
            QVERIFY(!done && done.error().code == ErrorCode::BadValue);
            continue; // a gated sum has no one denominator that a sink logit could join
        }
        QVERIFY2(done, done ? "" : done.error().message.c_str());
        const Snapshot& s = **done;
        Matrix output;
        const std::size_t tokens = s.tokens->size();
        QVERIFY(runVisible(s, request.policy, 0, -1, {0, tokens}, {}, &output));
        for (const std::size_t query : {std::size_t{0}, std::size_t{20}, tokens - 1}) {
            const AttentionRow row = makeRow(1, query, *s.tileSource(0));
            const ConstMatrixView v = s.full->layers[0]->v.view();
            double sum = 0, worst = 0;
            for (const float p : row.hybrid)
                sum += static_cast<double>(p);
            for (std::size_t d = 0; d < 16; ++d) {
                double o = 0;
                for (std::size_t j = 0; j <= query; ++j)
                    o += static_cast<double>(row.hybrid[j]) * static_cast<double>(v(j, d));
                worst = std::max(worst, std::abs(o - static_cast<double>(output.view()(query, 16 + d))));
            }
            if (!(worst < 1e-4))
                QFAIL(qPrintable(QString("query %1: off by %2").arg(query).arg(worst)));
            if (!(sum < 1 + 1e-4))
                QFAIL(qPrintable(QString::number(sum)));
            if (end == 0 && query > 8)
                if (!(std::abs(sum - 1) < 1e-4 || sink))
                    QFAIL(qPrintable(QString::number(sum)));
        }
    }
}

QTEST_APPLESS_MAIN(tst_RangeEnds)
#include "tst_RangeEnds.moc"
