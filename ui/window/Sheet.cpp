#include "ui/window/Sheet.h"
#include "ui/plot/Icons.h"
#include "ui/plot/NumberText.h"
#include "ui/plot/Theme.h"
#include "ui/window/Actions.h"
#include <QGridLayout>
#include <QHBoxLayout>
#include <QKeySequence>
#include <QLabel>
#include <QToolButton>
#include <QVBoxLayout>

namespace fovea::ui {

Sheet::Sheet(const QString& name, QWidget* over) : QFrame(over) {
    setObjectName(name);
    setFrameStyle(QFrame::Box | QFrame::Plain);
    setForegroundRole(QPalette::Mid);
    setBackgroundRole(QPalette::AlternateBase);
    setAutoFillBackground(true);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(16, 8, 8, 16);
    column->setSpacing(8);
    auto* head = new QHBoxLayout;
    m_title = new QLabel(this);
    m_title->setObjectName(name + QStringLiteral(".title"));
    m_title->setTextFormat(Qt::PlainText);
    m_title->setFont(Theme::title());
    head->addWidget(m_title, 1);
    auto* close = new QToolButton(this);
    close->setObjectName(name + QStringLiteral(".close"));
    close->setIcon(icon(QStringLiteral("close")));
    close->setAutoRaise(true);
    close->setFixedSize(28, 28);
    close->setToolTip(tr("Close (Esc)"));
    close->setAccessibleName(tr("Close"));
    connect(close, &QToolButton::clicked, this, &Sheet::shut);
    head->addWidget(close);
    column->addLayout(head);
    m_body = new QVBoxLayout;
    m_body->setSpacing(4);
    m_body->setContentsMargins(0, 0, 8, 0);
    column->addLayout(m_body);
    hide();
}

void Sheet::setTitle(const QString& title) {
    m_title->setText(title);
    setAccessibleName(title);
}

void Sheet::clear() {
    while (QLayoutItem* item = m_body->takeAt(0)) {
        delete item->widget();
        delete item;
    }
}

QLabel* Sheet::addRow(const QString& name, const QString& value, const QString& iconName) {
    auto* row = new QWidget(this);
    auto* line = new QHBoxLayout(row);
    line->setContentsMargins(0, 0, 0, 0);
    line->setSpacing(8);
    auto* mark = new QLabel(row);
    mark->setFixedWidth(16);
    if (!iconName.isEmpty())
        mark->setPixmap(icon(iconName).pixmap(QSize(16, 16), devicePixelRatioF()));
    line->addWidget(mark, 0, Qt::AlignTop);
    auto* left = new QLabel(name, row);
    left->setTextFormat(Qt::PlainText);
    left->setForegroundRole(QPalette::PlaceholderText);
    left->setFixedWidth(96);
    line->addWidget(left, 0, Qt::AlignTop);
    auto* right = new QLabel(value, row);
    right->setTextFormat(Qt::PlainText);
    right->setWordWrap(true);
    right->setTextInteractionFlags(Qt::TextSelectableByMouse);
    line->addWidget(right, 1);
    m_body->addWidget(row);
    return right;
}

void Sheet::open() {
    adjustSize();
    const QSize room = parentWidget()->size();
    openAt(QPoint((room.width() - width()) / 2, (room.height() - height()) / 2));
}

void Sheet::openAt(QPoint at) {
    adjustSize();
    const QSize room = parentWidget()->size();
    at.setX(qBound(8, at.x(), qMax(8, room.width() - width() - 8)));
    at.setY(qBound(8, at.y(), qMax(8, room.height() - height() - 8)));
    move(at);
    raise();
    show();
}

void Sheet::shut() {
    if (isHidden())
        return;
    hide();
    emit closed();
}

void fillWithKeys(Sheet& sheet) {
    sheet.clear();
    sheet.setTitle(QObject::tr("Keyboard"));
    auto* table = new QWidget(&sheet);
    auto* grid = new QGridLayout(table);
    grid->setContentsMargins(0, 0, 0, 0);
    grid->setHorizontalSpacing(16);
    grid->setVerticalSpacing(2);
    std::vector<const ActionSpec*> withKeys;
    for (const ActionSpec& action : actionSpecs())
        if (!action.keys.empty())
            withKeys.push_back(&action);
    const int rows = static_cast<int>((withKeys.size() + 1) / 2);
    int index = 0;
    for (const ActionSpec* action : withKeys) {
        const int row = index % rows, column = index / rows * 2;
        QStringList keys;
        for (const QString& key : keysOf(*action))
            keys << QKeySequence(key).toString(QKeySequence::NativeText);
        auto* left = new QLabel(keys.join(QStringLiteral("  ")), table);
        left->setFont(Theme::mono());
        left->setTextFormat(Qt::PlainText);
        QString what = text(action->help);
        if (action->place != kWindowPlace)
            what += QStringLiteral(" (in the %1)").arg(text(action->place));
        auto* right = new QLabel(what, table);
        right->setTextFormat(Qt::PlainText);
        grid->addWidget(left, row, column);
        grid->addWidget(right, row, column + 1);
        ++index;
    }
    sheet.body()->addWidget(table);
}

} // namespace fovea::ui
