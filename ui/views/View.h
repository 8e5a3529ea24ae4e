#pragma once
#include "ui/run/RunController.h"
#include <QWidget>

namespace fovea::ui {

/// What every view is given: where data comes from, what is selected, and how to change the request. All
/// outlive the view.
struct ViewContext {
    RunController& runs;
    RequestModel& requests;
    SelectionModel& selection;
};

} // namespace fovea::ui
