#include "ui/lesson/StoryView.h"
#include "ui/plot/Theme.h"
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QStyle>
#include <QToolButton>
#include <QVBoxLayout>
#include <array>

namespace fovea::ui {

namespace {

using Kind = lesson::Animation::Kind;

constexpr int kBarsHeight = 80;
constexpr std::array kSpeeds = {0.5, 1.0, 2.0, 4.0};

} // namespace

/// A bar for each key of a row, the newest one in the accent colour; or two bars that grow to the right.
class StoryView::Bars : public QWidget {
public:
    explicit Bars(StoryView* view) : QWidget(view), m_view(*view) {}

protected:
    void paintEvent(QPaintEvent*) override {
        const Theme& theme = Theme::current();
        QPainter painter(this);
        painter.fillRect(rect(), theme.paper);
        if (m_view.m_story->kind == Kind::Growth) {
            paintGrowth(painter);
            return;
        }
        const auto keys = static_cast<int>(m_view.m_story->words.size());
        const lesson::Frame& frame = m_view.m_story->frames[static_cast<std::size_t>(m_view.m_at)];
        const double step = static_cast<double>(width()) / std::max(keys, 1);
        const QFontMetrics metrics(Theme::axis());
        const int line = metrics.height();
        const int top = 4, foot = height() - line - 2;
        painter.setFont(Theme::axis());
        const int every = std::max(
            1, static_cast<int>((metrics.horizontalAdvance(QStringLiteral("#%1").arg(keys)) + 4) / step) + 1);
        for (int key = 0; key < keys; ++key) {
            const QRectF room(key * step + 1, top, std::max(1.0, step - 2), foot - top);
            const bool known = key < frame.shown;
            const double share = known ? frame.bars[static_cast<std::size_t>(key)] : 0;
            const double high = std::max(1.0, share * room.height());
            painter.fillRect(QRectF(room.left(), room.bottom() - high, room.width(), high),
                             !known             ? theme.controlEdge
                             : key == frame.key ? theme.accent
                                                : theme.ink2);
            if (key % every == 0) {
                painter.setPen(known ? theme.ink : theme.ink3);
                painter.drawText(QRectF(key * step - 8, foot + 1, step + 16, line), Qt::AlignCenter,
                                 QStringLiteral("#%1").arg(key));
            }
        }
        painter.setPen(theme.controlEdge);
        painter.drawLine(0, foot, width(), foot);
    }

private:
    void paintGrowth(QPainter& painter) const {
        const Theme& theme = Theme::current();
        const lesson::Frame& frame = m_view.m_story->frames[static_cast<std::size_t>(m_view.m_at)];
        painter.setFont(Theme::second());
        const QFontMetrics metrics(Theme::second());
        int left = 0;
        for (const std::string& word : m_view.m_story->words)
            left = std::max(left, metrics.horizontalAdvance(QString::fromStdString(word)) + 12);
        const auto bars = static_cast<int>(frame.bars.size());
        for (int i = 0; i < bars; ++i) {
            const auto at = static_cast<std::size_t>(i);
            const QRectF line(0, 4 + i * (height() - 8) / bars, width() - 6, (height() - 8) / bars);
            painter.setPen(theme.ink);
            painter.drawText(QRectF(4, line.top(), left, line.height()), Qt::AlignLeft | Qt::AlignVCenter,
                             QString::fromStdString(m_view.m_story->words[at]));
            const QRectF room(left, line.top() + 6, line.width() - left, line.height() - 12);
            painter.setPen(theme.controlEdge);
            painter.drawRect(room);
            painter.fillRect(QRectF(room.left(), room.top(), frame.bars[at] * room.width(), room.height()),
                             i == 0 ? theme.ink2 : theme.accent);
        }
    }
    StoryView& m_view;
};

StoryView::StoryView(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("lesson.story"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(4);
    m_bars = new Bars(this);
    m_bars->setFixedHeight(kBarsHeight);
    column->addWidget(m_bars);
    m_text = new QLabel(this);
    m_text->setObjectName(QStringLiteral("lesson.story.text"));
    m_text->setTextFormat(Qt::PlainText);
    m_text->setWordWrap(true);
    m_text->setAlignment(Qt::AlignTop | Qt::AlignLeft);
    column->addWidget(m_text);
    auto* line = new QHBoxLayout;
    line->setSpacing(4);
    const auto button = [&](const char* name, const QString& text, const QString& tip) {
        auto* made = new QToolButton(this);
        made->setObjectName(QLatin1String(name));
        made->setText(text);
        made->setToolTip(tip);
        made->setMinimumSize(28, 28);
        made->setFont(Theme::body());
        line->addWidget(made);
        return made;
    };
    m_previous = button("lesson.story.previous", tr("Back one"), tr("The picture before"));
    m_play = button("lesson.story.play", tr("Pause"), tr("Plays or stops (P)"));
    m_next = button("lesson.story.next", tr("On one"), tr("The next picture"));
    m_speedButton = button("lesson.story.speed", {}, tr("How fast it plays"));
    line->addStretch(1);
    column->addLayout(line);
    connect(&m_timer, &QTimer::timeout, this, [this] { show(m_at + 1); });
    connect(m_previous, &QToolButton::clicked, this, [this] {
        play(false);
        show(m_at - 1);
    });
    connect(m_next, &QToolButton::clicked, this, [this] {
        play(false);
        show(m_at + 1);
    });
    connect(m_play, &QToolButton::clicked, this, &StoryView::toggle);
    connect(m_speedButton, &QToolButton::clicked, this, [this] {
        m_speed = (m_speed + 1) % static_cast<int>(kSpeeds.size());
        if (playing())
            play(true);
        follow();
    });
    connect(&ThemeSignals::instance(), &ThemeSignals::themeChanged, m_bars, qOverload<>(&QWidget::update));
    hide();
}

int StoryView::last() const {
    return m_story ? static_cast<int>(m_story->frames.size()) - 1 : 0;
}

bool StoryView::stills() const {
    return style()->styleHint(QStyle::SH_Widget_Animation_Duration, nullptr, this) <= 0;
}

void StoryView::setStory(std::shared_ptr<const lesson::Story> story) {
    if (story == m_story)
        return;
    m_story = std::move(story);
    m_timer.stop();
    if (!m_story) {
        hide();
        return;
    }
    m_bars->setVisible(!m_story->words.empty());
    setVisible(true);
    show(0);
    play(!stills());
}

void StoryView::show(int frame) {
    if (!m_story)
        return;
    m_at = std::clamp(frame, 0, last());
    if (m_at == last())
        m_timer.stop();
    follow();
    emit frameShown(m_story->frames[static_cast<std::size_t>(m_at)]);
}

void StoryView::play(bool on) {
    if (on && m_at < last())
        m_timer.start(
            static_cast<int>(lesson::frameMs(m_story->kind) / kSpeeds[static_cast<std::size_t>(m_speed)]));
    else
        m_timer.stop();
    follow();
}

void StoryView::toggle() {
    if (!m_story)
        return;
    if (m_at == last() && !playing())
        show(0);
    play(!playing());
}

void StoryView::follow() {
    if (!m_story)
        return;
    m_text->setText(tr("%1 of %2. %3")
                        .arg(m_at + 1)
                        .arg(last() + 1)
                        .arg(QString::fromStdString(m_story->frames[static_cast<std::size_t>(m_at)].say)));
    m_play->setText(playing() ? tr("Pause") : tr("Play"));
    m_speedButton->setText(tr("Speed %1").arg(kSpeeds[static_cast<std::size_t>(m_speed)]));
    m_previous->setEnabled(m_at > 0);
    m_next->setEnabled(m_at < last());
    m_bars->update();
}

void StoryView::hideEvent(QHideEvent* event) {
    play(false); // a window that is closed in mid-animation plays nothing on
    QWidget::hideEvent(event);
}

} // namespace fovea::ui
