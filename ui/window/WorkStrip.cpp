#include "ui/window/WorkStrip.h"
#include "ui/plot/Icons.h"
#include "ui/plot/Theme.h"
#include <QHBoxLayout>
#include <QLabel>
#include <QLocale>
#include <QProgressBar>
#include <QPushButton>
#include <cmath>

namespace fovea::ui {

namespace {
constexpr int kShowAfterMs = 200;
constexpr int kTickMs = 100;
} // namespace

WorkStrip::WorkStrip(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("work.strip"));
    setFixedHeight(30);
    m_line = new QHBoxLayout(this);
    m_line->setContentsMargins(12, 2, 12, 2);
    m_line->setSpacing(24);
    m_idle = new QLabel(this);
    m_idle->setObjectName(QStringLiteral("work.idle"));
    m_idle->setTextFormat(Qt::PlainText);
    m_idle->setFont(Theme::second());
    m_idle->setForegroundRole(QPalette::PlaceholderText);
    m_idle->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_line->addWidget(m_idle, 1);
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
        j.text = new QLabel(j.box);
        j.text->setObjectName(QStringLiteral("work.text") + suffix);
        j.text->setTextFormat(Qt::PlainText);
        j.text->setFont(Theme::second());
        line->addWidget(j.text);
        j.bar = new QProgressBar(j.box);
        j.bar->setObjectName(QStringLiteral("work.bar") + suffix);
        j.bar->setTextVisible(false);
        j.bar->setFixedSize(96, 8);
        j.bar->setRange(0, 1000);
        line->addWidget(j.bar);
        auto* cancel = new QPushButton(tr("Cancel"), j.box);
        cancel->setObjectName(QStringLiteral("work.cancel") + suffix);
        cancel->setFixedHeight(24);
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
    m_idle->show();
}

void WorkStrip::refresh() {
    for (auto& [name, j] : m_jobs) {
        if (j.sinceStart.elapsed() < kShowAfterMs)
            continue;
        j.text->setText(line(j.what, j.done, j.total, j.sinceWhat.elapsed()));
        j.bar->setValue(j.total > 0 ? static_cast<int>(std::min(1.0, j.done / j.total) * 1000) : 0);
        j.bar->setVisible(j.total > 0);
        j.box->show();
    }
}

} // namespace fovea::ui
