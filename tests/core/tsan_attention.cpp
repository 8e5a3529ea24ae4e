// Under ThreadSanitizer with Archer: the kernel on several threads, plans of every kind, heads sharing a plan
// and not, cancelled in the middle. `--race` plants two unordered writes, to prove that the set-up would have
// seen a race.
#include "tests/support/AttentionCase.h"
#include <cstdio>
#include <cstring>
#include <thread>

using namespace fovea;
using namespace fovea::test;

namespace {

int plantRace() {
    int shared = 0;
#pragma omp parallel for num_threads(2)
    for (int i = 0; i < 1000; ++i)
        shared += i;
    std::printf("planted race gave %d\n", shared);
    return 0;
}

bool sameOnAnyThreads(const AttentionPlan& plan, const Case& c, Isa isa) {
    AttentionOptions options;
    options.isa = isa;
    LayerOutput first(c);
    for (const int threads : {1, 2, 4}) {
        LayerOutput out(c);
        WorkContext work;
        work.threads = threads;
        if (!attend(plan, c.input(), threads == 1 ? first.output() : out.output(), options, work).has_value())
            return false;
        if (threads > 1 && std::memcmp(first.o.view().data, out.o.view().data, out.o.bytes()) != 0)
            return false;
    }
    return true;
}

} // namespace

int main(int argc, char** argv) {
    if (argc > 1 && std::strcmp(argv[1], "--race") == 0)
        return plantRace();
    const Case c(300, 40, 6, 3);
    const auto everyNinth = [](std::size_t i) { return i % 9 == 0; };
    const AttentionPlan plans[] = {
        layerPlan(headPlan(c.tokens, {0, c.tokens}, causal()), c.heads),
        layerPlan(headPlan(c.tokens, {0, c.tokens}, windowAndSinks(50, 4), everyNinth), c.heads),
        layerPlan(headPlan(c.tokens, {10, 290}, routed(20, 4, 7)), c.heads),
    };
    for (const Isa isa : availableIsas())
        for (const AttentionPlan& plan : plans)
            if (!sameOnAnyThreads(plan, c, isa)) {
                std::printf("%s: bits differ between thread counts\n", isaName(isa).data());
                return 1;
            }
    WorkContext work;
    work.threads = 4;
    std::thread stopper([&] { work.cancel.cancel(); });
    LayerOutput out(c);
    const Result<> done = attend(plans[0], c.input(), out.output(), AttentionOptions{}, work);
    stopper.join();
    std::printf("ok, the cancelled run %s\n", done.has_value() ? "was faster" : "stopped");
    return 0;
}
