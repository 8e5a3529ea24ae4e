#pragma once
#include <omp.h>

namespace fovea {

/// While it lives, parallel regions that the calling thread starts have one thread: for the matrix library
/// inside a parallel region, or for one row. The setting belongs to the thread and is restored.
class OneThread {
public:
    OneThread() : m_before(omp_get_max_threads()) { omp_set_num_threads(1); }
    ~OneThread() { omp_set_num_threads(m_before); }
    OneThread(const OneThread&) = delete;
    OneThread& operator=(const OneThread&) = delete;

private:
    int m_before;
};

} // namespace fovea
