#include "core/export/HtmlReport.h"
#include "tests/support/TinySnapshot.h"
#include <QRegularExpression>
#include <QTest>

using namespace fovea;

namespace {

/// A finished run whose numbers are known.
std::shared_ptr<Snapshot> finished(std::size_t tokens = 40) {
    test::TinyOptions options;
    options.tokens = tokens;
    auto snapshot = test::tinySnapshot(options);
    auto run = std::make_shared<PropagatedResult>();
    PropagatedFidelity& f = run->fidelity;
    f.nextTokenKl = 0.0125;
    f.top1Agreement = 0.9375;
    f.kl.assign(tokens, 0.001F);
    f.kl[17] = 2.5F;
    f.fullNll.assign(tokens, 1);
    f.hybridNll.assign(tokens, 1);
    f.hybridNll[9] = 3;
    f.fullTop1.assign(tokens, 0);
    f.hybridTop1.assign(tokens, 0);
    run->cost = snapshot->isolated->cost;
    run->cost.pairsRatio = 0.571;
    auto record = std::make_shared<RoutingRecord>();
    record->usedSignals = {"key_norm"};
    RoutingRow row;
    row.token = 15; // <b>bold</b>
    row.queries = 12;
    record->rows.push_back(row);
    run->routing = record;
    snapshot->propagated = run;
    return snapshot;
}

} // namespace

class tst_HtmlReport : public QObject {
    Q_OBJECT
private slots:
    void itHoldsTheNumbers() {
        const auto snapshot = finished();
        const QString html = QString::fromStdString(
            reportHtml(*snapshot, {{"<svg xmlns=\"http://www.w3.org/2000/svg\"><rect/></svg>", "A <map>"}})
                .value());
        for (const char* part :
             {"<b>57.1 %</b>", "<b>0.0125</b>", "<b>93.8 %</b>", "<rect/>", "A &lt;map&gt;",
              "loss 1.000 full, 3.000 hybrid, +2.000", "--window 12", "key_norm"})
            QVERIFY2(html.contains(QLatin1String(part)), part);
        QVERIFY(html.contains(
            QString::fromStdString(snapshot->provenance()).toHtmlEscaped().replace("'", "&#39;")));
        // The position that lost most comes first.
        const qsizetype worst = html.indexOf(QLatin1String("Where the next token changes most"));
        QVERIFY(worst >= 0);
        QCOMPARE(html.indexOf(QLatin1String("<td>#17 "), worst), html.indexOf(QLatin1String("<td>#"), worst));
        QVERIFY(html.contains(QLatin1String("<td>#15 ")));
    }

    /// Nothing is loaded or run, and no text becomes markup.
    void itOpensOffline_andEscapes() {
        auto snapshot = finished();
        auto tokens = std::make_shared<Tokens>(*snapshot->tokens);
        tokens->pieces[3] = "</div><script>alert(1)</script>";
        tokens->pieces[4] = "\xE2\x80\xAE\x01\xFF\"'";
        snapshot->tokens = tokens;
        const QString html = QString::fromStdString(reportHtml(*snapshot, {}).value());
        QVERIFY(!html.contains(QLatin1String("<script"), Qt::CaseInsensitive));
        QVERIFY(html.contains(QLatin1String("&lt;script&gt;")));
        QVERIFY(!html.contains(QChar(0x202E)) && !html.contains(QChar(1)));
        QVERIFY(html.contains(QLatin1String("\\u{202E}")) && html.contains(QLatin1String("&lt;FF&gt;")));
        static const QRegularExpression kLoads(
            QStringLiteral("\\b(src|href|url)\\s*[=(]|@import|\\son\\w+\\s*="),
            QRegularExpression::CaseInsensitiveOption);
        QVERIFY2(!html.contains(kLoads), qPrintable(kLoads.match(html).captured()));
        for (const char* tag : {"div", "table", "tr", "td", "span", "p", "pre"}) {
            const auto count = [&](const QString& pattern) {
                return html.count(QRegularExpression(pattern.arg(QLatin1String(tag))));
            };
            QVERIFY2(count(QStringLiteral("<%1[ >]")) == count(QStringLiteral("</%1>")), tag);
        }
    }

    void longText_isCutAndSaysSo() {
        auto snapshot = finished();
        auto tokens = std::make_shared<Tokens>();
        for (std::size_t i = 0; i < kMostReportTokens + 5; ++i) {
            tokens->ids.push_back(0);
            tokens->pieces.emplace_back("a");
            const auto at = static_cast<std::uint32_t>(i);
            tokens->spans.push_back({at, at + 1});
        }
        snapshot->tokens = tokens;
        const std::string html = reportHtml(*snapshot, {}).value();
        QVERIFY(html.find("The first 16384 of 16389 tokens") != std::string::npos);
    }

    void unfinished_isRefused() {
        auto snapshot = finished();
        snapshot->propagated.reset();
        const auto html = reportHtml(*snapshot, {});
        QVERIFY(!html);
        QVERIFY(html.error().message.find("not finished") != std::string::npos);
    }
};

QTEST_GUILESS_MAIN(tst_HtmlReport)
#include "tst_HtmlReport.moc"
