#include "tests/support/TextWindow.h"
#include "ui/plot/Theme.h"
#include "ui/views/TokenCanvas.h"
#include <QApplication>
#include <QLabel>
#include <QScrollBar>
#include <QtTest>

using namespace fovea;
using namespace fovea::ui;
using namespace fovea::test;

class tst_TokenCanvas : public QObject {
    Q_OBJECT
private slots:
    void init() {
        QApplication::setStyle(QStringLiteral("Fusion"));
        Theme::apply(Theme::light());
    }

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

void tst_TokenCanvas::oneToken_isDrawn() {
    TextOptions options;
    options.text = "The";
    TextWindow s(options);
    s.clickToken(s.reading(), 0);
    QCOMPARE(s.fixture.selection.query(), 0);
    QTRY_VERIFY(s.says("read by #0"));
    QCOMPARE(behind(s.reading(), 0), QColor::fromRgb(Ramp::weights(Theme::current()).at(1)));
    s.pickColour(TintKind::RouterScore);
    QTRY_VERIFY2(s.says("no candidate"), qPrintable(s.legend()->sentence()));
}

void tst_TokenCanvas::strip_isOneLineAndFollowsThePin() {
    TextWindow s;
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

void tst_TokenCanvas::unknownAndLooseBytes_areSaid() {
    TextOptions options;
    options.text = "The log\x04 of \xFF code";
    TextWindow s(options);
    const QString info = s.child<QLabel>("text.info")->text();
    QVERIFY2(info.contains("1 bytes could not be tokenised, first at byte 7"), qPrintable(info));
    QVERIFY2(info.contains("1 bytes are not UTF-8, first at byte 12"), qPrintable(info));
    const auto cells = makeTokenCells(*s.fixture.runs.snapshot()->tokens, options.text,
                                      *s.fixture.runs.snapshot()->model->tokenizer, false);
    QCOMPARE(std::count_if(cells.begin(), cells.end(), [](const TokenCell& c) { return c.loose; }), 2);
    QVERIFY(std::any_of(cells.begin(), cells.end(), [](const TokenCell& c) { return c.text == "<FF>"; }));
}

void tst_TokenCanvas::charactersOfSeveralTokens_areDrawnOnce() {
    TextOptions options;
    options.text = "a\xE6\xB8\xAF\xE3\x81\xAE";
    TextWindow s(options);
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

void tst_TokenCanvas::accents_areDrawnWithTheirLetters() {
    TextOptions options;
    // e + acute; a Cyrillic letter with its breve; a + ring + dot below; then a plain letter.
    options.text = "xe\u0301 \u0438\u0306 a\u030A\u0323b";
    TextWindow s(options);
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

void tst_TokenCanvas::specialTokens_areMarked() {
    TextOptions options;
    options.text = "The<|im_end|> log";
    options.specialTokens = true;
    TextWindow s(options);
    const auto cells = makeTokenCells(*s.fixture.runs.snapshot()->tokens, options.text,
                                      *s.fixture.runs.snapshot()->model->tokenizer, true);
    QCOMPARE(cells.size(), std::size_t{3});
    QVERIFY(!cells[0].special && cells[1].special && !cells[2].special);
}

void tst_TokenCanvas::wordsStayWholeAndHitsAgree() {
    TextOptions options;
    options.text.clear();
    for (int i = 0; i < 60; ++i)
        options.text += i % 2 == 0 ? " thexyz harbour" : " thexyz log";
    TextWindow s(options);
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

void tst_TokenCanvas::longText_breaksLinesOnce() {
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

void tst_TokenCanvas::themeChange_recolours() {
    TextWindow s;
    s.fixture.selection.pin(3);
    QTRY_VERIFY(s.says("read by #3"));
    const QColor light = behind(s.reading(), 0);
    Theme::apply(Theme::darkTheme());
    QTRY_VERIFY(behind(s.reading(), 0) != light);
}

QTEST_MAIN(tst_TokenCanvas)
#include "tst_TokenCanvas.moc"
