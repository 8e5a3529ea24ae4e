#pragma once

namespace fovea::ui {

/// What the header of a table's column says.
struct ColumnCard {
    const char* name;
    const char* help;
};

} // namespace fovea::ui
