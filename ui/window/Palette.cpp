#include "ui/window/Palette.h"
#include "ui/plot/Theme.h"
#include <QApplication>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QPainter>
#include <QStandardItemModel>
#include <QStyledItemDelegate>
#include <QVBoxLayout>
#include <algorithm>

namespace fovea::ui {

namespace {

constexpr int kWidth = 560, kRow = 26, kRows = 14;
constexpr std::size_t kMost = 200;
constexpr int kHintRole = Qt::UserRole + 1;

/// Title at the left, hint in second ink at the right.
class TitleAndHint : public QStyledItemDelegate {
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& at) const override {
        const QString hint = at.data(kHintRole).toString();
        const int room = option.fontMetrics.horizontalAdvance(hint) + 24;
        QStyleOptionViewItem background = option;
        initStyleOption(&background, at);
        background.text.clear();
        QApplication::style()->drawControl(QStyle::CE_ItemViewItem, &background, painter);
        const bool chosen = (option.state & QStyle::State_Selected) != 0;
        painter->save();
        painter->setPen(chosen ? option.palette.color(QPalette::HighlightedText) : Theme::current().ink);
        const QRect title = option.rect.adjusted(8, 0, -room, 0);
        painter->drawText(title, Qt::AlignLeft | Qt::AlignVCenter,
                          option.fontMetrics.elidedText(at.data(Qt::DisplayRole).toString(), Qt::ElideRight,
                                                        title.width()));
        if (!chosen)
            painter->setPen(Theme::current().ink2);
        painter->drawText(option.rect.adjusted(0, 0, -8, 0), Qt::AlignRight | Qt::AlignVCenter, hint);
        painter->restore();
    }
    QSize sizeHint(const QStyleOptionViewItem&, const QModelIndex&) const override { return {100, kRow}; }
};

} // namespace

std::vector<PaletteEntry> matchingEntries(const std::vector<PaletteEntry>& entries, const QString& typed) {
    const QStringList words = typed.simplified().split(QLatin1Char(' '), Qt::SkipEmptyParts);
    std::vector<PaletteEntry> found;
    for (const PaletteEntry& entry : entries) {
        const QString all = entry.title + QLatin1Char(' ') + entry.hint;
        if (std::all_of(words.begin(), words.end(),
                        [&](const QString& word) { return all.contains(word, Qt::CaseInsensitive); }))
            found.push_back(entry);
    }
    std::stable_partition(found.begin(), found.end(), [&](const PaletteEntry& entry) {
        return entry.title.startsWith(typed.trimmed(), Qt::CaseInsensitive);
    });
    return found;
}

Palette::Palette(Source entries, QWidget* over) : QFrame(over), m_source(std::move(entries)) {
    setObjectName(QStringLiteral("palette"));
    setFrameStyle(QFrame::Box | QFrame::Plain);
    setForegroundRole(QPalette::Mid);
    setBackgroundRole(QPalette::AlternateBase);
    setAutoFillBackground(true);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(8, 8, 8, 8);
    column->setSpacing(4);
    m_field = new QLineEdit(this);
    m_field->setObjectName(QStringLiteral("palette.field"));
    m_field->setAccessibleName(tr("Command palette"));
    m_field->setPlaceholderText(
        tr("A command, \"window 64\", a preset, \"L12 H5\", \"#412\", a word of the text"));
    m_field->setFixedHeight(30);
    m_field->installEventFilter(this);
    column->addWidget(m_field);
    m_list = new QListView(this);
    m_list->setObjectName(QStringLiteral("palette.list"));
    m_list->setAccessibleName(tr("What the palette found"));
    m_list->setFocusPolicy(Qt::NoFocus);
    m_list->setFrameShape(QFrame::NoFrame);
    m_list->setEditTriggers(QAbstractItemView::NoEditTriggers);
    m_list->setUniformItemSizes(true);
    m_list->setItemDelegate(new TitleAndHint(m_list));
    m_list->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_model = new QStandardItemModel(this);
    m_list->setModel(m_model);
    column->addWidget(m_list, 1);
    m_none = new QLabel(tr("Nothing of that name."), this);
    m_none->setTextFormat(Qt::PlainText);
    m_none->setForegroundRole(QPalette::PlaceholderText);
    m_none->hide();
    column->addWidget(m_none, 1);
    hide();
    connect(m_field, &QLineEdit::textChanged, this, &Palette::refresh);
    connect(m_list, &QListView::clicked, this, &Palette::runCurrent);
}

void Palette::open() {
    if (isVisible())
        return;
    m_before = QApplication::focusWidget();
    m_field->clear();
    refresh();
    place();
    raise();
    show();
    m_field->setFocus(Qt::ShortcutFocusReason);
}

void Palette::place() {
    const QSize room = parentWidget()->size();
    const int width = std::min(kWidth, room.width() - 32);
    const int height = std::min(kRow * kRows + 54, room.height() - 96);
    setGeometry((room.width() - width) / 2, 64, width, height);
}

void Palette::shut() {
    if (!isVisible())
        return;
    hide();
    if (m_before != nullptr)
        m_before->setFocus(Qt::OtherFocusReason);
    m_before = nullptr;
}

void Palette::refresh() {
    m_shown = m_source(m_field->text());
    if (m_shown.size() > kMost)
        m_shown.resize(kMost);
    m_model->clear();
    for (const PaletteEntry& entry : m_shown) {
        auto* item = new QStandardItem(entry.title);
        item->setData(entry.hint, kHintRole);
        item->setData(entry.title + QStringLiteral(", ") + entry.hint, Qt::AccessibleTextRole);
        m_model->appendRow(item);
    }
    m_list->setCurrentIndex(m_model->index(0, 0));
    m_list->setVisible(!m_shown.empty());
    m_none->setVisible(m_shown.empty());
}

void Palette::runCurrent() {
    const int row = m_list->currentIndex().row();
    if (row < 0 || static_cast<std::size_t>(row) >= m_shown.size())
        return;
    const std::function<void()> run = m_shown[static_cast<std::size_t>(row)].run;
    shut(); // first: what runs may take the focus
    run();
}

bool Palette::eventFilter(QObject* watched, QEvent* event) {
    if (watched != m_field)
        return QFrame::eventFilter(watched, event);
    if (event->type() == QEvent::FocusOut && isVisible() && !isAncestorOf(QApplication::focusWidget())) {
        m_before = nullptr; // the focus has gone where the user wants it
        shut();
        return false;
    }
    if (event->type() == QEvent::ShortcutOverride) {
        const int key = static_cast<QKeyEvent*>(event)->key();
        if (key == Qt::Key_Escape || key == Qt::Key_PageUp || key == Qt::Key_PageDown) {
            event->accept(); // the window's keys wait
            return true;
        }
    }
    if (event->type() == QEvent::KeyPress) {
        const int key = static_cast<QKeyEvent*>(event)->key();
        const int step = key == Qt::Key_Down       ? 1
                         : key == Qt::Key_Up       ? -1
                         : key == Qt::Key_PageDown ? kRows - 1
                         : key == Qt::Key_PageUp   ? 1 - kRows
                                                   : 0;
        if (step != 0) {
            const int row =
                std::clamp(m_list->currentIndex().row() + step, 0, std::max(0, m_model->rowCount() - 1));
            m_list->setCurrentIndex(m_model->index(row, 0));
            return true;
        }
        if (key == Qt::Key_Return || key == Qt::Key_Enter) {
            runCurrent();
            return true;
        }
        if (key == Qt::Key_Escape) {
            shut();
            return true;
        }
    }
    return QFrame::eventFilter(watched, event);
}

} // namespace fovea::ui
