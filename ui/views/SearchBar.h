#pragma once
#include "core/text/TokenSearch.h"
#include "ui/views/View.h"
#include <QWidget>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

class QLabel;
class QLineEdit;
class QToolButton;

namespace fovea::ui {

/// What a search found, and what the selected query reads of it. Values of core.
struct SearchAnswer {
    std::string pattern;
    std::vector<TokenMatch> matches;
    int query = -1;  ///< the query whose mass is summed; -1: none is pinned
    double full = 0; ///< full attention's mass on the matches
};

/// A line to search the tokens: a word, #412, id:284, re:EXPRESSION. Return goes to the next match and pins
/// it, Shift+Return to the previous one. objectNames: text.search (the field), text.search.count,
/// text.search.next, text.search.previous, text.search.all, text.search.close.
class SearchBar : public QWidget {
    Q_OBJECT
public:
    explicit SearchBar(ViewContext context, QWidget* parent);
    /// Shows the bar with `start` typed in, selected; an empty `start` keeps what was there.
    void open(const QString& start);
    void step(int by); ///< the next match (1) or the previous one (-1)
    void shut();
    bool shutByKey(); ///< as the cross does; false: it was not open
    /// [T] 1 for tokens that match; empty: none.
    [[nodiscard]] std::vector<std::uint8_t> marks() const;

public slots:
    void refresh(); ///< after a new text, layer, head or pin

signals:
    void found();      ///< marks() has changed
    void shutByUser(); ///< the focus goes back to the text

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void search();
    void show(const SearchAnswer& answer);
    void pinAll();
    [[nodiscard]] bool answered() const; ///< m_answer is of what is typed and shown now
    ViewContext m_context;
    QLineEdit* m_field;
    QLabel* m_count;
    SearchAnswer m_answer;
    std::shared_ptr<const Tokens> m_tokens; ///< that m_answer is about
    int m_at = -1;                          ///< the match that was pinned last
    std::function<void()> m_then;           ///< what a key asked for, once the answer is there
};

} // namespace fovea::ui
