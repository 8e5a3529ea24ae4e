#include "ui/window/WorkStrip.h"
#include "ui/plot/PlainTip.h"
#include "ui/plot/Rescale.h"
#include "ui/plot/Theme.h"
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <algorithm>
#include <cmath>

namespace fovea::ui {

namespace {
constexpr int kShowAfterMs = 200;
constexpr int kTickMs = 100;
} // namespace

/// A job's words with the share done as a line under them; words that do not fit end in an ellipsis and are
/// in the tip.
class JobText : public QWidget {
public:
    explicit JobText(QWidget* parent) : QWidget(parent) {
        setFont(Theme::second());
        setMinimumWidth(48);
        setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Expanding);
    }
    void show(const QString& text, double share) {
        if (text.size() != m_text.size())
            updateGeometry();
        m_text = text;
        m_share = share;
        setAccessibleName(text);
        setToolTip(plainTip(text));
        update();
    }
    [[nodiscard]] QSize sizeHint() const override {
        return {fontMetrics().horizontalAdvance(m_text) + 8, 24};
    }

protected:
    void paintEvent(QPaintEvent*) override {
        const Theme& theme = Theme::current();
        QPainter painter(this);
        painter.setPen(theme.ink);
        painter.drawText(rect().adjusted(0, 0, 0, -3), Qt::AlignVCenter | Qt::AlignLeft | Qt::TextSingleLine,
                         fontMetrics().elidedText(m_text, Qt::ElideRight, width()));
        if (m_share < 0)
            return;
        const QRectF bar(0, height() - 4, width(), 3);
        painter.fillRect(bar, theme.divider);
        painter.fillRect(QRectF(bar.left(), bar.top(), bar.width() * m_share, bar.height()), theme.accent);
    }

private:
    QString m_text;
    double m_share = -1; ///< below 0: not known
};

WorkStrip::WorkStrip(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("work.strip"));
    setFixedHeight(26);
    m_line = new QHBoxLayout(this);
    m_line->setContentsMargins(4, 0, 12, 0);
    m_line->setSpacing(12);
    m_idle = new QLabel(this);
    m_idle->setObjectName(QStringLiteral("work.idle"));
    m_idle->setTextFormat(Qt::PlainText);
    m_idle->setFont(Theme::second());
    m_idle->setForegroundRole(QPalette::PlaceholderText);
    m_idle->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    m_idle->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_line->addStretch(1); // keeps jobs at the right while the idle text is hidden
    m_line->addWidget(m_idle, 1000);
    m_tick.setInterval(kTickMs);
    connect(&m_tick, &QTimer::timeout, this, &WorkStrip::refresh);
}

void WorkStrip::setIdleText(const QString& text) {
    m_idle->setText(text);
}

QString WorkStrip::line(const QString& what, double done, double total, qint64 elapsedMs) {
    if (total <= 0)
        return what;
    const double share = std::min(done / total, 1.0);
    QString result =
        total <= 1000 && std::floor(total) == total
            ? QStringLiteral("%1 %2 of %3").arg(what).arg(std::floor(done), 0, 'f', 0).arg(total, 0, 'f', 0)
            : QStringLiteral("%1 %2 %").arg(what).arg(std::floor(share * 100), 0, 'f', 0);
    if (elapsedMs >= 1000 && share > 0.02 && share < 1) {
        const double seconds = static_cast<double>(elapsedMs) / 1000 * (1 - share) / share;
        const qint64 left = std::max<qint64>(1, std::llround(seconds));
        result += left < 120 ? QStringLiteral(", about %1 s left").arg(left)
                             : QStringLiteral(", about %1 min left").arg((left + 30) / 60);
    }
    return result;
}

void WorkStrip::start(const QString& job, const QString& what) {
    const bool isNew = !m_jobs.contains(job);
    Job& j = m_jobs[job];
    if (isNew) {
        const QString suffix = job == QLatin1String("run") ? QString() : QLatin1Char('.') + job;
        j.box = new QWidget(this);
        auto* line = new QHBoxLayout(j.box);
        line->setContentsMargins(0, 0, 0, 0);
        line->setSpacing(8);
        j.text = new JobText(j.box);
        j.text->setObjectName(QStringLiteral("work.text") + suffix);
        line->addWidget(j.text);
        auto* cancel = new QPushButton(tr("Cancel %1").arg(job), j.box); // which of the jobs shown
        cancel->setObjectName(QStringLiteral("work.cancel") + suffix);
        cancel->setFixedHeight(qRound(scaled(24)));
        cancel->setToolTip(tr("Stops within 100 ms; the picture stays (Ctrl+.)"));
        cancel->setFocusPolicy(Qt::TabFocus);
        connect(cancel, &QPushButton::clicked, this, [this, job] { emit cancelWanted(job); });
        line->addWidget(cancel);
        j.box->hide();
        m_line->addWidget(j.box);
        j.sinceStart.start();
    }
    if (isNew || j.what != what)
        j.sinceWhat.start();
    j.what = what;
    if (!m_tick.isActive()) // a job that reports often must not put it off
        m_tick.start();
}

void WorkStrip::progress(const QString& job, const QString& what, double done, double total) {
    const auto found = m_jobs.find(job);
    if (found == m_jobs.end())
        return;
    Job& j = found->second;
    if (j.what != what) {
        j.what = what;
        j.sinceWhat.start();
    }
    j.done = done;
    j.total = total;
}

void WorkStrip::finish(const QString& job) {
    const auto found = m_jobs.find(job);
    if (found == m_jobs.end())
        return;
    found->second.box->hide();
    found->second.box->deleteLater(); // perhaps from its own Cancel
    m_jobs.erase(found);
    if (m_jobs.empty())
        m_tick.stop();
    m_idle->setVisible(m_jobs.empty());
}

void WorkStrip::refresh() {
    for (auto& [name, j] : m_jobs) {
        if (j.sinceStart.elapsed() < kShowAfterMs)
            continue;
        j.text->show(line(j.what, j.done, j.total, j.sinceWhat.elapsed()),
                     j.total > 0 ? std::clamp(j.done / j.total, 0.0, 1.0) : -1.0);
        j.box->show();
        m_idle->hide();
    }
}

} // namespace fovea::ui
