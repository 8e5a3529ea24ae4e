#include "core/policy/PresetTimes.h"
#include <array>

namespace fovea {

namespace {

struct Note {
    std::string_view preset, text;
};

constexpr std::array kNotes = {
    Note{"moba", "At 4,096 tokens it takes 0.96 of full attention's time for 0.53 of its pairs; 0.79 is the "
                 "kernel, which computes 64 queries together although they choose different pages"},
    Note{"nsa", "At 4,096 tokens it takes 1.5 times full attention's time for 0.60 of its pairs; 1.3 is the "
                "kernel, which computes 64 queries together although they choose different pages"},
    Note{"landmark",
         "At 4,096 tokens it takes 0.93 of full attention's time for 0.19 of its pairs; 0.71 is the "
         "kernel, which computes 64 queries together although they choose different pages"},
    Note{"quest",
         "At 4,096 tokens it takes 1.3 times full attention's time for 0.50 of its pairs; 0.75 is the "
         "kernel, which computes 64 queries together, and 0.42 the router, which ranks pages for each "
         "head"},
    Note{"h2o", "At 4,096 tokens it takes 1.2 times full attention's time for 0.29 of its pairs; 0.86 is the "
                "router, whose rows depend on the weights of the row before"},
    Note{"reformer",
         "At 4,096 tokens it takes 1.5 times full attention's time for 0.18 of its pairs; 1.0 is the "
         "router, which hashes and unites 8 rounds for each head"},
    Note{"default",
         "At 4,096 tokens it takes 0.51 of full attention's time for 0.25 of its pairs; 0.28 is the "
         "router, which scores every key before the window"},
    Note{"summaries",
         "At 4,096 tokens it takes 0.35 of full attention's time for 0.12 of its pairs; the means "
         "are a second pass over all rows"},
    Note{"key-norm",
         "At 4,096 tokens it takes 0.17 of full attention's time for 0.08 of its pairs; 0.12 is the "
         "kernel, which gathers single keys"},
};

} // namespace

std::string_view timeNote(std::string_view preset) {
    for (const Note& note : kNotes)
        if (note.preset == preset)
            return note.text;
    return {};
}

} // namespace fovea
