#include "core/measure/RowFacts.h"
#include "core/text/TokenSearch.h"
#include "tests/support/ViewFixture.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include "ui/views/TextLegend.h"
#include "ui/views/TextView.h"
#include "ui/views/TokenCanvas.h"
#include "ui/views/TokenMarks.h"
#include <QAbstractButton>
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QScrollBar>
#include <QtTest>

using namespace fovea;
using namespace fovea::ui;
using test::TextOptions;
using test::ViewFixture;

namespace {

/// A view on screen over a fixture that has answered once.
struct Shown {
    ViewFixture fixture;
    TextView view;

    explicit Shown(TextOptions options = {}, std::function<void(Snapshot&)> edit = {})
        : fixture(std::move(options), std::move(edit)), view(fixture.context()) {
        view.resize(900, 260);
        view.show();
        if (!fixture.run())
            qFatal("no snapshot");
    }
    template <class T>
    T* child(const char* name) {
        T* found = view.findChild<T*>(QLatin1String(name));
        if (!found)
            qFatal("no %s", name);
        return found;
    }
    TokenCanvas* reading() { return child<TokenCanvas>("text.reading"); }
    TokenCanvas* strip() { return child<TokenCanvas>("text.strip"); }
    TextLegend* legend() { return child<TextLegend>("text.legend"); }
    void click(const char* name) { QTest::mouseClick(child<QAbstractButton>(name), Qt::LeftButton); }
    void clickToken(TokenCanvas* canvas, int token, Qt::KeyboardModifiers keys = {}) {
        QTest::mouseClick(canvas->viewport(), Qt::LeftButton, keys, canvas->tokenRect(token).center());
    }
    /// The index of the first token written as `piece`, at or after `from`.
    int tokenOf(const std::string& piece, int from = 0) {
        const Tokens& tokens = *fixture.runs.snapshot()->tokens;
        for (std::size_t t = static_cast<std::size_t>(from); t < tokens.size(); ++t)
            if (tokens.pieces[t] == piece)
                return static_cast<int>(t);
        return -1;
    }
    void pickColour(TintKind kind) {
        auto* box = child<QComboBox>("text.colour");
        box->setFocus();
        QTest::keyClick(box, Qt::Key_Home);
        for (int i = 0; i < static_cast<int>(kind); ++i)
            QTest::keyClick(box, Qt::Key_Down);
    }
    bool says(const QString& part) { return legend()->sentence().contains(part); }
};

/// The colour behind a token: a pixel at the edge of its background, where no letter is.
QColor behind(TokenCanvas* canvas, int token) {
    const QRect rect = canvas->tokenRect(token);
    const QImage image = canvas->viewport()->grab().toImage();
    return image.pixelColor(rect.left() + 1, rect.top() + 2);
}

} // namespace

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
    void worseLoss_isWarm();
    void everyColour_hasALegendWithEnds_data();
    void everyColour_hasALegendWithEnds();
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
    void oneToken_isDrawn();
    void strip_isOneLineAndFollowsThePin();
    void unknownAndLooseBytes_areSaid();
    void charactersOfSeveralTokens_areDrawnOnce();
    void accents_areDrawnWithTheirLetters();
    void specialTokens_areMarked();
    void wordsStayWholeAndHitsAgree();
    void longText_breaksLinesOnce();
    void themeChange_recolours();
};

void tst_TextView::click_pinsAndShiftClickAdds() {
    Shown s;
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
    Shown s;
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
    Shown s;
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
    Shown s;
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
    Shown s;
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
    Shown s;
    const int code = s.tokenOf(" code");
    QTest::mouseMove(s.reading()->viewport(), s.reading()->tokenRect(code).center());
    QTRY_COMPARE(s.fixture.selection.hovered(), code);
    QEvent leave(QEvent::Leave);
    QApplication::sendEvent(s.reading()->viewport(), &leave);
    QCOMPARE(s.fixture.selection.hovered(), -1);
    QCOMPARE(s.fixture.selection.query(), -1);
}

void tst_TextView::keys_movePinAndEscapeDropsIt() {
    Shown s;
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
    Shown s;
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
    Shown s;
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
                             << "p^ read by #22, L1 H1; 0.000100 to 1.00 log";
    QTest::newRow("given to") << static_cast<int>(TintKind::GivenToSelected)
                              << "p^ given to #22, L1 H1; 0.000100 to 1.00 log";
    QTest::newRow("loss") << static_cast<int>(TintKind::LossDelta)
                          << "loss B - A, nats, propagated; -0.500 to 0.500";
    QTest::newRow("surprisal") << static_cast<int>(TintKind::Surprisal)
                               << "surprisal, nats, full run; 0 to 10.0";
    QTest::newRow("router") << static_cast<int>(TintKind::RouterScore) << "key_norm for #22, L1 H1";
}

void tst_TextView::everyColour_hasALegendWithEnds() {
    QFETCH(int, kind);
    QFETCH(QString, says);
    Shown s;
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
    Shown s;
    s.fixture.selection.pin(22);
    s.pickColour(TintKind::LossDelta);
    QTRY_VERIFY2(s.says("0.500 (worse)"), qPrintable(s.legend()->sentence()));
}

void tst_TextView::noPin_saysWhatToDo() {
    Shown s;
    QTRY_VERIFY2(s.says("Pin a token: click a word."), qPrintable(s.legend()->sentence()));
    QVERIFY(s.says("routed for any query"));
}

void tst_TextView::marks_followPlanAndQuery() {
    Shown s;
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
    Shown s;
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
    Shown s(options);
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
    Shown s;
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
    Shown s;
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
    Shown s;
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
    Shown s;
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

void tst_TextView::oneToken_isDrawn() {
    TextOptions options;
    options.text = "The";
    Shown s(options);
    s.clickToken(s.reading(), 0);
    QCOMPARE(s.fixture.selection.query(), 0);
    QTRY_VERIFY(s.says("read by #0"));
    QCOMPARE(behind(s.reading(), 0), QColor::fromRgb(Ramp::weights(Theme::current()).at(1)));
    s.pickColour(TintKind::RouterScore);
    QTRY_VERIFY2(s.says("no candidate"), qPrintable(s.legend()->sentence()));
}

void tst_TextView::strip_isOneLineAndFollowsThePin() {
    Shown s;
    s.click("text.mode.strip");
    QVERIFY(s.strip()->isVisible() && !s.reading()->isVisible());
    QCOMPARE(s.strip()->textLayout().lines().size(), std::size_t{1});
    const int last = static_cast<int>(s.fixture.runs.snapshot()->tokens->size()) - 1;
    s.fixture.selection.pin(last);
    QVERIFY(s.strip()->viewport()->rect().contains(s.strip()->tokenRect(last)));
    s.clickToken(s.strip(), last - 1);
    QCOMPARE(s.fixture.selection.query(), last - 1);
    s.click("text.mode.reading");
    QVERIFY(s.reading()->isVisible());
}

void tst_TextView::unknownAndLooseBytes_areSaid() {
    TextOptions options;
    options.text = "The log\x04 of \xFF code";
    Shown s(options);
    const QString info = s.child<QLabel>("text.info")->text();
    QVERIFY2(info.contains("1 bytes could not be tokenised, first at byte 7"), qPrintable(info));
    QVERIFY2(info.contains("1 bytes are not UTF-8, first at byte 12"), qPrintable(info));
    const auto cells = makeTokenCells(*s.fixture.runs.snapshot()->tokens, options.text,
                                      *s.fixture.runs.snapshot()->model->tokenizer, false);
    QCOMPARE(std::count_if(cells.begin(), cells.end(), [](const TokenCell& c) { return c.loose; }), 2);
    QVERIFY(std::any_of(cells.begin(), cells.end(), [](const TokenCell& c) { return c.text == "<FF>"; }));
}

void tst_TextView::charactersOfSeveralTokens_areDrawnOnce() {
    TextOptions options;
    options.text = "a\xE6\xB8\xAF\xE3\x81\xAE";
    Shown s(options);
    const Tokens& tokens = *s.fixture.runs.snapshot()->tokens;
    QCOMPARE(tokens.size(), std::size_t{7});
    const auto& tokenizer = *s.fixture.runs.snapshot()->model->tokenizer;
    const auto prose = makeTokenCells(tokens, options.text, tokenizer, true);
    QCOMPARE(prose[1].text, QString::fromUtf8("\xE6\xB8\xAF"));
    QCOMPARE(prose[1].tokens, 3);
    QCOMPARE(prose[2].tokens, 0);
    QCOMPARE(makeTokenCells(tokens, options.text, tokenizer, false)[1].text, QString("<E6>"));
    s.clickToken(s.reading(), 2); // each token keeps a place of its own
    QCOMPARE(s.fixture.selection.query(), 2);
}

void tst_TextView::accents_areDrawnWithTheirLetters() {
    TextOptions options;
    // e + acute; a Cyrillic letter with its breve; a + ring + dot below; then a plain letter.
    options.text = "xe\u0301 \u0438\u0306 a\u030A\u0323b";
    Shown s(options);
    const auto snapshot = s.fixture.runs.snapshot();
    const auto cells = makeTokenCells(*snapshot->tokens, options.text, *snapshot->model->tokenizer, true);
    QStringList drawn;
    int tokens = 0;
    for (const TokenCell& cell : cells) {
        tokens += cell.tokens;
        if (cell.tokens > 0)
            drawn << cell.text.mid(cell.leadingDots);
    }
    QCOMPARE(tokens, static_cast<int>(snapshot->tokens->size()));
    for (const char* whole : {"e\u0301", "\u0438\u0306", "a\u030A\u0323"})
        QVERIFY2(drawn.contains(QString::fromUtf8(whole)), qPrintable(drawn.join(QLatin1Char('|'))));
    QVERIFY(drawn.contains(QStringLiteral("x")) && drawn.contains(QStringLiteral("b")));
    const auto chips = makeTokenCells(*snapshot->tokens, options.text, *snapshot->model->tokenizer, false);
    QVERIFY(std::all_of(chips.begin(), chips.end(), [](const TokenCell& c) { return c.tokens == 1; }));
}

void tst_TextView::specialTokens_areMarked() {
    TextOptions options;
    options.text = "The<|im_end|> log";
    options.specialTokens = true;
    Shown s(options);
    const auto cells = makeTokenCells(*s.fixture.runs.snapshot()->tokens, options.text,
                                      *s.fixture.runs.snapshot()->model->tokenizer, true);
    QCOMPARE(cells.size(), std::size_t{3});
    QVERIFY(!cells[0].special && cells[1].special && !cells[2].special);
}

void tst_TextView::wordsStayWholeAndHitsAgree() {
    TextOptions options;
    options.text.clear();
    for (int i = 0; i < 60; ++i)
        options.text += i % 2 == 0 ? " thexyz harbour" : " thexyz log";
    Shown s(options);
    const TextLayout& layout = s.reading()->textLayout();
    const Tokens& tokens = *s.fixture.runs.snapshot()->tokens;
    QVERIFY(layout.lines().size() > 3);
    for (const TextLayout::Line& line : layout.lines())
        if (line.first > 0)
            QCOMPARE(tokens.pieces[static_cast<std::size_t>(line.first)].front(), ' ');
    for (int t = 0; t < static_cast<int>(tokens.size()); ++t) {
        QCOMPARE(layout.tokenAt(layout.rectOf(t).center()), t);
        QVERIFY(layout.rectOf(t).right() <= s.reading()->viewport()->width());
    }
    QCOMPARE(layout.tokenAt({-5, -5}), -1);
}

void tst_TextView::longText_breaksLinesOnce() {
    std::vector<TokenCell> cells(16'384);
    for (std::size_t t = 0; t < cells.size(); ++t) {
        cells[t].text = QString::fromUtf8("\u00B7word");
        cells[t].leadingDots = 1;
    }
    int measured = 0;
    TextLayout layout;
    TextLayout::Style style;
    style.width = 800;
    layout.build(cells, style, [&](const TokenCell&) {
        ++measured;
        return 40.0;
    });
    QCOMPARE(measured, 16'384);
    QCOMPARE(layout.lines().size(), std::size_t{820}); // 20 to a line
    QCOMPARE(layout.lineAt(layout.height() + 100), 819);

    SelectionModel selection;
    TokenCanvas canvas(TokenCanvas::Shape::Reading, selection);
    canvas.resize(800, 200);
    canvas.show();
    canvas.setCells(cells, true);
    canvas.showToken(16'000);
    QVERIFY(canvas.viewport()->rect().contains(canvas.tokenRect(16'000)));
    QVERIFY(canvas.verticalScrollBar()->value() > 0);
}

void tst_TextView::themeChange_recolours() {
    Shown s;
    s.fixture.selection.pin(3);
    QTRY_VERIFY(s.says("read by #3"));
    const QColor light = behind(s.reading(), 0);
    Theme::apply(Theme::darkTheme());
    QTRY_VERIFY(behind(s.reading(), 0) != light);
}

QTEST_MAIN(tst_TextView)
#include "tst_TextView.moc"
