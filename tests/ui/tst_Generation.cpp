// Generation in the window: two arms write on, every step can be looked at, and the command says the same.
#include "core/policy/ParamSpec.h"
#include "tests/support/ProgramSays.h"
#include "tests/support/TinyModel.h"
#include "tests/support/ViewFixture.h"
#include "tests/support/WindowStage.h"
#include "ui/plot/Theme.h"
#include "ui/views/GenerationScrubber.h"
#include "ui/views/GenerationStepPanel.h"
#include "ui/views/GenerationText.h"
#include "ui/views/GenerationView.h"
#include "ui/views/TextLegend.h"
#include "ui/views/TextView.h"
#include "ui/window/WorkStrip.h"
#include <QAbstractButton>
#include <QDockWidget>
#include <QDoubleSpinBox>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QLabel>
#include <QProcess>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTest>
#include <fstream>

using namespace fovea;
using namespace fovea::ui;
using namespace fovea::test;
using State = GenerationController::State;

namespace {

constexpr int kTokens = 16;

/// The window on a tiny model, with a policy that drops keys, and its drawer open.
struct Scene {
    TinyModelFile model;
    Stage stage{LatestWorker::Runner{}};
    GenerationController& generation = *stage.window.findChild<GenerationController*>();
    GenerationScrubber* scrubber = stage.find<GenerationScrubber>("generate.scrubber");
    QAbstractButton* start = stage.find<QAbstractButton>("generate.start");

    /// `endless`: the model names no token that ends a text.
    explicit Scene(std::uint32_t layers = 2, bool endless = false) : model(layers) {
        if (endless) {
            std::string bytes = tinyModelBytes(layers);
            const std::string key = "tokenizer.ggml.eos_token_id";
            bytes.replace(bytes.find(key), key.size(), "tokenizer.ggml.eos_token_no");
            std::ofstream(model.path(), std::ios::binary | std::ios::trunc) << bytes;
        }
        stage.window.resize(1280, 800);
        stage.window.documents().setText(tinyText(60), QStringLiteral("letters"), QStringLiteral("test"));
        stage.requests.setPolicy(tinyRequest(model).policy, QStringLiteral("test"));
        stage.window.documents().openModel(QString::fromStdString(model.path()));
        QTest::mouseClick(stage.find<QWidget>("drawer.generate"), Qt::LeftButton);
    }
    [[nodiscard]] bool ready() const {
        return QTest::qWaitFor([this] { return start->isEnabled(); }, 30'000);
    }
    void type(const char* box, const QString& value) {
        auto* field = stage.find<QAbstractSpinBox>(box);
        field->setFocus();
        field->selectAll();
        QTest::keyClicks(field, value);
        QTest::keyClick(field, Qt::Key_Tab);
    }
    /// Sampled, because a tiny model repeats itself.
    [[nodiscard]] bool generated(const QString& tokens = QString::number(kTokens)) {
        if (!ready())
            return false;
        type("generate.tokens", tokens);
        type("generate.temperature", QStringLiteral("1.00"));
        type("generate.seed", QStringLiteral("2"));
        QTest::mouseClick(start, Qt::LeftButton);
        return QTest::qWaitFor([this] { return generation.state() == State::Done; }, 60'000);
    }
    [[nodiscard]] bool readsAt(int step) const {
        return QTest::qWaitFor(
            [this, step] {
                const auto& reads = generation.reads();
                return reads && static_cast<int>(reads->step) == step && generation.step() == step &&
                       reads->layer == stage.selection.layer() && reads->head == stage.selection.head();
            },
            10'000);
    }
};

/// The document of `fovea generate` for what the window generated.
QJsonObject commandSays(const Scene& scene, int step) {
    QStringList options{QStringLiteral("generate"), QStringLiteral("--text"),
                        QString::fromStdString(tinyText(60))};
    options << QStringLiteral("--model") << QString::fromStdString(scene.model.path())
            << QStringLiteral("--tokens") << QString::number(kTokens) << QStringLiteral("--temperature")
            << QStringLiteral("1") << QStringLiteral("--sample-seed") << QStringLiteral("2")
            << QStringLiteral("--step") << QString::number(step) << QStringLiteral("--layer")
            << QString::number(scene.stage.selection.layer()) << QStringLiteral("--head")
            << QString::number(scene.stage.selection.head())
            << QString::fromStdString(policyToOptions(scene.stage.requests.request().policy))
                   .split(QLatin1Char(' '), Qt::SkipEmptyParts);
    return programSays(options);
}

void compareToken(const GeneratedToken& mine, const QJsonObject& said) {
    QCOMPARE(said[QStringLiteral("id")].toInt(), mine.id);
    QCOMPARE(said[QStringLiteral("probability")].toDouble(), mine.probability);
    QCOMPARE(said[QStringLiteral("rank")].toInt(), static_cast<int>(mine.rank));
    const QJsonArray candidates = said[QStringLiteral("candidates")].toArray();
    QCOMPARE(candidates.size(), static_cast<qsizetype>(mine.candidates.size()));
    for (qsizetype i = 0; i < candidates.size(); ++i) {
        const TokenCandidate& c = mine.candidates[static_cast<std::size_t>(i)];
        QCOMPARE(candidates[i].toObject()[QStringLiteral("id")].toInt(), c.id);
        QCOMPARE(candidates[i].toObject()[QStringLiteral("probability")].toDouble(), c.probability);
    }
}

void compareRow(const ReadRow& mine, const QJsonObject& said) {
    QCOMPARE(said[QStringLiteral("query")].toInt(), static_cast<int>(mine.query));
    QCOMPARE(said[QStringLiteral("keys_read")].toInt(), static_cast<int>(mine.read));
    const QJsonArray weights = said[QStringLiteral("weight")].toArray();
    const QJsonArray why = said[QStringLiteral("why")].toArray();
    QCOMPARE(weights.size(), static_cast<qsizetype>(mine.weight.size()));
    for (qsizetype i = 0; i < weights.size(); ++i) {
        const auto key = static_cast<std::size_t>(i);
        QCOMPARE(static_cast<float>(weights[i].toDouble()), mine.weight[key]);
        QCOMPARE(why[i].toString().toStdString(), std::string(readKindName(mine.kind[key])));
    }
}

} // namespace

class TestGeneration : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() { keepSettingsIn(m_dir); }
    void init() {
        QSettings().clear();
        Theme::apply(Theme::light());
    }

    void ask06_generatedTokens() {
        Scene s;
        QVERIFY(s.generated());
        const auto& steps = s.generation.steps();
        QVERIFY2(steps.size() > 8, qPrintable(QString::number(steps.size())));
        QVERIFY2(s.generation.divergence() && *s.generation.divergence() > 0,
                 "choose a seed with which the arms part after the first step");
        // It stands where the arms part.
        const int parts = static_cast<int>(*s.generation.divergence());
        QTRY_COMPARE(s.generation.step(), parts);
        // By key to another step, layer and head.
        QTest::keyClick(&s.stage.window, Qt::Key_PageDown);
        QTest::keyClick(&s.stage.window, Qt::Key_BracketRight);
        QCOMPARE(s.stage.selection.layer(), 1);
        QCOMPARE(s.stage.selection.head(), 1);
        s.scrubber->setFocus();
        QTRY_VERIFY_WITH_TIMEOUT(!s.stage.runs.updating(), 30'000); // another layer was chosen
        QSignalSpy runs(&s.stage.runs, &RunController::updatingChanged);
        QTest::keyClick(s.scrubber, Qt::Key_Home);
        QCOMPARE(s.generation.step(), 0);
        int at = 0; // the last of the first steps that both arms have: a tiny model ends early
        while (at < 5 && static_cast<std::size_t>(at) + 1 < steps.size() &&
               steps[static_cast<std::size_t>(at) + 1].full && steps[static_cast<std::size_t>(at) + 1].hybrid)
            ++at;
        QVERIFY2(at >= 2, qPrintable(QString::number(at)));
        for (int i = 0; i <= at; ++i)
            QTest::keyClick(s.scrubber, Qt::Key_Period);
        QTest::keyClick(s.scrubber, Qt::Key_Comma);
        QVERIFY(s.readsAt(at));
        QCOMPARE(runs.size(), 0); // looking at a step runs nothing
        // What the window shows is what the command prints.
        const QJsonObject said = commandSays(s, at);
        const Sampling sampling = s.stage.find<GenerationView>("generate.view")->sampling();
        const QJsonObject drawn = said[QStringLiteral("sampling")].toObject();
        QCOMPARE(drawn[QStringLiteral("temperature")].toDouble(), sampling.temperature);
        QCOMPARE(drawn[QStringLiteral("seed")].toInt(), static_cast<int>(sampling.seed));
        QCOMPARE(said[QStringLiteral("tokens")].toInt(), static_cast<int>(s.generation.prompt().tokens));
        const QJsonArray told = said[QStringLiteral("steps")].toArray();
        QCOMPARE(told.size(), static_cast<qsizetype>(steps.size()));
        for (const GenerationStep& step : steps) {
            const QJsonObject toldStep = told[static_cast<qsizetype>(step.step)].toObject();
            QCOMPARE(toldStep[QStringLiteral("kl")].isNull(), !step.kl);
            QCOMPARE(toldStep[QStringLiteral("kl")].toDouble(), step.kl.value_or(0));
            QCOMPARE(toldStep[QStringLiteral("full")].isNull(), step.full == nullptr);
            if (step.full)
                compareToken(*step.full, toldStep[QStringLiteral("full")].toObject());
            if (step.hybrid)
                compareToken(*step.hybrid, toldStep[QStringLiteral("hybrid")].toObject());
        }
        QCOMPARE(said[QStringLiteral("divergence_step")].toInt(), parts);
        const StepReads& reads = *s.generation.reads();
        const QJsonObject read = said[QStringLiteral("read")].toObject();
        QVERIFY(reads.full && reads.hybrid);
        compareRow(*reads.full, read[QStringLiteral("full")].toObject());
        compareRow(*reads.hybrid, read[QStringLiteral("hybrid")].toObject());
        const QJsonArray caches =
            said[QStringLiteral("caches")].toObject()[QStringLiteral("hybrid")].toArray();
        QCOMPARE(caches.size(), qsizetype{2});
        for (qsizetype layer = 0; layer < 2; ++layer) {
            const CacheCount& count = reads.hybridCaches[static_cast<std::size_t>(layer)];
            QCOMPARE(caches[layer].toObject()[QStringLiteral("stored")].toInt(),
                     static_cast<int>(count.stored));
            QCOMPARE(caches[layer].toObject()[QStringLiteral("dropped")].toInt(),
                     static_cast<int>(count.dropped));
            QCOMPARE(caches[layer].toObject()[QStringLiteral("read")].toInt(), static_cast<int>(count.read));
        }
        // The panel names step and row, and the words of the text take the row's colours.
        const QString panel = s.stage.find<GenerationStepPanel>("generate.step")->sentence();
        QVERIFY2(panel.startsWith(QStringLiteral("+%1: ").arg(at)), qPrintable(panel));
        QVERIFY2(panel.contains(QStringLiteral("B: #%1").arg(reads.hybrid->query)), qPrintable(panel));
        auto* legend = s.stage.find<TextLegend>("text.legend");
        QTRY_VERIFY2(legend->sentence().contains(QStringLiteral("read by B before +%1").arg(at)),
                     qPrintable(legend->sentence()));
        QTest::mouseClick(s.stage.find<QWidget>("generate.rowA"), Qt::LeftButton);
        QTRY_VERIFY2(legend->sentence().contains(QStringLiteral("read by A before +%1").arg(at)),
                     qPrintable(legend->sentence()));
        s.stage.selection.pin(3); // a pinned word takes over
        QTRY_VERIFY2(!legend->sentence().contains(QStringLiteral("before +")),
                     qPrintable(legend->sentence()));
        // Another head's row of the step does not take its place; the step does, once it is chosen again.
        const int head = 1 - s.stage.selection.head();
        s.stage.selection.setCell(s.stage.selection.layer(), head);
        QTRY_COMPARE(s.generation.reads()->head, head);
        QTRY_VERIFY2(legend->sentence().contains(QStringLiteral("#3")), qPrintable(legend->sentence()));
        QVERIFY2(!legend->sentence().contains(QStringLiteral("before +")), qPrintable(legend->sentence()));
        QTest::mouseClick(s.scrubber, Qt::LeftButton, {},
                          s.scrubber->tickRect(static_cast<std::size_t>(at)).center().toPoint());
        QTRY_VERIFY2(legend->sentence().contains(QStringLiteral("before +%1").arg(at)),
                     qPrintable(legend->sentence()));
        // The result keeps the prompt of its run, and not the run's activations.
        QVERIFY(s.generation.source()->tokens && s.generation.source()->full == nullptr);
        QVERIFY(!s.generation.isOld());
        s.stage.requests.setAgainst(*presetPolicy("window"), QStringLiteral("test"));
        QVERIFY(s.generation.isOld()); // A wrote as full attention
    }

    void scrubber_isFilledWhereTheArmsDiffer_andAnswersToTheMouse() {
        Scene s;
        QVERIFY(s.generated());
        const auto& steps = s.generation.steps();
        const QPixmap drawn = s.scrubber->grab();
        const QImage image = drawn.toImage();
        const double ratio = image.devicePixelRatio();
        std::size_t same = 0, different = 0;
        for (const GenerationStep& step : steps) {
            if (static_cast<int>(step.step) == s.generation.step())
                continue; // outlined
            const QPointF middle = s.scrubber->tickRect(step.step).center() * ratio;
            const QColor want = step.differs() ? Theme::current().armB : Theme::current().paper;
            QCOMPARE(image.pixelColor(middle.toPoint()).name(), want.name());
            ++(step.differs() ? different : same);
        }
        QVERIFY(same > 0 && different > 0);
        QTest::mouseClick(s.scrubber, Qt::LeftButton, {}, s.scrubber->tickRect(3).center().toPoint());
        QCOMPARE(s.generation.step(), 3);
        auto* text = s.stage.find<GenerationText>("generate.text");
        const QRect word = text->stepRect(GenerationArm::Hybrid, steps.size() - 1);
        QVERIFY(!word.isEmpty());
        QTest::mouseClick(text->viewport(), Qt::LeftButton, {}, word.center());
        QCOMPARE(s.generation.step(), static_cast<int>(steps.size()) - 1);
        // Both rows say what each arm wrote.
        const QString said = text->sentence();
        QVERIFY2(said.contains(QStringLiteral("first difference at +%1").arg(*s.generation.divergence())),
                 qPrintable(said));
        // Space plays from the first step and stops again.
        s.scrubber->setFocus();
        QTest::keyClick(s.scrubber, Qt::Key_Space);
        QVERIFY(s.generation.playing());
        QTRY_VERIFY(s.generation.step() >= 1);
        QTest::keyClick(s.scrubber, Qt::Key_Space);
        QVERIFY(!s.generation.playing());
    }

    void stop_leavesWhatWasWritten() {
        Scene s(24, true);
        QVERIFY(s.ready());
        s.type("generate.tokens", QStringLiteral("4000"));
        s.type("generate.temperature", QStringLiteral("1.00"));
        QTest::keyClick(&s.stage.window, Qt::Key_G, Qt::ControlModifier | Qt::ShiftModifier);
        QTRY_VERIFY_WITH_TIMEOUT(s.generation.steps().size() >= 3, 30'000);
        QVERIFY(s.generation.running());
        QVERIFY(s.stage.find<WorkStrip>("work.strip")->running(QStringLiteral("generation")));
        QTest::mouseClick(s.stage.find<QWidget>("generate.stop"), Qt::LeftButton);
        QCOMPARE(s.generation.state(), State::Stopped);
        QVERIFY(!s.stage.find<WorkStrip>("work.strip")->running(QStringLiteral("generation")));
        QTRY_VERIFY(s.generation.reads()); // the engine answers again, so it has stopped
        QVERIFY(s.generation.steps().size() >= 3 && s.generation.steps().size() < 4000);
        const QString said = s.stage.find<QLabel>("generate.status")->text();
        QVERIFY2(said.startsWith(QStringLiteral("stopped after %1 tokens").arg(s.generation.steps().size())),
                 qPrintable(said));
        QTest::keyClick(s.scrubber, Qt::Key_Home);
        QVERIFY(s.readsAt(0));
        QVERIFY(s.generation.reads()->hybrid);
    }

    void newText_dropsTheResult_andANewPolicyMarksIt() {
        Scene s;
        QVERIFY(s.generated());
        auto* status = s.stage.find<QLabel>("generate.status");
        QVERIFY2(!status->text().contains(QStringLiteral("earlier")), qPrintable(status->text()));
        s.stage.requests.setParam(*findParam("window"), ParamValue(std::int64_t{5}));
        QVERIFY(s.generation.isOld());
        QVERIFY2(status->text().startsWith(QStringLiteral("from an earlier policy")),
                 qPrintable(status->text()));
        QVERIFY(!s.generation.steps().empty());
        s.stage.window.documents().setText("abcabcabc", QStringLiteral("other"), QStringLiteral("test"));
        QCOMPARE(s.generation.state(), State::Empty);
        QVERIFY(s.generation.steps().empty() && !s.generation.reads());
        QVERIFY2(!s.stage.find<TextLegend>("text.legend")->sentence().contains(QStringLiteral("before +")),
                 "the row of another text");
        QVERIFY(s.ready());
        QTest::mouseClick(s.start, Qt::LeftButton);
        QTRY_COMPARE_WITH_TIMEOUT(s.generation.state(), State::Done, 30'000);
    }

    void takeOver_letsEveryViewShowTheGeneratedTokens() {
        Scene s;
        QVERIFY(s.generated());
        QTest::mouseClick(s.scrubber, Qt::LeftButton, {}, s.scrubber->tickRect(4).center().toPoint());
        const std::size_t prompt = s.generation.prompt().tokens;
        QTest::mouseClick(s.stage.find<QWidget>("generate.rowA"), Qt::LeftButton);
        QTest::mouseClick(s.stage.find<QWidget>("generate.take"), Qt::LeftButton);
        std::string text = tinyText(60);
        for (std::size_t at = prompt; s.generation.idAt(GenerationArm::Full, at) > 0; ++at)
            text += s.generation.pieceAt(GenerationArm::Full, at);
        QCOMPARE(s.stage.text(), text);
        QVERIFY(text.size() > 60);
        QVERIFY(s.generation.isOld() && !s.generation.steps().empty()); // it stays, and says what it is
        QTRY_VERIFY_WITH_TIMEOUT(s.stage.runs.snapshot()->tokens->size() > prompt &&
                                     s.stage.runs.standing(*s.stage.runs.snapshot()) != Standing::OtherRun,
                                 30'000);
        // The token that was read before the step is pinned, where the text still has it.
        const auto& ids = s.stage.runs.snapshot()->tokens->ids;
        bool same = true;
        for (std::size_t at = 0; at < prompt + 4; ++at)
            same = same && at < ids.size() && ids[at] == s.generation.idAt(GenerationArm::Full, at);
        if (same)
            QTRY_COMPARE(s.stage.selection.query(), static_cast<int>(prompt) + 3);
        else
            QCOMPARE(s.stage.selection.query(), -1);
        s.stage.requests.undoStack().undo();
        QCOMPARE(s.stage.text(), tinyText(60));
        QVERIFY(!s.generation.isOld() && !s.generation.steps().empty());
    }

    void emptyStates_sayWhatIsMissing() {
        {
            Stage s; // no model
            QTest::mouseClick(s.find<QWidget>("drawer.generate"), Qt::LeftButton);
            QVERIFY(s.find<QDockWidget>("dock.generate")->isVisible());
            QVERIFY(!s.find<QAbstractButton>("generate.start")->isEnabled());
            const QString said = s.find<GenerationText>("generate.text")->sentence();
            QVERIFY2(said.startsWith(QStringLiteral("Generating needs a model")), qPrintable(said));
            QTest::keyClick(&s.window, Qt::Key_G, Qt::ControlModifier | Qt::ShiftModifier);
            QVERIFY(!s.window.findChild<GenerationController*>()->running());
        }
        ViewFixture f({}, [](Snapshot& snapshot) { // a model that reads in both directions
            auto model = std::make_shared<Model>(*snapshot.model);
            model->shape.causal = false;
            snapshot.model = model;
        });
        GenerationController generation(f.runs, f.requests, f.selection);
        GenerationView view(f.context(), generation);
        view.show();
        QVERIFY(generation.blocked().startsWith(QStringLiteral("Waits for the model")));
        QVERIFY(f.run());
        QCOMPARE(generation.blocked(),
                 QStringLiteral("This model reads in both directions and writes no text."));
        QCOMPARE(view.findChild<QLabel*>(QStringLiteral("generate.status"))->text(), generation.blocked());
        QVERIFY(!view.findChild<QAbstractButton*>(QStringLiteral("generate.start"))->isEnabled());
        f.requests.setText("", QStringLiteral("empty"));
        QVERIFY(generation.blocked().startsWith(QStringLiteral("There is nothing to continue")));
    }

    void refusedPolicy_saysWhy() {
        Scene s;
        QVERIFY(s.ready());
        AttentionPolicy wrong = s.stage.requests.request().policy;
        wrong.mix.fullLayers = {7};
        s.stage.requests.setPolicy(wrong, QStringLiteral("test"));
        QTRY_VERIFY(s.start->isEnabled());
        QTest::mouseClick(s.start, Qt::LeftButton);
        QTRY_COMPARE_WITH_TIMEOUT(s.generation.state(), State::Failed, 30'000);
        const QString said = s.stage.find<QLabel>("generate.status")->text();
        QVERIFY2(said.contains(QStringLiteral("mix.full_layers")), qPrintable(said));
    }

private:
    QTemporaryDir m_dir;
};

QTEST_MAIN(TestGeneration)
#include "tst_Generation.moc"
