#include "ui/window/Samples.h"
#include "ui/plot/Icons.h"
#include "ui/plot/NumberText.h"
#include <QFile>
#include <array>

namespace fovea::ui {

std::span<const SampleSpec> sampleSpecs() {
    static constexpr std::array kSamples = {
        SampleSpec{"log.txt", "harbour log", "714 tokens: facts of four days, asked for on the fifth"},
        SampleSpec{"keys.txt", "lockers",
                   "524 tokens: twenty numbers, thirteen of them asked for in no order"},
        SampleSpec{"code.cpp.txt", "source code", "463 tokens: names that return, brackets and indentation"},
        SampleSpec{"tides.txt", "letter on the tides",
                   "4,980 tokens: people and figures return after thousands"},
        SampleSpec{"winter.txt", "inspector's report", "6,911 tokens: printed questions, answered far back"},
        SampleSpec{"unicode.txt", "many scripts", "285 tokens: characters that take several tokens"},
    };
    return kSamples;
}

std::string sampleText(const SampleSpec& sample) {
    initResources();
    QFile file(QStringLiteral(":/samples/") + text(sample.file));
    return file.open(QIODevice::ReadOnly) ? file.readAll().toStdString() : std::string();
}

} // namespace fovea::ui
