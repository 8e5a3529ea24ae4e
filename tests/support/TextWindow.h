#pragma once
#include "tests/support/ViewFixture.h"
#include "ui/views/TextLegend.h"
#include "ui/views/TextView.h"
#include "ui/views/TokenCanvas.h"
#include <QAbstractButton>
#include <QComboBox>
#include <QTest>

namespace fovea::test {

using namespace fovea::ui;

/// A view on screen over a fixture that has answered once.
struct TextWindow {
    ViewFixture fixture;
    TextView view;

    explicit TextWindow(TextOptions options = {}, std::function<void(Snapshot&)> edit = {})
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
inline QColor behind(TokenCanvas* canvas, int token) {
    const QRect rect = canvas->tokenRect(token);
    const QImage image = canvas->viewport()->grab().toImage();
    return image.pixelColor(rect.left() + 1, rect.top() + 2);
}

} // namespace fovea::test
