#pragma once
#include <QFrame>
#include <QPointer>
#include <QString>
#include <functional>
#include <vector>

class QLabel;
class QLineEdit;
class QListView;
class QStandardItemModel;

namespace fovea::ui {

/// One thing that can be done from the palette.
struct PaletteEntry {
    QString title;
    QString hint; ///< the key, or what kind of thing it is
    std::function<void()> run;
};

/// Entries that contain every word of `typed` in title or hint, in any order and case; those whose title
/// begins with it come first, else the order stays.
[[nodiscard]] std::vector<PaletteEntry> matchingEntries(const std::vector<PaletteEntry>& entries,
                                                        const QString& typed);

/// A line over the window that finds actions, parameters, presets, layers, tokens and files by name, and runs
/// the chosen one. Up and Down choose, Return runs, Esc closes. objectNames: palette, palette.field,
/// palette.list.
class Palette : public QFrame {
    Q_OBJECT
public:
    /// `entries` is asked whenever the text changes: it may answer to the text itself ("window 64").
    using Source = std::function<std::vector<PaletteEntry>(const QString& typed)>;
    Palette(Source entries, QWidget* over);
    void open();
    void shut();

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void refresh();
    void runCurrent();
    void place();
    Source m_source;
    std::vector<PaletteEntry> m_shown;
    QLineEdit* m_field;
    QListView* m_list;
    QStandardItemModel* m_model;
    QLabel* m_none;
    QPointer<QWidget> m_before; ///< had the focus
};

} // namespace fovea::ui
