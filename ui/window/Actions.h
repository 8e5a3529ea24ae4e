#pragma once
#include <QString>
#include <span>
#include <string_view>
#include <vector>

namespace fovea::ui {

/// One row per action of the window. Menus, the shortcut sheet, tool tips and tests are generated from this
/// table.
struct ActionSpec {
    std::string_view id;    ///< "file.open": the QAction's object name
    std::string_view menu;  ///< "File" ...; empty: only in the sheet
    std::string_view text;  ///< with the menu's mnemonic
    std::string_view keys;  ///< portable key sequences, separated by a space; the first is shown
    std::string_view place; ///< "window", or the view that must have the focus
    std::string_view help;  ///< one line
    bool separatorBefore = false;
    std::string_view group = {}; ///< actions of one group exclude each other and show a mark
};

/// The place of actions that work everywhere in the window; they are QActions. Other places are views, which
/// handle the keys while they have the focus.
inline constexpr std::string_view kWindowPlace = "window";

[[nodiscard]] std::span<const ActionSpec> actionSpecs();
/// "Ctrl+PgUp" and so on; empty when there is none.
[[nodiscard]] std::vector<QString> keysOf(const ActionSpec& action);

} // namespace fovea::ui
