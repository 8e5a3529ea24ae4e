#include "ui/run/RequestModel.h"
#include <QSignalSpy>
#include <QTest>

using namespace fovea;
using namespace fovea::ui;

namespace {

Request start() {
    Request request;
    request.text = std::make_shared<const std::string>("one two three");
    request.policy = *presetPolicy("default");
    return request;
}

const ParamSpec& spec(const char* key) {
    const ParamSpec* found = findParam(key);
    if (found == nullptr)
        qFatal("no parameter %s", key);
    return *found;
}

ParamValue whole(std::int64_t n) {
    return ParamValue(n);
}

} // namespace

class TestRequestModel : public QObject {
    Q_OBJECT

private slots:
    void set_changesAndUndoes() {
        RequestModel model(start());
        QSignalSpy changed(&model, &RequestModel::requestChanged);
        model.setParam(spec("window"), whole(64));
        QCOMPARE(model.request().policy.local.window, 64);
        QCOMPARE(changed.size(), 1);
        model.undoStack().undo();
        QCOMPARE(model.request().policy.local.window, 128);
        QVERIFY(model.request().policy == presetPolicy("default").value());
        model.undoStack().redo();
        QCOMPARE(model.request().policy.local.window, 64);
    }

    void equalValue_isNothing() {
        RequestModel model(start());
        QSignalSpy changed(&model, &RequestModel::requestChanged);
        model.setParam(spec("window"), whole(128));
        QCOMPARE(changed.size(), 0);
        QCOMPARE(model.undoStack().count(), 0);
    }

    void drag_isOneUndoStep() {
        RequestModel model(start());
        model.beginDrag(spec("window"));
        for (const std::int64_t w : {127, 100, 64, 32, 16})
            model.setParam(spec("window"), whole(w));
        model.endDrag();
        QCOMPARE(model.undoStack().count(), 1);
        model.beginDrag(spec("window")); // a second drag is a second step
        model.setParam(spec("window"), whole(20));
        model.setParam(spec("window"), whole(24));
        model.endDrag();
        QCOMPARE(model.undoStack().count(), 2);
        model.undoStack().undo();
        QCOMPARE(model.request().policy.local.window, 16);
        model.undoStack().undo();
        QCOMPARE(model.request().policy.local.window, 128);
    }

    void drag_backToTheStart_leavesNoStep() {
        RequestModel model(start());
        model.beginDrag(spec("sinks"));
        for (const std::int64_t n : {5, 9, 4})
            model.setParam(spec("sinks"), whole(n));
        model.endDrag();
        QCOMPARE(model.undoStack().count(), 0);
        QVERIFY(model.request().policy == presetPolicy("default").value());
    }

    void illegal_saysWhyAndStops_data() {
        QTest::addColumn<QString>("key");
        QTest::addColumn<qlonglong>("value");
        QTest::newRow("negative window") << "window" << qlonglong(-1);
        QTest::newRow("dilation 0") << "dilation" << qlonglong(0);
        QTest::newRow("99 bits") << "bits" << qlonglong(99);
    }
    void illegal_saysWhyAndStops() {
        QFETCH(QString, key);
        QFETCH(qlonglong, value);
        RequestModel model(start());
        QSignalSpy changed(&model, &RequestModel::requestChanged);
        QSignalSpy rejected(&model, &RequestModel::rejected);
        const ParamSpec& s = spec(qPrintable(key));
        model.setParam(s, whole(value));
        QCOMPARE(changed.size(), 0);
        QCOMPARE(rejected.size(), 1);
        QCOMPARE(rejected[0][0].toString().toStdString(), std::string(s.key));
        QVERIFY2(rejected[0][1].toString().contains(QString::number(value)),
                 qPrintable(rejected[0][1].toString()));
        QCOMPARE(model.undoStack().count(), 0);
        QSignalSpy accepted(&model, &RequestModel::accepted);
        model.setParam(s, s.get(model.request().policy)); // a legal value takes the error away
        QCOMPARE(accepted.size(), 1);
    }

    void changedByHand_losesItsName_andFindsItAgain() {
        RequestModel model(start());
        const std::string name = model.request().policy.name;
        QVERIFY(!name.empty());
        model.setParam(spec("window"), whole(77));
        QVERIFY(model.request().policy.name.empty());
        model.setParam(spec("window"), whole(128));
        QCOMPARE(model.request().policy.name, name);
    }

    void policy_isOneStep() {
        RequestModel model(start());
        model.setPolicy(*presetPolicy("full"), QStringLiteral("preset full"));
        QCOMPARE(model.request().policy.local.window, kAll);
        QCOMPARE(model.undoStack().undoText(), QStringLiteral("preset full"));
        model.undoStack().undo();
        QVERIFY(model.request().policy == presetPolicy("default").value());
    }

    void brokenPolicy_changesNothing() {
        RequestModel model(start());
        QSignalSpy rejected(&model, &RequestModel::rejected);
        AttentionPolicy broken = model.request().policy;
        broken.local.dilation = -4;
        model.setPolicy(broken, QStringLiteral("broken"));
        QCOMPARE(rejected.size(), 1);
        QVERIFY(model.request().policy == presetPolicy("default").value());
    }

    void text_undoes_andModelStays() {
        RequestModel model(start());
        model.setText("four", QStringLiteral("typing"));
        model.setModelPath("other.gguf");
        QCOMPARE(*model.request().text, std::string("four"));
        model.undoStack().undo();
        QCOMPARE(*model.request().text, std::string("one two three"));
        QCOMPARE(model.request().modelPath, std::string("other.gguf"));
        model.setText("one two three", QStringLiteral("same"));
        QCOMPARE(model.undoStack().count(), 1); // equal content: nothing
    }

    void longText_keepsItsLimitThroughUndo() {
        RequestModel model(start());
        model.setText("long", QStringLiteral("open"), 4096);
        QCOMPARE(model.request().maxTokens, std::size_t{4096});
        model.undoStack().undo();
        QCOMPARE(model.request().maxTokens, std::size_t{0});
    }

    void undoOfAnotherChange_leavesTheLengthAlone() {
        RequestModel model(start());
        model.setText("long", QStringLiteral("open"), 4096);
        model.setMaxTokens(0, QStringLiteral("all tokens"));
        model.setParam(spec("window"), whole(64));
        model.undoStack().undo();
        QCOMPARE(model.request().policy.local.window, std::int64_t{128});
        QCOMPARE(model.request().maxTokens, std::size_t{0}); // not the cut of before
        model.undoStack().undo();
        QCOMPARE(model.request().maxTokens, std::size_t{4096});
        model.undoStack().redo();
        QCOMPARE(model.request().maxTokens, std::size_t{0});
    }

    /// A value that undo restores makes a step of its own, or the undo of something else would bring back an
    /// old one.
    void undo_restoresWhatMakesAStep_andNothingElse() {
        RequestModel model(start());
        model.setParam(spec("window"), whole(64));
        model.setPrecision(Precision::BF16);
        model.setModelPath("other.gguf");
        model.setVisible({2, 1, {0, 4}, {0, 4}});
        QCOMPARE(model.undoStack().count(), 1);
        const Request after = model.request();
        model.undoStack().undo();
        QCOMPARE(model.request().precision, after.precision);
        QCOMPARE(model.request().modelPath, after.modelPath);
        QVERIFY(model.request().visible == after.visible);
        QVERIFY(model.request().encode == after.encode && model.request().textTemplate == after.textTemplate);
    }

    /// Undo goes back to what another model ran; the one that is open cannot run all of it.
    void undo_givesWhatTheModelCanRun() {
        RequestModel model(start());
        ModelShape decoder;
        decoder.layers = decoder.heads = decoder.kvHeads = 2;
        decoder.context = 512;
        ModelShape encoder = decoder;
        encoder.causal = false;
        encoder.positions = PositionKind::Learned;
        model.setText(std::string(600, 'a'), QStringLiteral("open"));
        QVERIFY(!model.setModel("decoder", decoder, 0));
        model.setAgainst(*presetPolicy("streaming"), QStringLiteral("test"));
        QVERIFY(model.setModel("encoder", encoder, 512));
        model.setLengthRule([](const std::string& text, std::size_t wanted) {
            return text.size() > 512 && (wanted == 0 || wanted > 512) ? std::size_t{512} : wanted;
        });
        QSignalSpy shortened(&model, &RequestModel::shortened);
        while (model.undoStack().canUndo()) {
            model.undoStack().undo();
            const Request& request = model.request();
            QVERIFY(model.runs(request.policy));
            QVERIFY(!request.against || model.runs(*request.against));
            QVERIFY(request.text->size() <= 512 || (request.maxTokens > 0 && request.maxTokens <= 512));
        }
        QVERIFY(!shortened.isEmpty()); // it is told, because the text is not all that it was
        QCOMPARE(shortened.front().front().value<std::size_t>(), std::size_t{512});
        QVERIFY(!model.setModel("decoder", decoder, 0) || model.request().policy.local.window > 0);
        while (model.undoStack().canRedo())
            model.undoStack().redo();
        QVERIFY(model.runs(model.request().policy));
    }

    void visible_isNoUndoStepAndNoRequest() {
        RequestModel model(start());
        QSignalSpy changed(&model, &RequestModel::requestChanged);
        QSignalSpy visible(&model, &RequestModel::visibleChanged);
        model.setVisible({3, 2, {0, 10}, {0, 10}});
        model.setVisible({3, 2, {0, 10}, {0, 10}});
        QCOMPARE(visible.size(), 1);
        QCOMPARE(changed.size(), 0);
        QCOMPARE(model.undoStack().count(), 0);
        model.setParam(spec("window"), whole(64));
        model.undoStack().undo();
        QCOMPARE(model.request().visible.layer, 3); // what is on screen stays
    }

    void session_clearsUndo() {
        RequestModel model(start());
        model.setParam(spec("window"), whole(64));
        model.setRequest(start());
        QCOMPARE(model.undoStack().count(), 0);
        QCOMPARE(model.request().policy.local.window, 128);
    }
};

QTEST_GUILESS_MAIN(TestRequestModel)
#include "tst_RequestModel.moc"
