#include "core/policy/ParamRows.h"

namespace fovea::params {

namespace {

constexpr std::array<std::string_view, 2> kSides{"earlier", "both"};

} // namespace

void appendLocal(std::vector<ParamSpec>& s) {
    using enum ParamKind;
    constexpr auto kLocal = &Policy::local;
    ParamSpec& window = row(s, "Local", "local.window", "window", "window", "keys",
                            "Each query reads exactly this many of the newest keys, including itself. 0: "
                            "off. all: full attention.",
                            Integer);
    plain<kLocal, &LocalPart::window>(window, 0, kTokensMaximum, [](const Policy&) { return true; });
    window.allAllowed = true;
    window.logarithmic = true;
    plain<kLocal, &LocalPart::dilation>(
        row(s, "Local", "local.dilation", "dilation", "dilation", "tokens",
            "Distance between the keys of the window: the same number of keys reaches further back.",
            Integer),
        1, 64, [](const Policy& p) { return p.local.sides == Sides::Both || p.local.window > 1; });
    ParamSpec& chunk =
        row(s, "Local", "local.chunk", "chunk", "chunk", "tokens",
            "Each query also reads its own aligned chunk of this many tokens, up to itself. 0: off. Needs a "
            "window that is not \"all\".",
            Integer);
    plain<kLocal, &LocalPart::chunk>(chunk, 0, kTokensMaximum, sparse);
    chunk.logarithmic = true;
    plain<kLocal, &LocalPart::chunkPrevious>(
        row(s, "Local", "local.chunk_prev", "chunk-prev", "previous chunks", "chunks",
            "1: each query also reads the whole chunk before its own.", Integer),
        0, 1, [](const Policy& p) { return sparse(p) && p.local.chunk > 0; });
    named<kLocal, &LocalPart::sides, kSides>(row(s, "Local", "local.sides", "sides", "sides", "",
                                                 "earlier: the window ends at the query. both: half of it on "
                                                 "either side of the query, which needs a "
                                                 "bidirectional model.",
                                                 Name),
                                             [](const Policy& p) { return p.local.window > 1; });
}

} // namespace fovea::params
