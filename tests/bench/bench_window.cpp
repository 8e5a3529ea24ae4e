// How long the window takes from an input event to the painted map: bench_window TEXT [TOKENS] [MOVES]
// The real window, offscreen, with the default model. First the slider "window" is dragged over a text of
// TOKENS tokens (4,096): a move counts until the map is painted from the plan of that value. Then the map of
// 16,384 tokens is panned, zoomed and recoloured, with a tiny model, since frames do not depend on it: a
// frame counts from the event to the end of the next painting of the map. TEXT is repeated until it is long
// enough. Prints one JSON line per case; cpu_ms is the processor time of all threads per move.
#include "tests/support/TinyModel.h"
#include "ui/plot/Icons.h"
#include "ui/plot/Theme.h"
#include "ui/views/MapView.h"
#include "ui/window/Documents.h"
#include "ui/window/MainWindow.h"
#include <QApplication>
#include <QElapsedTimer>
#include <QMouseEvent>
#include <QSettings>
#include <QSlider>
#include <QTemporaryDir>
#include <QTimer>
#include <QWheelEvent>
#include <algorithm>
#include <ctime>
#include <iostream>
#include <iterator>

using namespace fovea;
using namespace fovea::ui;

namespace {

constexpr std::size_t kFrameTokens = 16'384;
constexpr int kFrames = 100;
constexpr int kPatienceMs = 600'000; ///< for a run; nothing that is timed

/// Tells when the map has been painted in a state that `wanted` accepts.
class Painted : public QObject {
public:
    explicit Painted(QWidget& widget) : m_widget(widget) { widget.installEventFilter(this); }
    /// Milliseconds until that painting has ended; negative: it did not come.
    [[nodiscard]] double after(const std::function<void()>& act, std::function<bool()> wanted) {
        m_wanted = std::move(wanted);
        m_done = false;
        QTimer wake; // so that waiting for events ends
        wake.start(1000);
        QElapsedTimer timer;
        timer.start();
        act();
        while (!m_done && timer.elapsed() < kPatienceMs)
            QCoreApplication::processEvents(QEventLoop::WaitForMoreEvents);
        const double took = static_cast<double>(timer.nsecsElapsed()) * 1e-6;
        m_wanted = {};
        return m_done ? took : -1;
    }

protected:
    bool eventFilter(QObject* watched, QEvent* event) override {
        if (watched == &m_widget && event->type() == QEvent::Paint && m_wanted && m_wanted())
            m_done = true; // it is painted before processEvents returns
        return false;
    }

private:
    QWidget& m_widget;
    std::function<bool()> m_wanted;
    bool m_done = false;
};

struct Window {
    RequestModel requests;
    SelectionModel selection;
    RunController runs{requests, selection};
    MainWindow window{{runs, requests, selection}};
    MapView& map = *window.findChild<MapView*>();
    Painted painted{map.canvas()};

    Window(const Request& request, const std::string& model) : requests(request) {
        selection.setCell(0, 0);
        window.resize(1280, 800);
        window.show();
        window.documents().openModel(QString::fromStdString(model));
    }
    /// The map shows the newest request, with all its tiles.
    [[nodiscard]] bool shows() const {
        const SnapshotPtr shown = map.shownSnapshot();
        return shown && shown->request->policy == requests.request().policy &&
               shown->request->text == requests.request().text && shown->visible && map.tiles().settled();
    }
    [[nodiscard]] bool atRest() {
        QTimer wake; // so that waiting for events ends; asking all the time would take a core from the run
        wake.start(200);
        QElapsedTimer timer;
        timer.start();
        while (!(runs.lastComplete() && !runs.updating() && shows()) && timer.elapsed() < kPatienceMs)
            QCoreApplication::processEvents(QEventLoop::WaitForMoreEvents);
        return runs.lastComplete() && !runs.updating();
    }
};

void mouse(QWidget& widget, QEvent::Type type, QPointF at, Qt::MouseButton button) {
    const bool move = type == QEvent::MouseMove, up = type == QEvent::MouseButtonRelease;
    QMouseEvent event(type, at, widget.mapToGlobal(at), move ? Qt::NoButton : button,
                      up ? Qt::NoButton : button, {});
    QCoreApplication::sendEvent(&widget, &event);
}

/// Processor time of all threads of this program, in milliseconds.
double cpuTime() {
    return static_cast<double>(std::clock()) * 1e3 / CLOCKS_PER_SEC;
}

int report(const char* what, std::size_t tokens, std::vector<double> ms, double cpuMs = 0) {
    std::sort(ms.begin(), ms.end());
    if (ms.empty() || ms.front() < 0) {
        std::cerr << "bench_window: " << what << ": the map was not painted\n";
        return 1;
    }
    std::cout << "{\"case\":\"" << what << "\",\"tokens\":" << tokens << ",\"count\":" << ms.size()
              << ",\"median_ms\":" << ms[ms.size() / 2] << ",\"p95_ms\":" << ms[ms.size() * 95 / 100]
              << ",\"worst_ms\":" << ms.back()
              << (cpuMs > 0 ? ",\"cpu_ms\":" + std::to_string(cpuMs / static_cast<double>(ms.size())) : "")
              << "}" << std::endl;
    return 0;
}

int dragSlider(Window& w, int moves, std::size_t tokens) {
    auto& slider = *w.window.findChild<QSlider*>(QStringLiteral("params.local.window.slider"));
    const double width = slider.width(), y = slider.height() / 2.0;
    const auto thumb = [&] {
        return 8 + (width - 16) * (slider.value() - slider.minimum()) / (slider.maximum() - slider.minimum());
    };
    double x = thumb();
    mouse(slider, QEvent::MouseButtonPress, {x, y}, Qt::LeftButton);
    std::vector<double> ms;
    const double cpu = cpuTime();
    double step = 1;
    for (int tries = 0; static_cast<int>(ms.size()) < moves && tries < 20 * moves; ++tries) {
        if (x + step < width * 0.2 || x + step > width * 0.9)
            step = -step;
        x += step;
        const AttentionPolicy before = w.requests.request().policy;
        bool same = false;
        const double took = w.painted.after(
            [&] {
                mouse(slider, QEvent::MouseMove, {x, y}, Qt::LeftButton);
                same = w.requests.request().policy == before;
                if (same)
                    w.map.canvas().update(); // between two stops: nothing is asked
            },
            [&] { return w.shows(); });
        if (!same)
            ms.push_back(took);
    }
    mouse(slider, QEvent::MouseButtonRelease, {x, y}, Qt::LeftButton);
    return report("slider", tokens, std::move(ms), cpuTime() - cpu);
}

int frames(Window& w, std::size_t tokens) {
    QWidget& canvas = w.map.canvas();
    const QPointF middle = w.map.canvas().mapLayout().plots.front().center();
    const auto wheel = [&](int notches) {
        QWheelEvent event(middle, canvas.mapToGlobal(middle), {}, QPoint(0, 120 * notches), Qt::NoButton,
                          Qt::NoModifier, Qt::NoScrollPhase, false);
        QCoreApplication::sendEvent(&canvas, &event);
    };
    const auto key = [&](Qt::Key which, const QString& text) {
        QKeyEvent press(QEvent::KeyPress, which, {}, text), release(QEvent::KeyRelease, which, {}, text);
        QCoreApplication::sendEvent(&canvas, &press);
        QCoreApplication::sendEvent(&canvas, &release);
    };
    const auto any = [] { return true; };
    std::vector<double> zoom, pan, colour;
    for (int i = 0; i < kFrames; ++i) // in to single cells, and out again
        zoom.push_back(w.painted.after([&] { wheel(i < kFrames / 2 ? 1 : -1); }, any));
    for (int i = 0; i < 12; ++i)
        wheel(1);
    QPointF at = middle;
    mouse(canvas, QEvent::MouseButtonPress, at, Qt::MiddleButton);
    for (int i = 0; i < kFrames; ++i) {
        at += QPointF(i < kFrames / 2 ? 5 : -5, i < kFrames / 2 ? -3 : 3);
        pan.push_back(w.painted.after([&] { mouse(canvas, QEvent::MouseMove, at, Qt::MiddleButton); }, any));
    }
    mouse(canvas, QEvent::MouseButtonRelease, at, Qt::MiddleButton);
    w.map.canvas().fitAll();
    if (!w.atRest())
        return report("colour", tokens, {});
    for (int i = 0; i < kFrames; ++i)
        colour.push_back(w.painted.after([&] { key(Qt::Key_L, QStringLiteral("l")); }, any));
    return report("zoom", tokens, std::move(zoom)) + report("pan", tokens, std::move(pan)) +
           report("colour", tokens, std::move(colour));
}

Request requestOf(std::string text, std::size_t tokens) {
    Request request;
    while (text.size() < 8 * tokens)
        text += text;
    request.text = std::make_shared<const std::string>(std::move(text));
    request.maxTokens = tokens;
    return request;
}

int fail(const std::string& why) {
    std::cerr << "bench_window: " << why << '\n';
    return 1;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 2 || argc > 4)
        return fail("usage: bench_window TEXT [TOKENS] [MOVES]") + 1;
    qputenv("QT_QPA_PLATFORM", "offscreen");
    QApplication app(argc, argv);
    const QTemporaryDir settings;
    QCoreApplication::setOrganizationName(QStringLiteral("FoveaBench"));
    QSettings::setDefaultFormat(QSettings::IniFormat);
    QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, settings.path());
    initResources();
    Theme::apply(Theme::light());
    std::ifstream in(argv[1], std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    if (text.empty())
        return fail(std::string(argv[1]) + " cannot be read or is empty");
    const std::size_t tokens = argc > 2 ? static_cast<std::size_t>(std::max(16, std::atoi(argv[2]))) : 4096;
    const int moves = argc > 3 ? std::max(1, std::atoi(argv[3])) : 200;
    const auto model = findModel("");
    if (!model)
        return fail(model.error().message);
    int faults = 0;
    {
        Request request = requestOf(text, tokens);
        request.policy = *presetPolicy("default");
        Window w(request, *model);
        w.selection.setCell(12, 5);
        if (!w.atRest())
            return fail("the run did not end");
        std::cerr << "bench_window: the run has ended, the slider moves\n";
        faults += dragSlider(w, moves, w.runs.snapshot()->tokens->size());
    }
    const fovea::test::TinyModelFile tiny;
    Request request = requestOf(fovea::test::tinyText(4096), kFrameTokens);
    request.policy = fovea::test::tinyRequest(tiny).policy;
    Window w(request, tiny.path());
    if (!w.atRest())
        return fail("the run did not end");
    faults += frames(w, w.runs.snapshot()->tokens->size());
    return faults > 0 ? 1 : 0;
}
