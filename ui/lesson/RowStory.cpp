#include "ui/lesson/RowStory.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QStyle>
#include <QToolButton>
#include <QVBoxLayout>

namespace fovea::ui {

namespace {

constexpr int kBarsHeight = 96;
constexpr int kStepMs = 900; ///< a key: long enough to read its line

} // namespace

/// A bar for each key; the newest one in the accent colour.
class RowStory::Bars : public QWidget {
public:
    explicit Bars(RowStory* story) : QWidget(story), m_story(*story) { setFixedHeight(kBarsHeight); }

protected:
    void paintEvent(QPaintEvent*) override {
        const Theme& theme = Theme::current();
        QPainter painter(this);
        painter.fillRect(rect(), theme.paper);
        const auto keys = static_cast<int>(m_story.m_weights.size());
        if (keys == 0)
            return;
        const std::vector<double> shares = m_story.shares(m_story.m_shown);
        const double step = static_cast<double>(width()) / keys;
        const int line = QFontMetrics(Theme::axis()).height();
        const int top = 4, foot = height() - line - 2;
        painter.setFont(Theme::axis());
        for (int key = 0; key < keys; ++key) {
            const QRectF room(key * step + 1, top, std::max(1.0, step - 2), foot - top);
            const bool known = key < m_story.m_shown;
            const double share = known ? shares[static_cast<std::size_t>(key)] : 0;
            const double high = share * room.height();
            if (known)
                painter.fillRect(QRectF(room.left(), room.bottom() - std::max(1.0, high), room.width(),
                                        std::max(1.0, high)),
                                 key + 1 == m_story.m_shown ? theme.accent : theme.ink2);
            else
                painter.fillRect(QRectF(room.left(), room.bottom() - 1, room.width(), 1), theme.controlEdge);
            if (step >= 18 || key % 4 == 0) {
                painter.setPen(known ? theme.ink : theme.ink3);
                painter.drawText(QRectF(key * step - 8, foot + 1, step + 16, line), Qt::AlignCenter,
                                 QStringLiteral("#%1").arg(key));
            }
        }
        painter.setPen(theme.controlEdge);
        painter.drawLine(0, foot, width(), foot);
    }

private:
    RowStory& m_story;
};

RowStory::RowStory(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("lesson.row"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(4);
    m_bars = new Bars(this);
    column->addWidget(m_bars);
    m_text = new QLabel(this);
    m_text->setObjectName(QStringLiteral("lesson.row.text"));
    m_text->setTextFormat(Qt::PlainText);
    m_text->setWordWrap(true);
    column->addWidget(m_text);
    auto* line = new QHBoxLayout;
    line->setSpacing(4);
    const auto button = [&](const char* name, const QString& text, const QString& tip) {
        auto* made = new QToolButton(this);
        made->setObjectName(QLatin1String(name));
        made->setText(text);
        made->setToolTip(tip);
        made->setMinimumHeight(28);
        line->addWidget(made);
        return made;
    };
    m_previous = button("lesson.row.previous", tr("Key before"), tr("Takes the newest key away"));
    m_play = button("lesson.row.play", tr("Pause"), tr("Plays or stops"));
    m_next = button("lesson.row.next", tr("Next key"), tr("Adds one key"));
    line->addStretch(1);
    column->addLayout(line);
    m_timer.setInterval(kStepMs);
    connect(&m_timer, &QTimer::timeout, this, [this] { showKeys(m_shown + 1); });
    connect(m_previous, &QToolButton::clicked, this, [this] {
        play(false);
        showKeys(m_shown - 1);
    });
    connect(m_next, &QToolButton::clicked, this, [this] {
        play(false);
        showKeys(m_shown + 1);
    });
    connect(m_play, &QToolButton::clicked, this, [this] {
        const bool atEnd = m_shown >= static_cast<int>(m_weights.size());
        if (atEnd && !playing())
            showKeys(1);
        play(!playing());
    });
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, m_bars, qOverload<>(&QWidget::update));
    hide();
}

void RowStory::setRow(int query, const std::vector<float>& weights, const std::vector<QString>& words) {
    if (query == m_query && weights == m_weights)
        return;
    m_query = query;
    m_weights = weights;
    m_words = words;
    show();
    showKeys(1);
    play(style()->styleHint(QStyle::SH_Widget_Animation_Duration, nullptr, this) > 0);
}

void RowStory::clear() {
    m_query = -1;
    m_weights.clear();
    m_timer.stop();
    hide();
}

std::vector<double> RowStory::shares(int keys) const {
    std::vector<double> shares(static_cast<std::size_t>(keys));
    double sum = 0;
    for (int key = 0; key < keys; ++key)
        sum += static_cast<double>(m_weights[static_cast<std::size_t>(key)]);
    for (std::size_t key = 0; key < shares.size(); ++key)
        shares[key] = sum > 0 ? static_cast<double>(m_weights[key]) / sum : 0;
    return shares;
}

void RowStory::showKeys(int keys) {
    m_shown = std::clamp(keys, 1, static_cast<int>(m_weights.size()));
    if (m_shown == static_cast<int>(m_weights.size()))
        play(false);
    follow();
    emit keyShown(m_shown - 1);
}

void RowStory::play(bool on) {
    if (on && m_shown < static_cast<int>(m_weights.size()))
        m_timer.start();
    else
        m_timer.stop();
    follow();
}

void RowStory::follow() {
    const auto all = static_cast<int>(m_weights.size());
    if (all == 0)
        return;
    const auto newest = static_cast<std::size_t>(m_shown - 1);
    const double share = shares(m_shown)[newest];
    m_text->setText(
        m_shown < all
            ? tr("Key %1 of %2, \"%3\": it takes %4 % of the weight among the keys so far.")
                  .arg(m_shown)
                  .arg(all)
                  .arg(m_words[newest], threeDigits(100 * share))
            : tr("Key %1 of %1, \"%2\": %3 %. Now every share is the weight of its key, and together "
                 "they are 100 %.")
                  .arg(all)
                  .arg(m_words[newest], threeDigits(100 * share)));
    m_play->setText(playing() ? tr("Pause") : tr("Play"));
    m_previous->setEnabled(m_shown > 1);
    m_next->setEnabled(m_shown < all);
    m_bars->update();
}

void RowStory::hideEvent(QHideEvent* event) {
    m_timer.stop(); // a window that is closed in mid-animation plays nothing on
    QWidget::hideEvent(event);
}

} // namespace fovea::ui
