#pragma once
#include <CLI/CLI.hpp>
#include <string>

namespace fovea::app {

/// Formats help texts: description, usage, options by group with wrapped text, and examples.
class HelpFormatter : public CLI::Formatter {
public:
    std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
};

/// `text` wrapped at `width` columns, each line indented by `indent`.
[[nodiscard]] std::string wrapped(const std::string& text, std::size_t indent, std::size_t width);

} // namespace fovea::app
