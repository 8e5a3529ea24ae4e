#include "tests/support/Echo.h"
#include "tests/support/TinySnapshot.h"
#include "ui/params/PairsBar.h"
#include "ui/params/ParamPanel.h"
#include "ui/params/Sections.h"
#include "ui/params/SliderScale.h"
#include "ui/plot/Theme.h"
#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QSettings>
#include <QSignalSpy>
#include <QSlider>
#include <QTest>
#include <QToolButton>
#include <atomic>
#include <mutex>

using namespace fovea;
using namespace fovea::ui;

namespace {

/// Answers every request at once and remembers its depth.
struct Echo {
    std::mutex mutex;
    std::vector<Request> asked;
    LatestWorker::Runner runner() {
        return test::echo([this](const Request& request) {
            const std::lock_guard lock(mutex);
            asked.push_back(request);
        });
    }
};

Request start() {
    Request request;
    request.text = std::make_shared<const std::string>("a b c");
    request.policy = *presetPolicy("default");
    request.modelPath = "none.gguf";
    return request;
}

/// A panel on screen with what it needs.
struct Stage {
    Echo echo;
    RequestModel requests{start()};
    SelectionModel selection;
    RunController runs{requests, selection, echo.runner()};
    ParamPanel panel{requests, runs};
    Stage() {
        panel.resize(280, 900);
        panel.show();
    }
    template <class T>
    T* find(const char* name) {
        T* found = panel.findChild<T*>(QLatin1String(name));
        if (found == nullptr)
            qFatal("no control %s", name);
        return found;
    }
    [[nodiscard]] const AttentionPolicy& policy() const { return requests.request().policy; }
};

QPoint thumb(const QSlider& slider) {
    const double share =
        static_cast<double>(slider.value() - slider.minimum()) / (slider.maximum() - slider.minimum());
    return {static_cast<int>(10 + share * (slider.width() - 20)), slider.height() / 2};
}

} // namespace

class TestParamPanel : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() { Theme::apply(Theme::light()); }

    void everySpec_hasARowWithAName() {
        Stage s;
        for (const ParamSpec& spec : paramSpecs()) {
            const QString key = QString::fromUtf8(spec.key.data(), static_cast<qsizetype>(spec.key.size()));
            QVERIFY2(s.panel.findChild<QWidget*>(QStringLiteral("params.%1.value").arg(key)),
                     qPrintable(key));
            QVERIFY2(s.panel.findChild<QWidget*>(QStringLiteral("params.%1.error").arg(key)),
                     qPrintable(key));
            if (SliderScale::fits(spec))
                QVERIFY2(s.panel.findChild<QSlider*>(QStringLiteral("params.%1.slider").arg(key)),
                         qPrintable(key));
        }
    }

    void drag_lastValueWins_andIsOneUndoStep() {
        Stage s;
        auto* slider = s.find<QSlider>("params.local.window.slider");
        const QPoint from = thumb(*slider);
        QTest::mousePress(slider, Qt::LeftButton, {}, from);
        for (int x = from.x(); x > 14; x -= 3) {
            QTest::mouseMove(slider, QPoint(x, from.y()));
            QTest::qWait(1);
        }
        const std::int64_t atEnd = s.policy().local.window;
        QVERIFY2(atEnd < 40, qPrintable(QString::number(atEnd)));
        QTest::mouseRelease(slider, Qt::LeftButton, {}, QPoint(14, from.y()));
        QCOMPARE(s.requests.undoStack().count(), 1);
        QTRY_VERIFY(!s.runs.updating());
        QCOMPARE(s.runs.snapshot()->request->policy.local.window, s.policy().local.window);
        QVERIFY(s.echo.asked.back().depth == Depth::Propagated); // at rest the whole is run
        QCOMPARE(s.find<QLineEdit>("params.local.window.value")->text(),
                 QString::number(s.policy().local.window));
        s.requests.undoStack().undo();
        QCOMPARE(s.policy().local.window, 128);
        QCOMPARE(s.find<QLineEdit>("params.local.window.value")->text(), QStringLiteral("128"));
    }

    void click_onTheGroove_isOneStepToo() {
        Stage s;
        auto* slider = s.find<QSlider>("params.local.window.slider");
        QTest::mouseClick(slider, Qt::LeftButton, {}, QPoint(slider->width() - 12, slider->height() / 2));
        QCOMPARE(s.requests.undoStack().count(), 1);
        QVERIFY(s.policy().local.window > 128);
    }

    void duringADrag_onlyTheVisibleIsAsked() {
        Stage s;
        auto* slider = s.find<QSlider>("params.always.sinks.slider");
        const QPoint from = thumb(*slider);
        QTest::mousePress(slider, Qt::LeftButton, {}, from);
        QTest::mouseMove(slider, from + QPoint(20, 0));
        QTest::mouseMove(slider, from + QPoint(25, 0));
        QTRY_VERIFY(s.runs.snapshot());
        {
            const std::lock_guard lock(s.echo.mutex);
            QVERIFY(!s.echo.asked.empty());
            for (const Request& r : s.echo.asked)
                QVERIFY(r.depth == Depth::Visible);
        }
        QTest::mouseRelease(slider, Qt::LeftButton, {}, from + QPoint(25, 0));
        QTRY_VERIFY(!s.runs.updating());
        QVERIFY(s.echo.asked.back().depth == Depth::Propagated);
    }

    void typed_valueIsTaken() {
        Stage s;
        auto* number = s.find<QLineEdit>("params.local.window.value");
        number->setFocus();
        number->selectAll();
        QTest::keyClicks(number, QStringLiteral("77"));
        QTest::keyClick(number, Qt::Key_Return);
        QCOMPARE(s.policy().local.window, 77);
        number->selectAll();
        QTest::keyClicks(number, QStringLiteral("all"));
        QTest::keyClick(number, Qt::Key_Return);
        QCOMPARE(s.policy().local.window, kAll);
    }

    void illegal_isSaidUnderTheRow_andGoesAway() {
        Stage s;
        auto* number = s.find<QLineEdit>("params.local.window.value");
        auto* error = s.find<QLabel>("params.local.window.error");
        QVERIFY(error->isHidden());
        number->setFocus();
        number->selectAll();
        QTest::keyClicks(number, QStringLiteral("-5"));
        QTest::keyClick(number, Qt::Key_Return);
        QVERIFY(!error->isHidden());
        QVERIFY2(error->text().contains(QStringLiteral("-5")), qPrintable(error->text()));
        QVERIFY(error->textFormat() == Qt::PlainText);
        QCOMPARE(s.policy().local.window, 128);
        number->selectAll();
        QTest::keyClicks(number, QStringLiteral("50"));
        QTest::keyClick(number, Qt::Key_Return);
        QVERIFY(error->isHidden());
        QCOMPARE(s.policy().local.window, 50);
    }

    void arrows_step() {
        Stage s;
        auto* slider = s.find<QSlider>("params.always.sinks.slider");
        slider->setFocus();
        QTest::keyClick(slider, Qt::Key_Right);
        QCOMPARE(s.policy().always.sinks, 5);
        auto* number = s.find<QLineEdit>("params.always.sinks.value");
        number->setFocus();
        QTest::keyClick(number, Qt::Key_Down);
        QCOMPARE(s.policy().always.sinks, 4);
    }

    void sectionSwitch_takesOnePathOff_inOneStep() {
        Stage s;
        auto* routed = s.find<QCheckBox>("params.section.Routed");
        QVERIFY(routed->isChecked());
        QTest::mouseClick(routed, Qt::LeftButton, {}, QPoint(8, routed->height() / 2));
        QVERIFY(!s.policy().routed.on());
        QCOMPARE(s.policy().local.window, 128);
        QCOMPARE(s.policy().always.sinks, 4);
        QCOMPARE(s.requests.undoStack().count(), 1);
        QTest::mouseClick(routed, Qt::LeftButton, {}, QPoint(8, routed->height() / 2));
        QVERIFY(s.policy() == presetPolicy("default").value() ||
                s.policy().routed == presetPolicy("default")->routed);
        auto* local = s.find<QCheckBox>("params.section.Local");
        QTest::mouseClick(local, Qt::LeftButton, {}, QPoint(8, local->height() / 2));
        QCOMPARE(s.policy().local.window, 0);
        QVERIFY(s.policy().routed.on());
    }

    void mixSwitch_knowsEveryField() {
        Stage s;
        s.requests.setPolicy(*presetPolicy("streaming"), QStringLiteral("streaming"));
        auto* mix = s.find<QCheckBox>("params.section.Mix");
        QVERIFY(mix->isChecked()); // positions of the cache are part of it
        QTest::mouseClick(mix, Qt::LeftButton, {}, QPoint(8, mix->height() / 2));
        QVERIFY(s.policy().mix == MixPart{});
        QVERIFY(sectionOn(*presetPolicy("dynamic-entropy"), "Mix"));
        QVERIFY(!sectionOn(*presetPolicy("default"), "Mix"));
    }

    void pairsBar_hasALineForEveryPart() {
        PairsBar bar;
        PairsByReason pairs;
        pairs.fullPairs = 100;
        pairs.pairs = {10, 1, 5, 0};
        bar.show(pairs, {});
        const int plain = bar.sizeHint().height();
        pairs.statePairs = 40;
        pairs.pairs[3] = 2;
        bar.show(pairs, {});
        QVERIFY(bar.sizeHint().height() > plain);
        QVERIFY(bar.sentence().contains(QStringLiteral("state 40")));
    }

    /// "off" is held as NaN, which equals nothing.
    void dot_marksWhatDiffersAndNothingElse() {
        Stage s;
        const auto marked = [&](const ParamSpec& spec) {
            const QString key = QString::fromUtf8(spec.key.data(), static_cast<qsizetype>(spec.key.size()));
            auto* dot = s.panel.findChild<QWidget*>(QStringLiteral("params.%1.dot").arg(key));
            return dot->grab().toImage().pixelColor(4, 4) == Theme::current().accent;
        };
        for (const ParamSpec& spec : paramSpecs())
            QVERIFY2(!marked(spec), std::string(spec.key).c_str());
        s.requests.setParam(*findParam("sink-logit"), ParamValue(0.5));
        QVERIFY(marked(*findParam("sink-logit")));
        QVERIFY(!marked(*findParam("sinks")));
    }

    void someRows_areNotToldAsTheWholeText() {
        test::TinyOptions options;
        options.tokens = 200;
        options.policy.local.window = 150;
        options.policy.routed = {};
        auto snapshot = test::tinySnapshot(options);
        snapshot->isolated.reset();
        const auto whole = pairsOf(*snapshot);
        QVERIFY(whole && !whole->partOfRows);
        QVERIFY2(whole->share().endsWith(QStringLiteral("of full")), qPrintable(whole->share()));
        auto visible = std::make_shared<VisibleLayer>(*snapshot->visible);
        visible->head = 1;
        visible->plan = std::make_shared<const AttentionPlan>(
            makePlan(visible->plan->policy, snapshot->model->shape, 1, snapshot->facts, nullptr, {0, 64})
                .value());
        snapshot->visible = visible;
        // A window needs no scores: the whole layer is counted although only some of its rows have run.
        const auto planned = pairsOf(*snapshot);
        QVERIFY(planned && !planned->partOfRows);
        QCOMPARE(planned->pairs, whole->pairs);
        QCOMPARE(planned->share(), whole->share());
        QCOMPARE(planned->over, QStringLiteral("layer 1"));
        // What a router chooses is known for the rows that have run, and is told as theirs.
        auto request = std::make_shared<Request>(*snapshot->request);
        request->policy.routed = presetPolicy("default")->routed;
        snapshot->request = request;
        const auto some = pairsOf(*snapshot);
        QVERIFY(some && some->partOfRows);
        QCOMPARE(some->share(), QStringLiteral("100.0 % of these rows"));
        QVERIFY2(some->over.contains(QStringLiteral("64 rows in view")), qPrintable(some->over));
        PairsBar bar;
        bar.show(some, {});
        QVERIFY2(!bar.sentence().contains(QStringLiteral("of full")), qPrintable(bar.sentence()));
    }

    void aManifoldOfFull_isSaidInTimes() {
        PairsByReason pairs;
        pairs.fullPairs = 10;
        pairs.pairs = {5, 0, 0, 0};
        QCOMPARE(pairs.share(), QStringLiteral("50.0 % of full"));
        pairs.routerPairs = 538;
        QCOMPARE(pairs.share(), QStringLiteral("54 times full"));
    }

    void inactive_rowsAreHidden() {
        Stage s;
        const auto shown = [&](const char* key) {
            return !s.panel.findChild<QWidget*>(QLatin1String(key))->isHidden();
        };
        QVERIFY(shown("params.routed.bits") && shown("params.routed.count"));
        QVERIFY(!shown("params.routed.threshold")); // another kind of budget
        s.requests.setPolicy(*presetPolicy("window"), QStringLiteral("window"));
        QVERIFY(!shown("params.routed.bits") && !shown("params.routed.count"));
        QVERIFY(shown("params.routed.signal"));
        s.requests.setPolicy(*presetPolicy("default"), QStringLiteral("default"));
        QVERIFY(shown("params.routed.bits"));
    }

    /// The five knobs are in sight; the rest opens by section, and says its state in a line until then.
    void sections_openByArrow_andTellTheirState() {
        QSettings().remove(QStringLiteral("params/open"));
        Stage s;
        for (const char* knob :
             {"params.local.window.slider", "params.always.sinks.slider", "params.routed.signal.value",
              "params.routed.count.slider", "params.far.far.value"})
            QVERIFY2(s.find<QWidget>(knob)->isVisible(), knob);
        auto* bits = s.find<QWidget>("params.routed.bits");
        QVERIFY(!bits->isVisible());
        QCOMPARE(s.find<QLabel>("params.state.Routed")->text(),
                 QStringLiteral("signal group_dot, routed keys 32"));
        QCOMPARE(s.find<QLabel>("params.state.Far")->text(), QStringLiteral("off"));
        QTest::mouseClick(s.find<QToolButton>("params.open.Routed"), Qt::LeftButton);
        QVERIFY(bits->isVisible());
        {
            Stage again; // remembered
            QVERIFY(again.find<QWidget>("params.routed.bits")->isVisible());
        }
        auto* all = s.find<QToolButton>("params.all");
        QTest::mouseClick(all, Qt::LeftButton);
        QVERIFY(s.find<QWidget>("params.local.dilation")->isVisible());
        QTest::mouseClick(all, Qt::LeftButton);
        QVERIFY(!s.find<QWidget>("params.local.dilation")->isVisible());
        QVERIFY(!bits->isVisible());
        s.panel.reveal(QStringLiteral("routed.bits"));
        QVERIFY(bits->isVisible());
        QTRY_VERIFY(s.find<QLineEdit>("params.routed.bits.value")->hasFocus() || !s.panel.isActiveWindow());
        QSettings().remove(QStringLiteral("params/open"));
    }

    void aTextTooShortToSaveAnything_isSaid() {
        test::TinyOptions options;
        options.tokens = 20;
        options.policy.local.window = 128;
        options.policy.routed = {};
        const auto counted = [&] {
            auto snapshot = test::tinySnapshot(options);
            snapshot->isolated.reset();
            return pairsOf(*snapshot);
        };
        const auto pairs = counted();
        QVERIFY(pairs);
        QVERIFY2(pairs->remark.contains(QStringLiteral("too short")), qPrintable(pairs->remark));
        PairsBar bar;
        bar.show(pairs, {});
        QVERIFY(bar.sentence().contains(pairs->remark));
        options.policy.local.window = kAll; // full attention is meant to read everything
        QVERIFY(counted()->remark.isEmpty());
        options.policy.local.window = 10;
        QVERIFY(counted()->remark.isEmpty());
    }

    void preset_isPickedAndFollows() {
        Stage s;
        auto* presets = s.find<QComboBox>("params.preset");
        QCOMPARE(presets->currentText(), QStringLiteral("Default"));
        s.requests.setParam(*findParam("window"), ParamValue(std::int64_t{99}));
        QCOMPARE(presets->currentIndex(), -1);
        presets->setFocus();
        presets->setCurrentIndex(presets->findText(QStringLiteral("Default")));
        QTest::keyClick(presets, Qt::Key_Down); // the next one, by hand
        QCOMPARE(s.policy().local.window, kAll);
        QCOMPARE(presets->currentText(), QStringLiteral("Full attention, 2017"));
        s.requests.undoStack().undo();
        QCOMPARE(s.policy().local.window, 99);
    }

    void scale_isLogarithmicClippedAndEndsWithAll() {
        const ParamSpec& window = *findParam("window");
        const SliderScale scale(window, 700);
        QCOMPARE(std::get<std::int64_t>(scale.valueAt(0)), 0);
        QCOMPARE(std::get<std::int64_t>(scale.valueAt(scale.size() - 1)), kAll);
        QCOMPARE(std::get<std::int64_t>(scale.valueAt(scale.size() - 2)), 700);
        for (int i = 1; i < scale.size(); ++i)
            QVERIFY(std::get<std::int64_t>(scale.valueAt(i - 1)) < std::get<std::int64_t>(scale.valueAt(i)));
        for (const std::int64_t w : {1, 2, 4, 16, 64, 128, 256, 512}) // powers of two are stops
            QCOMPARE(std::get<std::int64_t>(scale.valueAt(scale.stopOf(ParamValue(w)))), w);
        QCOMPARE(scale.stopOf(ParamValue(kAll)), scale.size() - 1);
        QCOMPARE(scale.stopOf(ParamValue(std::int64_t{5000})), scale.size() - 2); // a number is never "all"
    }

    void scales_ofEverySpec_reachTheirEnds() {
        for (const ParamSpec& spec : paramSpecs()) {
            if (!SliderScale::fits(spec))
                continue;
            for (const std::int64_t tokens : {0, 1, 700, 65536}) {
                const SliderScale scale(spec, tokens);
                QVERIFY(scale.size() >= 1);
                for (int i = 0; i < scale.size(); ++i)
                    QVERIFY2(checkParam(spec, scale.valueAt(i)), std::string(spec.key).c_str());
            }
        }
    }
};

QTEST_MAIN(TestParamPanel)
#include "tst_ParamPanel.moc"
