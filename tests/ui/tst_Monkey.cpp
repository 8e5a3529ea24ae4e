// Random use of the whole window, for a minute in every test run and for longer by hand:
//   FOVEA_MONKEY_SECONDS=1800 FOVEA_MONKEY_SEED=7 build/tests/tst_Monkey monkey
//   FOVEA_SOAK_MINUTES=60 build/tests/tst_Monkey soak
#include "core/base/Memory.h"
#include "core/export/Session.h"
#include "core/policy/PolicyJson.h"
#include "tests/support/Monkey.h"
#include "tests/support/RealModel.h"
#include "tests/support/TinyGguf.h"
#include "ui/plot/MapCanvas.h"
#include "ui/plot/Theme.h"
#include "ui/views/MapView.h"
#include <QDir>
#include <QFile>
#include <QSlider>
#include <algorithm>
#include <cstdio>
#include <numeric>

using namespace fovea;
using namespace fovea::ui;
using namespace fovea::test;

namespace {

std::uint64_t setting(const char* name, std::uint64_t usual) {
    bool good = false;
    const auto value = qEnvironmentVariable(name).toULongLong(&good);
    return good ? value : usual;
}

QString warningsIn(const WarningTrap& trap) {
    const QStringList found = trap.found();
    if (!found.isEmpty())
        ActionLog::instance().dump();
    return found.join(QLatin1Char('\n'));
}

double megabytes() {
    return static_cast<double>(residentBytes()) / 1e6;
}

} // namespace

class TestMonkey : public QObject {
    Q_OBJECT

private slots:
    void initTestCase() {
        keepSettingsIn(m_dir);
        QVERIFY(QDir::setCurrent(m_dir.path())); // whatever is saved by a relative name lands here
        QApplication::setQuitOnLastWindowClosed(false);
    }

    /// No crash, no warning of Qt, no standstill.
    void monkey() {
        const std::uint64_t seed = setting("FOVEA_MONKEY_SEED", 1);
        const auto seconds = static_cast<qint64>(setting("FOVEA_MONKEY_SECONDS", 60));
        ActionLog& log = ActionLog::instance();
        log.begin(QByteArrayLiteral("monkey, seed ") + QByteArray::number(static_cast<qulonglong>(seed)));
        const QStringList files = makeFiles();
        const CrashNote crashes;
        const WarningTrap warnings;
        {
            Stage s{LatestWorker::Runner{}};
            s.window.documents().openModel(files.front());
            Monkey monkey(s, seed, files);
            QElapsedTimer clock;
            clock.start();
            WatchedLoop loop([&] { return clock.elapsed() > seconds * 1000 ? -1 : monkey.act(); },
                             static_cast<int>(setting("FOVEA_MONKEY_HANG_SECONDS", 20)));
            loop.run();
            qInfo("seed %llu: %zu actions in %lld s, longest frame %lld ms (after: %s), resident %.0f MB",
                  static_cast<unsigned long long>(seed), log.count(), static_cast<long long>(seconds),
                  static_cast<long long>(loop.longestMs()), loop.longestAfter().constData(), megabytes());
            QVERIFY(log.count() > 10);
        }
        const QString warned = warningsIn(warnings);
        QVERIFY2(warned.isEmpty(), qPrintable(warned));
    }

    /// Resident memory stays flat while sliders move, maps are panned, policies and texts change.
    void soak() {
        const auto minutes = static_cast<int>(setting("FOVEA_SOAK_MINUTES", 0));
        if (minutes == 0)
            QSKIP("the soak takes an hour: FOVEA_SOAK_MINUTES=60 runs it");
        FOVEA_NEED_MODEL();
        const int settle = std::min(10, minutes / 3);
        std::vector<std::string> texts;
        for (const char* name : {"winter.txt", "tides.txt"})
            texts.push_back(sampleText(name, 1U << 20U));
        std::mt19937_64 random(setting("FOVEA_MONKEY_SEED", 1));
        const auto below = [&](int n) { return std::uniform_int_distribution<int>(0, n - 1)(random); };
        ActionLog::instance().begin("soak");
        const CrashNote crashes;
        const WarningTrap warnings;
        std::vector<double> means;
        {
            Stage s{LatestWorker::Runner{}};
            s.window.resize(1280, 800);
            s.requests.setText(texts[0], QStringLiteral("soak"), kTokens);
            s.window.documents().openModel(QString::fromStdString(realModelPath()));
            auto* map = s.find<MapView>("map");
            std::vector<QSlider*> sliders;
            for (const char* name : {"params.local.window.slider", "params.always.sinks.slider"})
                sliders.push_back(s.find<QSlider>(name));
            std::vector<double> samples;
            std::size_t text = 0;
            int changes = 0, runs = 0;
            QObject::connect(&s.runs, &RunController::updatingChanged, &s.window,
                             [&](bool updating) { runs += updating ? 0 : 1; });
            QElapsedTimer clock, sample, change;
            clock.start();
            sample.start();
            change.start();
            const auto act = [&]() -> int {
                if (sample.elapsed() >= 1000) {
                    samples.push_back(megabytes());
                    sample.restart();
                }
                if (clock.elapsed() >= static_cast<qint64>(means.size() + 1) * 60'000 && !samples.empty()) {
                    const auto [low, high] = std::minmax_element(samples.begin(), samples.end());
                    means.push_back(std::accumulate(samples.begin(), samples.end(), 0.0) /
                                    static_cast<double>(samples.size()));
                    std::printf("minute %zu: resident %.0f MB, %.0f to %.0f; %d runs ended, %d texts\n",
                                means.size(), means.back(), *low, *high, runs, changes + 1);
                    std::fflush(stdout);
                    samples.clear();
                    if (means.size() >= static_cast<std::size_t>(minutes))
                        return -1;
                }
                if (change.elapsed() > kTextMs) {
                    change.restart();
                    ++changes;
                    text = (text + 1) % texts.size();
                    ActionLog::instance().add("another text");
                    s.requests.undoStack().clear(); // undo keeps texts on purpose
                    s.requests.setText(texts[text], QStringLiteral("soak"), kTokens);
                    return 100;
                }
                switch (below(6)) {
                case 0: {
                    QSlider* slider =
                        sliders[static_cast<std::size_t>(below(static_cast<int>(sliders.size())))];
                    ActionLog::instance().add("slider");
                    dragSlider(slider, below(slider->width()), below(slider->width()));
                    return 500 + below(4000); // sometimes the run ends, sometimes not
                }
                case 1: {
                    static constexpr std::array kPresets{"default", "window", "routing", "streaming"};
                    const auto preset = presetPolicy(kPresets[static_cast<std::size_t>(below(4))]);
                    ActionLog::instance().add("policy");
                    if (preset)
                        s.requests.setPolicy(*preset, QStringLiteral("soak"));
                    return 500 + below(4000);
                }
                case 2:
                    ActionLog::instance().add("layer");
                    s.selection.setCell(below(30), below(9));
                    return 500;
                case 3:
                    ActionLog::instance().add("pin");
                    s.selection.pin(below(4000));
                    return 200;
                default: {
                    ActionLog::instance().add("pan");
                    MapViewport view = map->canvas().viewport();
                    view.cell = std::clamp(view.cell * (0.5 + below(100) / 66.0), 0.05, 30.0);
                    view.query += below(400) - 200;
                    view.key += below(400) - 200;
                    map->canvas().setViewport(view);
                    return 200 + below(300);
                }
                }
            };
            WatchedLoop loop(act, static_cast<int>(setting("FOVEA_MONKEY_HANG_SECONDS", 60)));
            loop.run();
            qInfo("longest frame %lld ms (after: %s)", static_cast<long long>(loop.longestMs()),
                  loop.longestAfter().constData());
        }
        const QString warned = warningsIn(warnings);
        QVERIFY2(warned.isEmpty(), qPrintable(warned));
        // The last third against the first third after settling: single minutes differ by the work in hand.
        const auto later = means.size() - static_cast<std::size_t>(settle);
        const auto third = std::max<std::size_t>(1, later / 3);
        const auto mean = [&](std::size_t first) {
            return std::accumulate(means.begin() + static_cast<std::ptrdiff_t>(first),
                                   means.begin() + static_cast<std::ptrdiff_t>(first + third), 0.0) /
                   static_cast<double>(third);
        };
        const double before = mean(static_cast<std::size_t>(settle)), after = mean(means.size() - third);
        qInfo("resident: %.0f MB after %d minutes, %.0f MB in the end: %+.1f %%", before, settle, after,
              (after / before - 1) * 100);
        QVERIFY2(after < before * 1.05, "resident memory grew by more than 5 %");
    }

private:
    static constexpr std::size_t kTokens = 4096;
    static constexpr qint64 kTextMs = 150'000;

    static void dragSlider(QSlider* slider, int from, int to) {
        const int middle = slider->height() / 2;
        QTest::mousePress(slider, Qt::LeftButton, {}, {from, middle});
        for (int i = 1; i <= 10; ++i)
            QTest::mouseMove(slider, {from + (to - from) * i / 10, middle});
        QTest::mouseRelease(slider, Qt::LeftButton, {}, {to, middle});
    }

    QString write(const char* name, const std::string& bytes) {
        const QString path = m_dir.filePath(QLatin1String(name));
        QFile out(path);
        if (!out.open(QIODevice::WriteOnly) ||
            out.write(bytes.data(), static_cast<qint64>(bytes.size())) != static_cast<qint64>(bytes.size()))
            qFatal("cannot write %s", name);
        return path;
    }
    QStringList makeFiles() {
        std::string prose;
        while (prose.size() < 900)
            prose += prose.size() % 7 == 0 ? "abc\n" : "ab c ";
        Session session;
        session.request.text = std::make_shared<const std::string>("a session of ab and abc");
        session.request.policy = *presetPolicy("default");
        return {write("tiny.gguf", tinyModel().bytes()),
                write("tiny.3.gguf", tinyModel(3).bytes()),
                write("broken.gguf", tinyModel().bytes().substr(0, 700)),
                write("prose.txt", prose),
                write("long.txt", std::string(60'000, 'a')),
                write("one.txt", "a"),
                write("empty.txt", ""),
                write("loose.txt", "ab\xFF"
                                   "c"),
                write("zero.bin", std::string(100, '\0')),
                write("policy.json", policyToJson(*presetPolicy("routing"))),
                write("session.json", sessionToJson(session)),
                write("wrong.json", R"({"fovea":"session","version":1,)"),
                m_dir.path(),
                m_dir.filePath(QStringLiteral("absent"))};
    }
    QTemporaryDir m_dir;
};

int main(int argc, char** argv) {
    qputenv("QTEST_FUNCTION_TIMEOUT", "100000000"); // of Qt Test, five minutes unasked
    QApplication app(argc, argv);
    TestMonkey test;
    QTEST_SET_MAIN_SOURCE_PATH
    return QTest::qExec(&test, argc, argv);
}
#include "tst_Monkey.moc"
