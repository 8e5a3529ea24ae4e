#pragma once
#include <QString>
#include <span>
#include <string>
#include <string_view>

namespace fovea::ui {

/// A text that comes with the program.
struct SampleSpec {
    std::string_view file; ///< name in the resources and in samples/
    std::string_view name; ///< as shown
    std::string_view help; ///< what it shows, one line
};
/// The first is what a first launch opens.
[[nodiscard]] std::span<const SampleSpec> sampleSpecs();
/// Its bytes, from the compiled-in resources.
[[nodiscard]] std::string sampleText(const SampleSpec& sample);

} // namespace fovea::ui
