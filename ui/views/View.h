#pragma once
#include "ui/run/RunController.h"
#include <QWidget>

namespace fovea::ui {

/// What every view gets: the source of data, the selection, and the request to change. All outlive the view.
struct ViewContext {
    RunController& runs;
    RequestModel& requests;
    SelectionModel& selection;
};

} // namespace fovea::ui
