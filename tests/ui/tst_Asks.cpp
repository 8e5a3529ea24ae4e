// What users of other tools asked for, each driven with mouse and keys in the whole window, with a real
// engine on a small model; the named command gives the same numbers.
#include "SourceDir.h"
#include "core/engine/HeadMetric.h"
#include "core/measure/BlockFacts.h"
#include "core/measure/RecipeTile.h"
#include "core/policy/PolicyTitle.h"
#include "tests/support/ProgramSays.h"
#include "tests/support/TinyModel.h"
#include "tests/support/WindowStage.h"
#include "ui/plot/CurvePlot.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include "ui/views/HeadsView.h"
#include "ui/views/MapView.h"
#include "ui/views/TextView.h"
#include "ui/views/TokenCanvas.h"
#include "ui/window/ModelCard.h"
#include "ui/window/StatusLine.h"
#include <QAbstractButton>
#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QDropEvent>
#include <QFile>
#include <QFileDialog>
#include <QHeaderView>
#include <QJsonArray>
#include <QJsonObject>
#include <QLabel>
#include <QMenu>
#include <QMimeData>
#include <QSignalSpy>
#include <QTableView>
#include <QTest>
#include <QToolButton>

using namespace fovea;
using namespace fovea::ui;
using namespace fovea::test;

namespace {

/// The whole window with a small model and a short text, at rest.
struct Window : Stage {
    TinyModelFile model;
    QString modelPath;
    QTemporaryDir folder;
    QString textPath = folder.filePath(QStringLiteral("text.txt"));

    explicit Window(std::size_t letters = 60, std::uint32_t layers = 2)
        : Stage(LatestWorker::Runner{}), model(layers), modelPath(QString::fromStdString(model.path())) {
        start(tinyText(letters));
    }
    /// Another model of `tests/golden/families`, over a text of words.
    Window(const QString& family, const std::string& text)
        : Stage(LatestWorker::Runner{}),
          modelPath(QStringLiteral(FOVEA_SOURCE_DIR "/tests/golden/families/%1/model.gguf").arg(family)) {
        start(text);
    }
    void start(const std::string& text) {
        window.resize(1280, 800);
        QFile file(textPath);
        if (!file.open(QIODevice::WriteOnly))
            qFatal("no file");
        file.write(QByteArray::fromStdString(text));
        file.close();
        requests.setPolicy(tinyRequest(model).policy, QStringLiteral("test"));
        window.documents().open({textPath});
        window.documents().openModel(modelPath);
    }
    [[nodiscard]] bool atRest() {
        return QTest::qWaitFor([this] { return runs.lastComplete() && !runs.updating(); }, 120'000);
    }
    void key(Qt::Key key, Qt::KeyboardModifiers modifiers = {}) {
        QWidget* focus = QApplication::focusWidget();
        QTest::keyClick(focus != nullptr ? focus : &window, key, modifiers);
    }
    /// Clicks the token `query`, then drags over the words from `first` to `last`.
    void dragWords(int query, int first, int last) {
        auto* text = find<TokenCanvas>("text.reading");
        const auto at = [text](int token) { return text->tokenRect(token).center(); };
        QTest::mouseClick(text->viewport(), Qt::LeftButton, {}, at(query));
        QTest::mousePress(text->viewport(), Qt::LeftButton, {}, at(first));
        QTest::mouseMove(text->viewport(), at(last));
        QTest::mouseRelease(text->viewport(), Qt::LeftButton, {}, at(last));
    }
    MapCanvas& map() { return *find<MapCanvas>("map.canvas"); }
    [[nodiscard]] int tokens() const { return static_cast<int>(runs.lastComplete()->tokens->size()); }
    [[nodiscard]] QStringList policyOptions() const {
        return QString::fromStdString(policyToOptions(requests.request().policy))
            .split(QLatin1Char(' '), Qt::SkipEmptyParts);
    }
    /// The output of a command on the same text, model and policy.
    [[nodiscard]] QJsonObject command(const QString& name, const QStringList& more) {
        QStringList arguments{name, textPath, QStringLiteral("--model"), modelPath};
        arguments += policyOptions();
        arguments += more;
        return programSays(arguments);
    }
    /// Full attention's mass of a query on the keys [first, last), as the command has it.
    [[nodiscard]] double massOf(int query, int first, int last) {
        return command(QStringLiteral("attention"),
                       {QStringLiteral("--layer"), QString::number(selection.layer()),
                        QStringLiteral("--head"), QString::number(selection.head()),
                        QStringLiteral("--block"),
                        QStringLiteral("%1:%2,%3:%4").arg(query).arg(query + 1).arg(first).arg(last),
                        QStringLiteral("--quantity"), QStringLiteral("full")})[QStringLiteral("mass")]
            .toDouble();
    }
    /// An entry of the map's menu "cells", with the mouse.
    void chooseCells(const char* entry) {
        QTest::mouseClick(find<QWidget>("map.cells"), Qt::LeftButton);
        auto* menu = find<QMenu>("map.cells.menu");
        auto* action = menu->findChild<QAction*>(QLatin1String(entry));
        QVERIFY2(action != nullptr, entry);
        QTest::mouseClick(menu, Qt::LeftButton, {}, menu->actionGeometry(action).center());
    }
    /// A row of the combined map, saved as numbers, is what the command prints for it, and sums to 1 unless
    /// it is of the maximum.
    void compareRow(int cell, const QStringList& options) {
        const QString path = folder.filePath(QStringLiteral("row%1.csv").arg(++m_files));
        window.action("file.exportNumbers")->trigger();
        saveAs("map.saveNumbers", path);
        const MapRecipe& recipe = *map().scene().recipe;
        const std::size_t first = recipe.tokensOf(static_cast<std::size_t>(cell)).first;
        QStringList arguments{QStringLiteral("--layer"), QString::number(selection.layer()),
                              QStringLiteral("--query"), QString::number(first)};
        if (!options.contains(QStringLiteral("--merge-heads")))
            arguments << QStringLiteral("--head") << QString::number(selection.head());
        const QJsonObject said = command(QStringLiteral("attention"), arguments + options);
        QCOMPARE(said[QStringLiteral("recipe")].toString().toStdString(), recipe.text());
        const QJsonArray full = said[QStringLiteral("full")].toArray();
        const QJsonArray hybrid = said[QStringLiteral("hybrid")].toArray();
        QFile file(path);
        QVERIFY(file.open(QIODevice::ReadOnly));
        qsizetype at = 0;
        double sum = 0;
        for (const QByteArray& line : file.readAll().split('\n')) {
            const QList<QByteArray> fields = line.split(',');
            if (fields.size() < 8 || fields[0] != QByteArray::number(static_cast<qulonglong>(first)))
                continue;
            QVERIFY(at < full.size());
            QCOMPARE(fields[6].toDouble(), full[at].toDouble());
            QCOMPARE(fields[7].toDouble(), hybrid[at].toDouble());
            sum += fields[6].toDouble();
            ++at;
        }
        QCOMPARE(at, full.size());
        if (recipe.combine == HeadCombine::Mean)
            QVERIFY2(std::abs(sum - 1) < 1e-5, qPrintable(QString::number(sum)));
    }
    /// Types a name into the save dialog that an action has opened.
    void saveAs(const char* dialogName, const QString& path) {
        auto* dialog = window.findChild<QFileDialog*>(QLatin1String(dialogName));
        QVERIFY2(dialog != nullptr, dialogName);
        dialog->selectFile(path);
        QMetaObject::invokeMethod(dialog, "accept");
        QTRY_VERIFY_WITH_TIMEOUT(QFile::exists(path), 60'000);
    }

private:
    int m_files = 0;
};

QByteArray contentOf(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

} // namespace

class tst_Asks : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() {
        keepSettingsIn(m_dir);
        if (qEnvironmentVariableIsEmpty("FOVEA_PROGRAM"))
            QSKIP("FOVEA_PROGRAM names the program whose commands are compared; ctest sets it");
    }
    void init() {
        QSettings().clear();
        Theme::apply(Theme::light());
    }

    /// A long text is one map: all of it in sight, a part by the wheel, the rest by the small map.
    void ask01_longText() {
        Window w(33'000);
        QVERIFY(w.atRest());
        QAbstractButton* all = nullptr;
        for (auto* button : w.window.findChildren<QAbstractButton*>())
            if (button->text() == QLatin1String("All"))
                all = button;
        QVERIFY(all != nullptr);
        QTest::mouseClick(all, Qt::LeftButton);
        QVERIFY(w.atRest());
        QVERIFY2(w.tokens() > 10'000, qPrintable(QString::number(w.tokens())));
        QVERIFY(w.map().fitted() && w.map().pools());
        const QPoint at = w.map().mapLayout().plots.front().center().toPoint() - QPoint(40, -40);
        for (int i = 0; i < 10; ++i) {
            QWheelEvent event(at, w.map().mapToGlobal(at), {}, QPoint(0, 240), Qt::NoButton, {},
                              Qt::NoScrollPhase, false);
            QApplication::sendEvent(&w.map(), &event);
        }
        QVERIFY(!w.map().fitted());
        auto* minimap = w.find<QWidget>("map.minimap");
        QVERIFY(minimap->isVisible());
        const RowRange before = w.map().shownQueries();
        QTest::mouseClick(minimap, Qt::LeftButton, {}, QPoint(20, 110));
        QVERIFY(w.map().shownQueries().first > before.first);
        auto* view = w.find<MapView>("map");
        QTRY_VERIFY_WITH_TIMEOUT(view->tiles().settled(), 60'000);
        // Moving about starts no run.
        QVERIFY(!w.runs.updating());
    }

    /// A quantised model of one's own, dropped on the window; its card comes first.
    void ask02_ownModel() {
        Stage s{LatestWorker::Runner{}};
        const TinyModelFile model;
        QString said;
        const auto overlay = [&] { said = s.find<QLabel>("drop.overlay")->text(); };
        dropFiles(s, {QString::fromStdString(model.path())}, overlay);
        QVERIFY2(said.contains(QStringLiteral("GGUF")), qPrintable(said));
        QTRY_VERIFY_WITH_TIMEOUT(s.runs.lastComplete(), 60'000);
        const QString all = cardWords(s);
        QVERIFY2(all.contains(QStringLiteral("llama")) && all.contains(QStringLiteral("Q4_0")),
                 qPrintable(all));
    }

    /// Exact rows out of a fast engine: the inspector's numbers are those of `fovea attention`.
    void ask03_exactRows() {
        Window w;
        QVERIFY(w.atRest());
        auto* text = w.find<TokenCanvas>("text.reading");
        const int query = w.tokens() - 2;
        QTest::mouseClick(text->viewport(), Qt::LeftButton, {}, text->tokenRect(query).center());
        QCOMPARE(w.selection.query(), query);
        auto* reads = w.find<QTableView>("inspector.reads");
        QTRY_VERIFY(reads->model()->rowCount() > 2);
        const QJsonObject row = w.command(QStringLiteral("attention"),
                                          {QStringLiteral("--layer"), QString::number(w.selection.layer()),
                                           QStringLiteral("--head"), QString::number(w.selection.head()),
                                           QStringLiteral("--query"), QString::number(query)});
        const QJsonArray full = row[QStringLiteral("full")].toArray();
        const QJsonArray hybrid = row[QStringLiteral("hybrid")].toArray();
        QCOMPARE(full.size(), query + 1);
        for (int line = 0; line < reads->model()->rowCount(); ++line) {
            const auto shown = [&](int column) {
                return reads->model()->index(line, column).data().toString();
            };
            const int key = shown(0).mid(1).section(QLatin1Char(' '), 0, 0).toInt();
            QCOMPARE(shown(1), threeDigits(full[key].toDouble()));
            if (!shown(2).isEmpty() && hybrid[key].toDouble() > 0)
                QCOMPARE(shown(2), threeDigits(hybrid[key].toDouble()));
        }
    }

    /// A vector figure of exactly this view.
    void ask04_vectorFigure() {
        Window w;
        QVERIFY(w.atRest());
        w.map().setFocus();
        QTest::keyClick(&w.map(), Qt::Key_M); // another mode
        const QString path = w.folder.filePath(QStringLiteral("figure.svg"));
        QTest::keyClick(&w.map(), Qt::Key_E, Qt::ControlModifier);
        w.saveAs("map.save", path);
        const QByteArray svg = contentOf(path);
        QVERIFY(svg.contains("<text") && svg.contains("<path"));
        QVERIFY2(svg.contains(QByteArray::fromStdString(w.runs.snapshot()->textHash.substr(0, 8))),
                 "provenance");
        QVERIFY(svg.contains("key") && svg.contains("query"));
        const QString pdf = w.folder.filePath(QStringLiteral("figure.pdf"));
        QTest::keyClick(&w.map(), Qt::Key_E, Qt::ControlModifier);
        w.saveAs("map.save", pdf);
        QTRY_VERIFY(contentOf(pdf).startsWith("%PDF-") && contentOf(pdf).contains("%%EOF"));
    }

    /// One file that opens offline.
    void ask05_offlineReport() {
        Window w;
        QVERIFY(w.atRest());
        const QString path = w.folder.filePath(QStringLiteral("report.html"));
        w.window.action("file.report")->trigger();
        w.saveAs("save.dialog", path);
        QTRY_VERIFY(contentOf(path).endsWith("</html>\n"));
        const QString html = QString::fromUtf8(contentOf(path));
        const double kl = w.runs.lastComplete()->propagated->fidelity.nextTokenKl;
        QVERIFY(html.contains(QString::asprintf("%.5f", kl)));
        QVERIFY(html.count(QStringLiteral("<svg")) == 2 && !html.contains(QStringLiteral("<script")));
        // The figures are those of `fovea analyze`.
        const QJsonObject report = w.command(QStringLiteral("analyze"), {});
        const double told =
            report[QStringLiteral("fidelity")].toObject()[QStringLiteral("next_token_kl")].toDouble();
        QVERIFY2(std::abs(told - kl) < 1e-9, qPrintable(QString::number(told)));
    }

    /// A pin survives layer, head, policy, run and session.
    void ask08_pinSurvives() {
        Window w;
        QVERIFY(w.atRest());
        auto* text = w.find<TokenCanvas>("text.reading");
        QTest::mouseClick(text->viewport(), Qt::LeftButton, {}, text->tokenRect(11).center());
        QTest::mouseClick(text->viewport(), Qt::LeftButton, Qt::ShiftModifier, text->tokenRect(20).center());
        const std::set<int> pins{11, 20};
        QVERIFY(w.selection.pins() == pins);
        QTest::keyClick(&w.window, Qt::Key_PageUp);
        QTest::keyClick(&w.window, Qt::Key_BracketRight);
        w.requests.setParam(*findParam("window"), ParamValue(std::int64_t{5}));
        QVERIFY(w.atRest());
        QVERIFY(w.selection.pins() == pins);
        const QString session = w.folder.filePath(QStringLiteral("session.json"));
        w.window.documents().saveSession(session);
        w.window.documents().openSample();
        QVERIFY(w.selection.pins().empty()); // of another text
        w.window.documents().open({session});
        QVERIFY(w.atRest());
        QVERIFY(w.selection.pins() == pins);
        QCOMPARE(w.selection.query(), 20);
    }

    /// Several tokens at once: a span of words, a rectangle of the map, their sums.
    void ask09_severalTokens() {
        Window w;
        QVERIFY(w.atRest());
        const int query = w.tokens() - 1;
        w.dragWords(query, 3, 6);
        auto* sentence = w.find<QLabel>("inspector.sentence");
        const QJsonObject block =
            w.command(QStringLiteral("attention"),
                      {QStringLiteral("--layer"), QString::number(w.selection.layer()),
                       QStringLiteral("--head"), QString::number(w.selection.head()),
                       QStringLiteral("--block"), QStringLiteral("%1:%2,3:7").arg(query).arg(query + 1),
                       QStringLiteral("--quantity"), QStringLiteral("full")});
        const QString mass = threeDigits(100 * block[QStringLiteral("mass")].toDouble());
        QTRY_VERIFY2(sentence->text().contains(QStringLiteral("#3\u2013#6")) &&
                         sentence->text().contains(mass + QStringLiteral(" %")),
                     qPrintable(sentence->text() + QLatin1Char(' ') + mass));
        // A rectangle of the map.
        QTest::mousePress(&w.map(), Qt::LeftButton, {}, w.map().cellCentre({20, 2}).toPoint());
        QTest::mouseMove(&w.map(), w.map().cellCentre({22, 4}).toPoint());
        QTest::mouseMove(&w.map(), w.map().cellCentre({24, 8}).toPoint());
        QTest::mouseRelease(&w.map(), Qt::LeftButton, {}, w.map().cellCentre({24, 8}).toPoint());
        QVERIFY((w.selection.block() == SelectionModel::Block{20, 25, 2, 9}));
        QTRY_VERIFY2(sentence->text().contains(QStringLiteral("#20\u2013#24")), qPrintable(sentence->text()));
        QVERIFY2(sentence->text().contains(QStringLiteral("of 35 pairs kept")), qPrintable(sentence->text()));
    }

    /// Heads and layers as one: the mean of the layer's heads is that of `fovea attention --merge-heads`, a
    /// set over layers is full attention; the recipe stands in title, legend and file.
    void ask10_combinedHeads() {
        Window w;
        QVERIFY(w.atRest());
        w.chooseCells("map.heads.layer-mean");
        QCOMPARE(w.map().scene().recipe->text(), std::string("mean of L0 H0 to H1"));
        const int query = w.tokens() - 1;
        w.compareRow(query, {QStringLiteral("--merge-heads"), QStringLiteral("all")});
        const QString svg = w.folder.filePath(QStringLiteral("mean.svg"));
        w.map().setFocus();
        QTest::keyClick(&w.map(), Qt::Key_E, Qt::ControlModifier);
        w.saveAs("map.save", svg);
        QVERIFY(contentOf(svg).contains("mean of L0 H0 to H1"));
        w.chooseCells("map.heads.layer-max");
        w.compareRow(query, {QStringLiteral("--merge-heads"), QStringLiteral("all"),
                             QStringLiteral("--merge"), QStringLiteral("max")});
        auto* grid = w.find<HeadsGrid>("heads.grid");
        for (const int layer : {0, 1})
            QTest::mouseClick(grid, Qt::LeftButton, Qt::ShiftModifier,
                              grid->cellRect(layer, 1).center().toPoint());
        QCOMPARE(w.map().scene().recipe->text(), std::string("mean of L0 H1, L1 H1"));
        QCOMPARE(w.map().scene().panes.front().quantity, MapQuantity::Full);
        QTRY_VERIFY_WITH_TIMEOUT(w.find<MapView>("map")->tiles().settled(), 60'000);
    }

    /// Past the sink: its share is said, in a strip, left out, and explained.
    void ask11_pastTheSink() {
        Window w;
        QVERIFY(w.atRest());
        auto* text = w.find<TokenCanvas>("text.reading");
        const int query = w.tokens() - 2;
        QTest::mouseClick(text->viewport(), Qt::LeftButton, {}, text->tokenRect(query).center());
        w.map().setFocus();
        QTest::keyClick(&w.map(), Qt::Key_I);
        const QString mass = threeDigits(100 * w.massOf(query, 0, 2));
        QTRY_VERIFY2(w.map().scene().hidden.endsWith(QStringLiteral(", %1 % of #%2").arg(mass).arg(query)),
                     qPrintable(w.map().scene().hidden + QLatin1Char(' ') + mass));
        QCOMPARE(w.map().scene().strip.size(), static_cast<std::size_t>(w.tokens()));
        QTest::keyClick(&w.map(), Qt::Key_I);
        QVERIFY(w.map().scene().strip.empty() && w.map().scene().panes.front().hidden);
        QTest::keyClick(&w.map(), Qt::Key_L); // and the log scale is off and on
        QCOMPARE(w.map().scene().panes.front().scale.kind(), ScaleKind::Linear);
        w.chooseCells("map.hide.explain");
        auto* said = w.find<QLabel>("error.bar.text");
        QTRY_VERIFY2(said->text().startsWith(QStringLiteral("Sinks #0\u2013#1 take ")),
                     qPrintable(said->text()));
    }

    /// The numbers, without a picture: the map as a table that is read, sorted and copied; each row is what
    /// `fovea attention` prints.
    void ask12_theNumbers() {
        Window w;
        QVERIFY(w.atRest());
        w.map().setFocus();
        QTest::keyClick(&w.map(), Qt::Key_T, Qt::ControlModifier);
        auto* table = w.find<QTableView>("map.table");
        QVERIFY(table->isVisible());
        QCOMPARE(QApplication::focusWidget(), table);
        const int pairs = w.tokens() * (w.tokens() + 1) / 2;
        QTRY_COMPARE_WITH_TIMEOUT(table->model()->rowCount(), std::min(pairs, 1000), 60'000);
        auto* state = w.find<QLabel>("map.table.state");
        QVERIFY2(state->text().contains(groupedCount(static_cast<std::uint64_t>(pairs))),
                 qPrintable(state->text()));
        QVERIFY(table->accessibleName().contains(state->text()));
        // Down goes to the next of the strongest and pins it everywhere.
        QTest::keyClick(table, Qt::Key_Down);
        const auto shown = [table](int row, int column) {
            return table->model()->index(row, column).data().toString();
        };
        const auto pinnedQuery = [&w] { return QStringLiteral("#%1").arg(w.selection.pinnedPair().query); };
        const QString chosen = shown(table->currentIndex().row(), 0).section(QLatin1Char(' '), 0, 0);
        QCOMPARE(pinnedQuery(), chosen);
        // With Shift a further row is chosen, to be copied; the pin stays.
        QTest::keyClick(table, Qt::Key_Down, Qt::ShiftModifier);
        QCOMPARE(pinnedQuery(), chosen);
        QTest::keyClick(table, Qt::Key_C, Qt::ControlModifier);
        const QStringList copied = QApplication::clipboard()->text().split(QLatin1Char('\n'));
        QVERIFY2(copied.size() >= 3, qPrintable(QApplication::clipboard()->text()));
        QCOMPARE(copied[0], QStringLiteral("query\tkey\tA\tB\tB \u2212 A\twhy"));
        std::map<int, QJsonObject> rows;
        for (int line = 1; line < copied.size(); ++line) {
            const QStringList cells = copied[line].split(QLatin1Char('\t'));
            const int query = cells[0].mid(1).section(QLatin1Char(' '), 0, 0).toInt(),
                      key = cells[1].mid(1).section(QLatin1Char(' '), 0, 0).toInt();
            if (!rows.contains(query))
                rows[query] = w.command(QStringLiteral("attention"),
                                        {QStringLiteral("--layer"), QString::number(w.selection.layer()),
                                         QStringLiteral("--head"), QString::number(w.selection.head()),
                                         QStringLiteral("--query"), QString::number(query)});
            const double full = rows[query][QStringLiteral("full")].toArray()[key].toDouble(),
                         hybrid = rows[query][QStringLiteral("hybrid")].toArray()[key].toDouble();
            QVERIFY2(std::abs(cells[2].toDouble() - full) < 1e-6, qPrintable(copied[line]));
            QVERIFY2(std::abs(cells[3].toDouble() - hybrid) < 1e-6, qPrintable(copied[line]));
            QVERIFY(std::abs(cells[4].toDouble() - (hybrid - full)) < 1e-6);
        }
        // By the key, with the mouse.
        QHeaderView* header = table->horizontalHeader();
        const QPoint at(header->sectionViewportPosition(1) + 20, header->height() / 2);
        QTest::mouseClick(header->viewport(), Qt::LeftButton, {}, at);
        const bool ascending = header->sortIndicatorOrder() == Qt::AscendingOrder;
        const auto keyOf = [&](int row) {
            return shown(row, 1).mid(1).section(QLatin1Char(' '), 0, 0).toInt();
        };
        for (int row = 1; row < table->model()->rowCount(); ++row)
            QVERIFY(ascending ? keyOf(row) >= keyOf(row - 1) : keyOf(row) <= keyOf(row - 1));
        QTest::keyClick(table, Qt::Key_T, Qt::ControlModifier);
        QVERIFY(!table->isVisible());
        QCOMPARE(QApplication::focusWidget(), &w.map());
    }

    /// Words and sentences: a cell is the sum over its keys of the mean over its queries.
    void ask13_wordsAndSentences() {
        Window w(QStringLiteral("llama"), "The harbour master wrote this in the log before breakfast\n"
                                          "so that nobody need ask again what the third anchor is");
        QVERIFY(w.atRest());
        w.map().setFocus();
        for (const char* by : {"word", "sentence"}) {
            QTest::keyClick(&w.map(), Qt::Key_G);
            const int cells = w.map().scene().count;
            QVERIFY(cells > 1 && cells < w.tokens());
            w.compareRow(cells - 1, {QStringLiteral("--by"), QLatin1String(by)});
        }
    }

    /// What is not to be looked at is hidden, and its mass is said.
    void ask14_hiddenTokens() {
        Window w;
        QVERIFY(w.atRest());
        const int query = w.tokens() - 1;
        w.dragWords(query, 3, 6);
        w.map().setFocus();
        QTest::keyClick(&w.map(), Qt::Key_H);
        const QString mass = threeDigits(100 * w.massOf(query, 3, 7));
        QTRY_VERIFY2(
            w.map().scene().hidden.startsWith(QStringLiteral("#3\u2013#6: ")) &&
                w.map().scene().hidden.endsWith(QStringLiteral(", %1 % of #%2").arg(mass).arg(query)),
            qPrintable(w.map().scene().hidden + QLatin1Char(' ') + mass));
        // What is exported says it too.
        const QString svg = w.folder.filePath(QStringLiteral("hidden.svg"));
        QTest::keyClick(&w.map(), Qt::Key_E, Qt::ControlModifier);
        w.saveAs("map.save", svg);
        QVERIFY(contentOf(svg).contains(w.map().scene().hidden.left(8).toUtf8()));
        QTest::keyClick(&w.map(), Qt::Key_H);
        QVERIFY(w.map().scene().hidden.isEmpty());
    }

    /// What a sparse, a summarised and a linear layer reads: each cell says whether it is read, and what
    /// stands for it if not.
    void ask15_whatASparseLayerReads() {
        Window w(40);
        QVERIFY(w.atRest());
        QTest::keyClick(&w.window, Qt::Key_T, Qt::ControlModifier);
        auto* table = w.find<QTableView>("map.table");
        const AttentionPolicy sparse = w.requests.request().policy;
        AttentionPolicy summaries = sparse;
        summaries.far.far = Far::Summaries;
        summaries.far.m = 4;
        AttentionPolicy linear = sparse;
        linear.far.far = Far::Linear;
        linear.combine.combine = Combine::Shared;
        const QString words[] = {QStringLiteral("not routed"), QStringLiteral("summary"),
                                 QStringLiteral("linear state")};
        for (int i = 0; i < 3; ++i) {
            w.requests.setPolicy(i == 0 ? sparse : i == 1 ? summaries : linear, QStringLiteral("test"));
            QVERIFY(w.atRest());
            const int query = w.tokens() - 1;
            const auto row = [&](int key) {
                for (int at = 0; at < table->model()->rowCount(); ++at)
                    if (table->model()->index(at, 0).data().toString().startsWith(
                            QStringLiteral("#%1 ").arg(query)) &&
                        table->model()->index(at, 1).data().toString().startsWith(
                            QStringLiteral("#%1 ").arg(key)))
                        return at;
                return -1;
            };
            const QJsonObject said = w.command(
                QStringLiteral("attention"),
                {QStringLiteral("--layer"), QString::number(w.selection.layer()), QStringLiteral("--head"),
                 QString::number(w.selection.head()), QStringLiteral("--query"), QString::number(query)});
            const QJsonArray why = said[QStringLiteral("why")].toArray(),
                             hybrid = said[QStringLiteral("hybrid")].toArray();
            const std::map<QString, QString> named{{QStringLiteral("window"), QStringLiteral("local")},
                                                   {QStringLiteral("sink"), QStringLiteral("sink")},
                                                   {QStringLiteral("routed_key"), QStringLiteral("routed, ")},
                                                   {QStringLiteral("skipped"), words[0]},
                                                   {QStringLiteral("summary"), words[1]},
                                                   {QStringLiteral("linear_state"), words[2]}};
            std::set<QString> seen;
            for (int key = 0; key <= query; ++key) {
                const QString kind = why[key].toString();
                QVERIFY2(named.contains(kind), qPrintable(kind));
                seen.insert(kind);
                const auto tells = [&](int column) {
                    return row(key) < 0 ? QString()
                                        : table->model()->index(row(key), column).data().toString();
                };
                QTRY_VERIFY2_WITH_TIMEOUT(tells(5).startsWith(named.at(kind)),
                                          qPrintable(kind + QLatin1Char('|') + tells(5)), 60'000);
                QTRY_COMPARE_WITH_TIMEOUT(tells(3), threeDigits(hybrid[key].toDouble()), 60'000);
            }
            QCOMPARE(seen.size(), std::size_t{4}); // local, sink, routed, and what is not read
        }
    }

    /// The score of a pair taken apart, with the key-value head; as `fovea attention --pair`.
    void ask17_scoreAnatomy() {
        Window w;
        QVERIFY(w.atRest());
        const int query = w.tokens() - 2, key = 5;
        QTest::mouseClick(&w.map(), Qt::LeftButton, {}, w.map().cellCentre({query, key}).toPoint());
        const QJsonObject pair =
            w.command(QStringLiteral("attention"),
                      {QStringLiteral("--layer"), QString::number(w.selection.layer()),
                       QStringLiteral("--head"), QString::number(w.selection.head()),
                       QStringLiteral("--pair"), QStringLiteral("%1,%2").arg(query).arg(key)});
        const auto number = [&](const char* name) {
            return threeDigits(pair[QLatin1String(name)].toDouble());
        };
        auto* anatomy = w.find<QLabel>("inspector.pair");
        for (const QString& part : {QStringLiteral("score %1 ").arg(number("score_qk")),
                                    QStringLiteral("log-sum-exp %1").arg(number("log_sum_exp")),
                                    QStringLiteral("full %1 (rank %2)")
                                        .arg(number("full"))
                                        .arg(pair[QStringLiteral("full_rank")].toInt())})
            QTRY_VERIFY2(anatomy->text().contains(part),
                         qPrintable(anatomy->text() + QLatin1Char('|') + part));
    }

    /// Big work is announced before it starts, says how far it is, and stops when it is told to.
    void ask18_estimateAndCancel() {
        Window w(33'000);
        QVERIFY(w.atRest());
        const SnapshotPtr before = w.runs.lastComplete();
        auto* said = w.find<QLabel>("error.bar.text");
        QVERIFY2(said->text().contains(QStringLiteral("the first 4,096")), qPrintable(said->text()));
        QTest::mouseClick(w.find<QAbstractButton>("error.bar.button.1"), Qt::LeftButton); // all
        auto* cancel = w.find<QAbstractButton>("work.cancel");
        QTRY_VERIFY_WITH_TIMEOUT(w.runs.updating() && cancel->isVisible(), 60'000);
        QTest::mouseClick(cancel, Qt::LeftButton);
        QTRY_VERIFY_WITH_TIMEOUT(!w.runs.updating(), 60'000);
        QVERIFY(w.runs.snapshot() && w.find<MapView>("map")->shownSnapshot()); // the picture stays
        QVERIFY(!w.runs.lastComplete() || w.runs.lastComplete()->tokens->size() == before->tokens->size());
    }

    /// One path off, and on again as it was: each a run and one step of undo.
    void ask16_onePathOff() {
        Window w;
        QVERIFY(w.atRest());
        const AttentionPolicy before = w.requests.request().policy;
        auto* routed = w.find<QCheckBox>("params.section.Routed");
        QTest::mouseClick(routed, Qt::LeftButton, {}, QPoint(8, routed->height() / 2));
        QVERIFY(w.atRest());
        QVERIFY(w.runs.lastComplete()->propagated->routing->rows.empty());
        QTest::keyClick(&w.window, Qt::Key_Z, Qt::ControlModifier);
        QVERIFY(w.requests.request().policy == before);
        QVERIFY(w.atRest());
        QVERIFY(!w.runs.lastComplete()->propagated->routing->rows.empty());
    }

    /// A point of the plot of cost against fidelity opens its map, with one step of undo; its figures are
    /// those of `fovea analyze`.
    void ask19_aPointOpensItsMap() {
        Window w;
        QVERIFY(w.atRest());
        QTest::mouseClick(w.find<QWidget>("drawer.curve"), Qt::LeftButton);
        QTest::mouseClick(w.find<QAbstractButton>("curve.start"), Qt::LeftButton);
        QTRY_VERIFY_WITH_TIMEOUT(!w.runs.sweepPoints().empty() && !w.runs.sweeping(), 120'000);
        auto* plot = w.find<CurvePlot>("curve.plot");
        const AttentionPolicy before = w.requests.request().policy;
        const auto count = static_cast<int>(w.runs.sweepPoints().size());
        const auto pointOf = [&](int i) { return w.runs.sweepPoints()[static_cast<std::size_t>(i)]; };
        const auto standsAlone = [&](int i) {
            for (const CurvePoint& other : plot->points())
                if (other.id != i &&
                    (plot->positionOf(other.id) - plot->positionOf(i)).manhattanLength() < 20)
                    return false;
            return !plot->positionOf(i).isNull();
        };
        int id = 0;
        while (id < count && (pointOf(id).kind != PointKind::Policy ||
                              sameButName(pointOf(id).policy, before) || !standsAlone(id)))
            ++id;
        QVERIFY(id < count);
        const SweepPoint point = pointOf(id);
        QWidget* const canvas = plot->findChildren<QWidget*>(QString(), Qt::FindDirectChildrenOnly).front();
        QTest::mouseClick(canvas, Qt::LeftButton, {}, plot->positionOf(id).toPoint());
        QVERIFY(sameButName(w.requests.request().policy, point.policy));
        QVERIFY(w.atRest());
        const QString title = QString::fromStdString(policyTitle(point.policy));
        QTRY_VERIFY2(w.find<MapView>("map")->windowTitle().contains(title),
                     qPrintable(w.find<MapView>("map")->windowTitle() + QLatin1Char('|') + title));
        const QJsonObject report = w.command(QStringLiteral("analyze"), {});
        const double told =
            report[QStringLiteral("fidelity")].toObject()[QStringLiteral("next_token_kl")].toDouble();
        QVERIFY2(std::abs(told - point.fidelity.nextTokenKl) < 1e-9,
                 qPrintable(QStringLiteral("%1 %2").arg(told).arg(point.fidelity.nextTokenKl)));
        QTest::keyClick(&w.window, Qt::Key_Z, Qt::ControlModifier);
        QVERIFY(sameButName(w.requests.request().policy, before));
    }

    /// Which heads matter: a ranking, walked with a key; the same order as `fovea heads`.
    void ask20_headFinder() {
        Window w(60, 3);
        QVERIFY(w.atRest());
        auto* metric = w.find<QComboBox>("heads.metric");
        metric->setFocus();
        while (metric->currentText() != QLatin1String("keys for 90 % of mass") &&
               metric->currentIndex() < metric->count() - 1)
            QTest::keyClick(metric, Qt::Key_Down);
        QTest::mouseClick(w.find<QToolButton>("heads.ranked"), Qt::LeftButton);
        auto* list = w.find<QTableView>("heads.list");
        QVERIFY(list->isVisible());
        const QJsonArray ranked =
            w.command(QStringLiteral("heads"),
                      {QStringLiteral("--by"), QStringLiteral("keys-for-90")})[QStringLiteral("heads")]
                .toArray();
        QCOMPARE(ranked.size(), 6);
        QTRY_COMPARE(list->model()->rowCount(), 6);
        for (int row = 0; row < 6; ++row) {
            const QJsonObject head = ranked[row].toObject();
            QCOMPARE(list->model()->index(row, 1).data().toString(),
                     QStringLiteral("L%1 H%2")
                         .arg(head[QStringLiteral("layer")].toInt())
                         .arg(head[QStringLiteral("head")].toInt()));
            QCOMPARE(list->model()->index(row, 2).data().toString(),
                     threeDigits(head[QStringLiteral("value")].toDouble()));
        }
        w.selection.setCell(ranked[1].toObject()[QStringLiteral("layer")].toInt(),
                            ranked[1].toObject()[QStringLiteral("head")].toInt());
        QTest::keyClick(&w.window, Qt::Key_BraceRight);
        QCOMPARE(w.selection.layer(), ranked[2].toObject()[QStringLiteral("layer")].toInt());
        QCOMPARE(w.selection.head(), ranked[2].toObject()[QStringLiteral("head")].toInt());
    }

private:
    QTemporaryDir m_dir;
};

QTEST_MAIN(tst_Asks)
#include "tst_Asks.moc"
