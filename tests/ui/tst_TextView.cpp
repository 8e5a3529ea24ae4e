#include "core/measure/RowFacts.h"
#include "core/text/TokenSearch.h"
#include "tests/support/TextWindow.h"
#include "tests/support/ViewFixture.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include "ui/views/TextView.h"
#include "ui/views/TokenCanvas.h"
#include "ui/views/TokenMarks.h"
#include <QApplication>
#include <QClipboard>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QtTest>

using namespace fovea;
using namespace fovea::ui;
using namespace fovea::test;

class tst_TextView : public QObject {
    Q_OBJECT
private slots:
    void init() {
        QApplication::setStyle(QStringLiteral("Fusion"));
        Theme::apply(Theme::light());
    }

    void click_pinsAndShiftClickAdds();
    void drag_choosesASpanAndPinsNothing();
    void search_findsStepsAndTellsTheMass();
    void search_returnWaitsForItsAnswer();
    void search_saysWhatIsWrong();
    void hover_lightsUpAndLeavingForgets();
    void keys_movePinAndEscapeDropsIt();
    void colour_isTheRampOfTheRow_data();
    void colour_isTheRampOfTheRow();
    void skippedWords_areNotTinted();
    void everyColour_hasALegendWithEnds_data();
    void everyColour_hasALegendWithEnds();
    void worseLoss_isWarm();
    void noPin_saysWhatToDo();
    void marks_followPlanAndQuery();
    void f2_editsAndUndoRestores();
    void editButton_escapeKeepsTheBytes();
    void paste_replacesTheText();
    void pasteOfNoText_keepsWhatWasTyped_data();
    void pasteOfNoText_keepsWhatWasTyped();
    void dropOfNoText_keepsWhatWasTyped();
    void modeButton_whileEditing_takesTheText();
    void newText_isReadableBeforeTokens();
    void emptyText_saysHowToBegin();
};

void tst_TextView::click_pinsAndShiftClickAdds() {
    TextWindow s;
    const int harbour = s.tokenOf(" harbour"), code = s.tokenOf(" code");
    QVERIFY(harbour > 0 && code > harbour);
    s.clickToken(s.reading(), harbour);
    QCOMPARE(s.fixture.selection.query(), harbour);
    s.clickToken(s.reading(), code, Qt::ShiftModifier);
    QCOMPARE(s.fixture.selection.pins(), (std::set<int>{harbour, code}));
    s.clickToken(s.reading(), code, Qt::ShiftModifier);
    QCOMPARE(s.fixture.selection.pins(), (std::set<int>{harbour}));
    QTest::mouseClick(s.reading()->viewport(), Qt::LeftButton, {},
                      QPoint(5, s.reading()->viewport()->height() - 3));
    QCOMPARE(s.fixture.selection.query(), harbour); // beside the text: nothing
}

void tst_TextView::drag_choosesASpanAndPinsNothing() {
    TextWindow s;
    TokenCanvas* canvas = s.reading();
    SelectionModel& selection = s.fixture.selection;
    const int tokens = static_cast<int>(s.fixture.runs.snapshot()->tokens->size());
    const auto drag = [&](int from, int to) {
        QTest::mousePress(canvas->viewport(), Qt::LeftButton, {}, canvas->tokenRect(from).center());
        QTest::mouseMove(canvas->viewport(), canvas->tokenRect(to).center());
        QTest::mouseRelease(canvas->viewport(), Qt::LeftButton, {}, canvas->tokenRect(to).center());
    };
    drag(5, 2);
    QVERIFY((selection.block() == SelectionModel::Block{2, tokens, 2, 6})); // by all who may read it
    QCOMPARE(selection.query(), -1);
    s.clickToken(canvas, 9);
    drag(2, 4);
    QVERIFY((selection.block() == SelectionModel::Block{9, 10, 2, 5})); // by the pinned query
    QCOMPARE(selection.query(), 9);
}

void tst_TextView::search_findsStepsAndTellsTheMass() {
    TextWindow s;
    SelectionModel& selection = s.fixture.selection;
    s.view.find();
    auto* field = s.child<QLineEdit>("text.search");
    auto* count = s.child<QLabel>("text.search.count");
    QVERIFY(field->isVisible());
    const Tokens& tokens = *s.fixture.runs.snapshot()->tokens;
    const std::string& text = *s.fixture.runs.snapshot()->request->text;
    const std::string word = tokens.pieces[4];
    QTest::keyClicks(field, QString::fromStdString(word).trimmed());
    const auto matches =
        findTokens(tokens, text, QString::fromStdString(word).trimmed().toStdString()).value();
    QVERIFY(matches.size() > 1);
    QTRY_COMPARE(count->text(), QStringLiteral("%1 matches").arg(matches.size()));
    QTest::keyClick(field, Qt::Key_Return);
    QCOMPARE(selection.query(), static_cast<int>(matches[0].first));
    QTest::keyClick(field, Qt::Key_Return);
    QCOMPARE(selection.query(), static_cast<int>(matches[1].first));
    QTest::keyClick(field, Qt::Key_Return, Qt::ShiftModifier);
    QCOMPARE(selection.query(), static_cast<int>(matches[0].first));
    // The mass is that of the pinned query's row.
    const int last = static_cast<int>(tokens.size()) - 1;
    selection.pin(last);
    const RowFacts row(*s.fixture.runs.snapshot()->tileSource(selection.layer()), selection.head(),
                       static_cast<std::size_t>(last));
    double mass = 0;
    for (const TokenMatch& match : matches)
        mass += row.mass(match.first, match.last);
    QTRY_VERIFY2(count->text().contains(
                     QStringLiteral("%1 % of the mass read by #%2").arg(threeDigits(100 * mass)).arg(last)),
                 qPrintable(count->text()));
    s.click("text.search.all");
    std::size_t found = 0;
    for (const TokenMatch& match : matches)
        found += match.last - match.first;
    QCOMPARE(selection.pins().size(), found);
    QTest::keyClick(field, Qt::Key_Escape);
    QVERIFY(!field->isVisible());
    QCOMPARE(selection.pins().size(), found); // Esc closed the search and nothing else
}

/// Return waits for the answer to what is typed: the matches of the pattern before are of other words.
void tst_TextView::search_returnWaitsForItsAnswer() {
    TextWindow s;
    s.view.find();
    auto* field = s.child<QLineEdit>("text.search");
    QTest::keyClicks(field, QStringLiteral("#3"));
    QTRY_COMPARE(s.child<QLabel>("text.search.count")->text(), QStringLiteral("1 match"));
    field->selectAll();
    QTest::keyClicks(field, QStringLiteral("#7"));
    QTest::keyClick(field, Qt::Key_Return); // no answer can have come yet
    QCOMPARE(s.fixture.selection.query(), -1);
    QTRY_COMPARE(s.fixture.selection.query(), 7);
}

void tst_TextView::search_saysWhatIsWrong() {
    TextWindow s;
    s.view.find(QStringLiteral("#"));
    auto* field = s.child<QLineEdit>("text.search");
    auto* count = s.child<QLabel>("text.search.count");
    QVERIFY(count->text().isEmpty()); // an unfinished pattern is no fault
    QTest::keyClicks(field, QStringLiteral("99999"));
    QTRY_VERIFY2(count->text().contains(QStringLiteral("no token #99999")), qPrintable(count->text()));
    field->selectAll();
    QTest::keyClicks(field, QStringLiteral("#3"));
    QTRY_COMPARE(count->text(), QStringLiteral("1 match"));
    QTest::keyClick(field, Qt::Key_Return);
    QCOMPARE(s.fixture.selection.query(), 3);
}

void tst_TextView::hover_lightsUpAndLeavingForgets() {
    TextWindow s;
    const int code = s.tokenOf(" code");
    QTest::mouseMove(s.reading()->viewport(), s.reading()->tokenRect(code).center());
    QTRY_COMPARE(s.fixture.selection.hovered(), code);
    QEvent leave(QEvent::Leave);
    QApplication::sendEvent(s.reading()->viewport(), &leave);
    QCOMPARE(s.fixture.selection.hovered(), -1);
    QCOMPARE(s.fixture.selection.query(), -1);
}

void tst_TextView::keys_movePinAndEscapeDropsIt() {
    TextWindow s;
    s.clickToken(s.reading(), 2);
    QTest::keyClick(s.reading(), Qt::Key_Right);
    QCOMPARE(s.fixture.selection.query(), 3);
    QTest::keyClick(s.reading(), Qt::Key_Home);
    QTest::keyClick(s.reading(), Qt::Key_Left);
    QCOMPARE(s.fixture.selection.query(), 0);
    QTest::keyClick(s.reading(), Qt::Key_End);
    QCOMPARE(s.fixture.selection.query(), static_cast<int>(s.fixture.runs.snapshot()->tokens->size()) - 1);
    QTest::keyClick(s.reading(), Qt::Key_Left, Qt::ShiftModifier);
    QCOMPARE(s.fixture.selection.pins().size(), std::size_t{2});
    s.fixture.selection.hover(-1);
    QTest::keyClick(s.reading(), Qt::Key_Escape);
    QVERIFY(s.fixture.selection.pins().empty());
}

void tst_TextView::colour_isTheRampOfTheRow_data() {
    QTest::addColumn<bool>("dark");
    QTest::addColumn<bool>("strip");
    for (const bool dark : {false, true})
        for (const bool strip : {false, true})
            QTest::newRow(
                qPrintable(QString("%1 %2").arg(dark ? "dark" : "light", strip ? "strip" : "reading")))
                << dark << strip;
}

void tst_TextView::colour_isTheRampOfTheRow() {
    QFETCH(bool, dark);
    QFETCH(bool, strip);
    Theme::apply(dark ? Theme::darkTheme() : Theme::light());
    TextWindow s;
    if (strip)
        s.click("text.mode.strip");
    TokenCanvas* canvas = strip ? s.strip() : s.reading();
    const int query = s.tokenOf(" log");
    s.fixture.selection.pin(query);
    QTRY_VERIFY(s.says(QString("read by #%1").arg(query)));
    const SnapshotPtr snapshot = s.fixture.runs.snapshot();
    const AttentionRow row = makeRow(1, static_cast<std::size_t>(query), *snapshot->tileSource(1));
    int compared = 0;
    for (int key = 0; key < query; ++key) {
        const auto k = static_cast<std::size_t>(key);
        if (row.reason[k] == Reason::Skipped || !canvas->viewport()->rect().contains(canvas->tokenRect(key)))
            continue;
        const float unit = std::log(std::max(row.hybrid[k], 1e-4F) / 1e-4F) / std::log(1e4F);
        QCOMPARE(behind(canvas, key), QColor::fromRgb(Ramp::weights(Theme::current()).at(unit)));
        ++compared;
    }
    QVERIFY(compared >= 5);
    QCOMPARE(behind(canvas, query + 2), Theme::current().impossible);
}

void tst_TextView::skippedWords_areNotTinted() {
    TextWindow s;
    const int query = static_cast<int>(s.fixture.runs.snapshot()->tokens->size()) - 1;
    s.fixture.selection.pin(query);
    QTRY_VERIFY(s.says("not routed"));
    const AttentionRow row =
        makeRow(1, static_cast<std::size_t>(query), *s.fixture.runs.snapshot()->tileSource(1));
    const auto skipped = std::find(row.reason.begin(), row.reason.end(), Reason::Skipped);
    QVERIFY(skipped != row.reason.end());
    const QRect rect = s.reading()->tokenRect(static_cast<int>(skipped - row.reason.begin()));
    const QImage image = s.reading()->viewport()->grab().toImage();
    const auto ramp = Ramp::weights(Theme::current()).table();
    for (int x = rect.left() + 1; x < rect.right(); ++x) {
        const QRgb pixel = image.pixel(x, rect.top() + 2);
        if (pixel != Theme::current().paper.rgb())
            QVERIFY(std::find(ramp.begin() + 64, ramp.end(), pixel) == ramp.end());
    }
}

void tst_TextView::everyColour_hasALegendWithEnds_data() {
    QTest::addColumn<int>("kind");
    QTest::addColumn<QString>("says");
    QTest::newRow("read by") << static_cast<int>(TintKind::ReadBySelected)
                             << "B: read by #22, L1 H1; 0.000100 to 1.00 log";
    QTest::newRow("given to") << static_cast<int>(TintKind::GivenToSelected)
                              << "B: given to #22, L1 H1; 0.000100 to 1.00 log";
    QTest::newRow("loss") << static_cast<int>(TintKind::LossDelta)
                          << "loss B - A, nats, propagated; -0.500 to 0.500";
    QTest::newRow("surprisal") << static_cast<int>(TintKind::Surprisal)
                               << "surprisal, nats, full run; 0 to 10.0";
    QTest::newRow("router") << static_cast<int>(TintKind::RouterScore) << "key_norm for #22, L1 H1";
}

void tst_TextView::everyColour_hasALegendWithEnds() {
    QFETCH(int, kind);
    QFETCH(QString, says);
    TextWindow s;
    s.fixture.selection.pin(22);
    s.pickColour(static_cast<TintKind>(kind));
    QTRY_VERIFY2(s.says(says), qPrintable(s.legend()->sentence()));
    QVERIFY(s.legend()->isVisible());
    QVERIFY(s.legend()->height() > 0);
}

void tst_TextView::worseLoss_isWarm() {
    TokenTint tint;
    tint.isSigned = true;
    tint.moreIsWorse = true;
    tint.low = -1;
    tint.high = 1;
    tint.value = {1, -1};
    const QColor worse = tint.color(0), better = tint.color(1);
    QVERIFY2(worse.red() > worse.blue(), qPrintable(worse.name()));
    QVERIFY2(better.blue() > better.red(), qPrintable(better.name()));
    QCOMPARE(tint.colorAt(1), worse); // the legend's ramp is the words'
    TextWindow s;
    s.fixture.selection.pin(22);
    s.pickColour(TintKind::LossDelta);
    QTRY_VERIFY2(s.says("0.500 (worse)"), qPrintable(s.legend()->sentence()));
}

void tst_TextView::noPin_saysWhatToDo() {
    TextWindow s;
    QTRY_VERIFY2(s.says("Pin a token: click a word."), qPrintable(s.legend()->sentence()));
    QVERIFY(s.says("routed for any query"));
}

void tst_TextView::marks_followPlanAndQuery() {
    TextWindow s;
    const SnapshotPtr snapshot = s.fixture.runs.snapshot();
    const int last = static_cast<int>(snapshot->tokens->size()) - 1;
    const auto any = makeTokenMarks(*snapshot, 1, 1, -1), one = makeTokenMarks(*snapshot, 1, 1, last);
    QCOMPARE(any[0] & AlwaysMark, AlwaysMark);
    QCOMPARE(any[1] & AlwaysMark, AlwaysMark);
    QCOMPARE(any[2] & AlwaysMark, 0);
    const AttentionRow row = makeRow(1, static_cast<std::size_t>(last), *snapshot->tileSource(1));
    int routed = 0;
    for (std::size_t t = 0; t < one.size(); ++t) {
        QCOMPARE((one[t] & KeyMark) != 0, t < row.reason.size() && row.reason[t] == Reason::Routed);
        QVERIFY((any[t] & one[t]) == one[t]);
        routed += (one[t] & KeyMark) != 0 ? 1 : 0;
    }
    QCOMPARE(routed, 4);                                  // the budget
    QVERIFY(makeTokenMarks(*snapshot, 0, 1, -1).empty()); // a layer without a plan
}

void tst_TextView::f2_editsAndUndoRestores() {
    TextWindow s;
    const std::string before = *s.fixture.requests.request().text;
    s.clickToken(s.reading(), 0);
    QTest::keyClick(s.reading(), Qt::Key_F2);
    auto* editor = s.child<QPlainTextEdit>("text.editor");
    QTRY_VERIFY(editor->isVisible());
    QCOMPARE(editor->toPlainText().toStdString(), before);
    QTest::keyClick(editor, Qt::Key_A, Qt::ControlModifier);
    QTest::keyClicks(editor, "The log");
    s.click("text.apply");
    QCOMPARE(*s.fixture.requests.request().text, std::string("The log"));
    QTRY_COMPARE(s.fixture.runs.snapshot()->tokens->size(), std::size_t{2});
    QTRY_COMPARE(s.child<QLabel>("text.info")->text(), QString("T 2"));
    QVERIFY(s.reading()->isVisible());
    s.fixture.requests.undoStack().undo();
    QCOMPARE(*s.fixture.requests.request().text, before);
}

void tst_TextView::editButton_escapeKeepsTheBytes() {
    TextOptions options;
    options.text = "a\r\nb \xFF the\xC2\xA0"
                   "end";
    TextWindow s(options);
    s.click("text.edit");
    auto* editor = s.child<QPlainTextEdit>("text.editor");
    QTRY_VERIFY(editor->isVisible());
    s.click("text.apply"); // untouched: the bytes stay, loose ones too
    QCOMPARE(*s.fixture.requests.request().text, options.text);
    QVERIFY(!s.fixture.requests.undoStack().canUndo());
    s.click("text.edit");
    QTest::keyClicks(editor, "x");
    QTest::keyClick(editor, Qt::Key_Escape);
    QCOMPARE(*s.fixture.requests.request().text, options.text);
    s.click("text.edit");
    editor->moveCursor(QTextCursor::Start);
    QTest::keyClicks(editor, "x");
    QTest::keyClick(editor, Qt::Key_Return, Qt::ControlModifier);
    QCOMPARE(*s.fixture.requests.request().text, std::string("xa\r\nb \xEF\xBF\xBD the\xC2\xA0"
                                                             "end"));
}

void tst_TextView::paste_replacesTheText() {
    TextWindow s;
    QApplication::clipboard()->setText("The third log");
    s.clickToken(s.reading(), 1);
    QTest::keyClick(s.reading(), Qt::Key_V, Qt::ControlModifier);
    QCOMPARE(*s.fixture.requests.request().text, std::string("The third log"));
    QVERIFY(s.fixture.requests.undoStack().canUndo());
}

void tst_TextView::pasteOfNoText_keepsWhatWasTyped_data() {
    QTest::addColumn<QString>("holds");
    for (const char* what : {"cleared", "no formats", "image", "empty text"})
        QTest::newRow(what) << QString::fromLatin1(what);
}

void tst_TextView::pasteOfNoText_keepsWhatWasTyped() {
    QFETCH(QString, holds);
    TextWindow s;
    if (holds == QLatin1String("cleared")) {
        QApplication::clipboard()->clear();
    } else {
        auto* data = new QMimeData;
        if (holds == QLatin1String("image"))
            data->setImageData(QImage(2, 2, QImage::Format_RGB32));
        if (holds == QLatin1String("empty text"))
            data->setText(QString());
        QApplication::clipboard()->setMimeData(data);
    }
    s.click("text.edit");
    auto* editor = s.child<QPlainTextEdit>("text.editor");
    editor->selectAll();
    QTest::keyClicks(editor, "typed");
    editor->selectAll();
    QTest::keyClick(editor, Qt::Key_V, Qt::ControlModifier);
    QCOMPARE(editor->toPlainText(), QStringLiteral("typed"));
    QApplication::clipboard()->setText(QStringLiteral("pasted"));
    QTest::keyClick(editor, Qt::Key_V, Qt::ControlModifier);
    QCOMPARE(editor->toPlainText(), QStringLiteral("pasted"));
}

void tst_TextView::dropOfNoText_keepsWhatWasTyped() {
    TextWindow s;
    s.click("text.edit");
    auto* editor = s.child<QPlainTextEdit>("text.editor");
    editor->selectAll();
    QTest::keyClicks(editor, "typed");
    for (const bool image : {false, true}) {
        QMimeData data;
        if (image)
            data.setImageData(QImage(2, 2, QImage::Format_RGB32));
        QDragEnterEvent enter(QPoint(5, 5), Qt::CopyAction, &data, Qt::LeftButton, {});
        QApplication::sendEvent(editor->viewport(), &enter);
        QVERIFY(!enter.isAccepted());
        QDropEvent drop(QPoint(5, 5), Qt::CopyAction, &data, Qt::LeftButton, {});
        QApplication::sendEvent(editor->viewport(), &drop);
        QCOMPARE(editor->toPlainText(), QStringLiteral("typed"));
    }
}

void tst_TextView::modeButton_whileEditing_takesTheText() {
    TextWindow s;
    s.click("text.edit");
    auto* editor = s.child<QPlainTextEdit>("text.editor");
    editor->selectAll();
    QTest::keyClicks(editor, "typed");
    s.click("text.mode.strip");
    QVERIFY(!editor->isVisible());
    QCOMPARE(*s.fixture.requests.request().text, std::string("typed"));
    QVERIFY(s.strip()->isVisible());
}

void tst_TextView::newText_isReadableBeforeTokens() {
    ViewFixture fixture;
    TextView view(fixture.context());
    view.resize(600, 200);
    view.show();
    auto* canvas = view.findChild<TokenCanvas*>("text.reading");
    QVERIFY(canvas->textLayout().lines().size() >= 2); // words, no snapshot yet
    QCOMPARE(view.findChild<QLabel*>("text.info")->text(), QString("tokens: waits for the model"));
    QTest::mouseClick(canvas->viewport(), Qt::LeftButton, {}, canvas->tokenRect(1).center());
    QCOMPARE(fixture.selection.query(), -1); // words are no tokens
}

void tst_TextView::emptyText_saysHowToBegin() {
    TextOptions options;
    options.text.clear();
    ViewFixture fixture(options);
    TextView view(fixture.context());
    view.resize(600, 200);
    view.show();
    auto* canvas = view.findChild<TokenCanvas*>("text.reading");
    QVERIFY(canvas->textLayout().lines().empty());
    const QImage image = canvas->viewport()->grab().toImage();
    bool ink = false;
    for (int x = 0; x < image.width() && !ink; ++x)
        for (int y = image.height() / 2 - 10; y < image.height() / 2 + 10 && !ink; ++y)
            ink = image.pixelColor(x, y) != Theme::current().paper;
    QVERIFY(ink);
    QTest::keyClick(canvas, Qt::Key_F2);
    QTRY_VERIFY(view.findChild<QPlainTextEdit*>("text.editor")->isVisible());
}

QTEST_MAIN(tst_TextView)
#include "tst_TextView.moc"
