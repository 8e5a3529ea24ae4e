#pragma once
#include <CLI/CLI.hpp>
#include <string>

namespace fovea::app {

/// Help in our shape: what it does, usage, options by group with wrapped text, examples last.
class HelpFormatter : public CLI::Formatter {
public:
    std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
};

/// `text` wrapped at `width` columns, each line indented by `indent`.
[[nodiscard]] std::string wrapped(const std::string& text, std::size_t indent, std::size_t width);

} // namespace fovea::app
