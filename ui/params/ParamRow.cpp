#include "ui/params/ParamRow.h"
#include "ui/params/ParamSlider.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/PlainTip.h"
#include "ui/plot/Theme.h"
#include <QCheckBox>
#include <QComboBox>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QPainter>
#include <QScopedValueRollback>
#include <QVBoxLayout>

namespace fovea::ui {

namespace {

/// A filled dot: this value is not the default.
class Dot : public QWidget {
public:
    explicit Dot(QWidget* parent) : QWidget(parent) { setFixedSize(8, 8); }
    void setOn(bool on) {
        m_on = on;
        update();
    }

protected:
    void paintEvent(QPaintEvent*) override {
        if (!m_on)
            return;
        QPainter painter(this);
        painter.setRenderHint(QPainter::Antialiasing);
        painter.setPen(Qt::NoPen);
        painter.setBrush(Theme::current().accent);
        painter.drawEllipse(QRectF(1, 1, 6, 6));
    }

private:
    bool m_on = false;
};

QString noneLabel() {
    return QStringLiteral("none");
}

/// Rewrites a message of core for the panel: keys of the policy file become labels, and a limit that is only
/// that of the number type is omitted.
QString inLabels(QString sentence) {
    for (const ParamSpec& spec : paramSpecs()) {
        const QString key = text(spec.key);
        for (qsizetype at = 0; (at = sentence.indexOf(key, at)) >= 0;) {
            const qsizetype end = at + key.size();
            const bool longer = end < sentence.size() &&
                                (sentence[end].isLetterOrNumber() || sentence[end] == QLatin1Char('_'));
            if (longer) { // another key begins with this one
                at = end;
                continue;
            }
            sentence.replace(at, key.size(), text(spec.label));
            at += static_cast<qsizetype>(spec.label.size());
        }
    }
    for (const char* limit : {" to 2147483647", " to 9223372036854775807"})
        sentence.replace(QLatin1String(limit), QLatin1String(" up"));
    return sentence;
}

} // namespace

ParamRow::ParamRow(const ParamSpec& spec, QWidget* parent) : QWidget(parent), m_spec(spec) {
    const QString key = text(spec.key);
    setObjectName(QStringLiteral("params.") + key);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    auto* line = new QHBoxLayout;
    line->setContentsMargins(0, 0, 0, 0);
    line->setSpacing(4);
    column->addLayout(line);

    m_dot = new Dot(this);
    m_dot->setObjectName(QStringLiteral("params.%1.dot").arg(key));
    m_label = new QLabel(text(spec.label), this);
    m_label->setTextFormat(Qt::PlainText);
    m_label->setObjectName(QStringLiteral("params.%1.label").arg(key));
    m_label->setMinimumHeight(28);
    line->addWidget(m_dot);
    line->addWidget(m_label);

    const QString valueName = QStringLiteral("params.%1.value").arg(key);
    switch (spec.kind) {
    case ParamKind::Integer:
    case ParamKind::Real: {
        if (SliderScale::fits(spec))
            addSlider(*line);
        [[fallthrough]];
    }
    case ParamKind::IntegerList:
        m_number = new QLineEdit(this);
        m_number->setFont(Theme::mono());
        m_number->setAccessibleName(text(spec.label));
        m_number->setObjectName(valueName);
        m_number->setFixedHeight(24);
        m_number->installEventFilter(this);
        if (spec.kind == ParamKind::IntegerList) {
            m_number->setPlaceholderText(noneLabel());
            line->addWidget(m_number, 1);
        } else {
            m_number->setAlignment(Qt::AlignRight);
            if (m_slider != nullptr)
                m_number->setFixedWidth(48);
            line->addWidget(m_number, m_slider != nullptr ? 0 : 1);
        }
        connect(m_number, &QLineEdit::editingFinished, this, &ParamRow::takeText);
        break;
    case ParamKind::Name:
        m_names = new QComboBox(this);
        m_names->setObjectName(valueName);
        m_names->setAccessibleName(text(spec.label));
        m_names->setFixedHeight(24);
        m_names->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
        m_names->setMinimumContentsLength(6);
        m_names->setFocusPolicy(Qt::StrongFocus);
        m_names->installEventFilter(this);
        for (const std::string_view name : spec.names)
            m_names->addItem(name.empty() ? noneLabel() : text(name), text(name));
        line->addWidget(m_names, 1);
        connect(m_names, &QComboBox::activated, this, [this](int index) {
            emit wanted(m_spec, ParamValue(m_names->itemData(index).toString().toStdString()));
        });
        break;
    case ParamKind::Flag:
        m_flag = new QCheckBox(this);
        m_flag->setObjectName(valueName);
        m_flag->setAccessibleName(text(spec.label));
        m_flag->setMinimumSize(24, 24);
        line->addWidget(m_flag);
        line->addStretch(1);
        connect(m_flag, &QCheckBox::clicked, this, [this](bool on) { emit wanted(m_spec, ParamValue(on)); });
        break;
    }

    m_error = new QLabel(this);
    m_error->setTextFormat(Qt::PlainText);
    m_error->setWordWrap(true);
    m_error->setFont(Theme::second());
    m_error->setObjectName(QStringLiteral("params.%1.error").arg(key));
    m_error->setForegroundRole(QPalette::BrightText);
    m_error->setContentsMargins(12, 0, 0, 4);
    m_error->hide();
    column->addWidget(m_error);
}

void ParamRow::addSlider(QHBoxLayout& line) {
    m_scale = SliderScale(m_spec, 0);
    m_slider = new ParamSlider(this);
    m_slider->setObjectName(QStringLiteral("params.%1.slider").arg(text(m_spec.key)));
    m_slider->setAccessibleName(text(m_spec.label));
    m_slider->setRange(0, m_scale.size() - 1);
    m_slider->setPageStep(std::max(1, m_scale.size() / 10));
    line.addWidget(m_slider, 1);
    connect(m_slider, &ParamSlider::dragBegan, this, [this] { emit dragBegan(m_spec); });
    connect(m_slider, &ParamSlider::dragEnded, this, &ParamRow::dragEnded);
    connect(m_slider, &QSlider::valueChanged, this, [this](int stop) {
        if (!m_showing)
            emit wanted(m_spec, m_scale.valueAt(stop));
    });
}

void ParamRow::show(const AttentionPolicy& policy, const AttentionPolicy& defaults,
                    const QString& whyInactive) {
    const QScopedValueRollback guard(m_showing, true);
    m_value = m_spec.get(policy);
    const QString shown = QString::fromStdString(formatParam(m_spec, m_value));
    if (m_slider != nullptr && !m_slider->isSliderDown())
        m_slider->setValue(m_scale.stopOf(m_value));
    if (m_number != nullptr && m_number->text() != shown &&
        !(m_number->hasFocus() && m_number->isModified())) {
        m_number->setText(shown);
        m_wrong = false;
    }
    if (m_number != nullptr)
        m_number->setCursorPosition(0);
    if (m_names != nullptr) {
        const auto* name = std::get_if<std::string>(&m_value);
        m_names->setCurrentIndex(name == nullptr ? -1 : m_names->findData(QString::fromStdString(*name)));
    }
    if (m_flag != nullptr) {
        const auto* on = std::get_if<bool>(&m_value);
        m_flag->setChecked(on != nullptr && *on);
    }
    // As texts: "off" is held as NaN, which equals nothing, itself included.
    const QString usual = QString::fromStdString(formatParam(m_spec, m_spec.get(defaults)));
    static_cast<Dot*>(m_dot)->setOn(shown != usual);

    QString tip = text(m_spec.help);
    if (shown != usual)
        tip += QStringLiteral("\nDefault: %1").arg(usual);
    if (!m_spec.unit.empty())
        tip += QStringLiteral("\nUnit: %1").arg(text(m_spec.unit));
    if (!whyInactive.isEmpty())
        tip += QLatin1Char('\n') + whyInactive;
    setToolTip(plainTip(tip));
    const bool active = whyInactive.isEmpty();
    QWidget* const controls[] = {m_slider, m_number, m_names, m_flag, m_label};
    for (QWidget* control : controls)
        if (control != nullptr)
            control->setEnabled(active);
}

void ParamRow::setTokens(std::int64_t tokens) {
    if (m_slider == nullptr)
        return;
    const QScopedValueRollback guard(m_showing, true);
    m_scale = SliderScale(m_spec, tokens);
    m_slider->setRange(0, m_scale.size() - 1);
    m_slider->setPageStep(std::max(1, m_scale.size() / 10));
    m_slider->setValue(m_scale.stopOf(m_value));
}

void ParamRow::showError(const QString& sentence) {
    m_error->setText(inLabels(sentence));
    m_error->setVisible(!sentence.isEmpty());
}

void ParamRow::takeFocus() {
    QWidget* const controls[] = {m_number, m_names, m_flag};
    for (QWidget* control : controls)
        if (control != nullptr) {
            control->setFocus(Qt::ShortcutFocusReason);
            return;
        }
}

void ParamRow::setLabelWidth(int pixels) {
    m_label->setFixedWidth(pixels);
    m_label->setText(QFontMetrics(Theme::body()).elidedText(text(m_spec.label), Qt::ElideRight, pixels));
}

int ParamRow::labelWidthHint() const {
    return QFontMetrics(Theme::body()).horizontalAdvance(text(m_spec.label)) + 2;
}

void ParamRow::takeText() {
    if (!m_number->isModified())
        return;
    m_number->setModified(false);
    auto value = parseParam(m_spec, m_number->text().trimmed().toStdString());
    m_wrong = !value;
    if (!value) {
        showError(QString::fromStdString(value.error().message));
        return;
    }
    emit wanted(m_spec, *value);
}

void ParamRow::step(int by) {
    if (m_slider != nullptr && m_slider->isEnabled())
        m_slider->setValue(m_slider->value() + by);
}

void ParamRow::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_F1) {
        emit helpWanted(m_spec);
        return;
    }
    QWidget::keyPressEvent(event);
}

bool ParamRow::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::Wheel && watched == m_names && !m_names->hasFocus()) {
        event->ignore();
        return true;
    }
    const auto restorable = [this] { return m_number->isModified() || m_wrong || m_error->isVisible(); };
    if (event->type() == QEvent::ShortcutOverride && watched == m_number && restorable() &&
        static_cast<QKeyEvent*>(event)->key() == Qt::Key_Escape) {
        event->accept(); // the window's Esc waits
        return true;
    }
    if (event->type() == QEvent::KeyPress && watched == m_number) {
        const auto* key = static_cast<QKeyEvent*>(event);
        if (key->key() == Qt::Key_Up || key->key() == Qt::Key_Down) {
            step(key->key() == Qt::Key_Up ? 1 : -1);
            return true;
        }
        if (key->key() == Qt::Key_Escape && restorable()) {
            m_number->setModified(false);
            m_wrong = false;
            m_number->setText(QString::fromStdString(formatParam(m_spec, m_value)));
            showError(QString());
            return true;
        }
    }
    return QWidget::eventFilter(watched, event);
}

} // namespace fovea::ui
