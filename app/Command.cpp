#include "app/Command.h"
#include <omp.h>

namespace fovea::app {

WorkContext Session::work(int threads, bool quiet) {
    m_line = std::make_unique<ProgressLine>(quiet);
    WorkContext work;
    work.cancel = m_cancel;
    work.threads = threads;
    work.progress = [line = m_line.get()](const Progress& progress) { line->show(progress); };
    return work;
}

int Session::threadCount(int threads) {
    return threads > 0 ? threads : omp_get_max_threads();
}

void Session::clearProgress() {
    if (m_line)
        m_line->clear();
}

} // namespace fovea::app
