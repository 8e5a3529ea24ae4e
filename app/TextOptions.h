#pragma once
#include "app/Outcome.h"
#include "app/Output.h"
#include "app/PolicyOptions.h"
#include "core/engine/Request.h"
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

namespace fovea::app {

/// --model.
void addModelOption(CLI::App& app, std::string& model);

/// Options of all commands that run a model.
struct RunOptions {
    std::string model;
    std::string threads;
    std::string precision = "f32";
    std::string maxMemory;
    std::string nativeWindows = "on";
};
void addRunOptions(CLI::App& app, RunOptions& options);

/// One text: a file, "-" for standard input, or --text.
struct TextOptions {
    std::string file;
    std::string text;
    CLI::Option* textOption = nullptr;
    bool specialTokens = false;
    std::string textTemplate = "raw";
};
void addTextOptions(CLI::App& app, TextOptions& options);
/// --special-tokens and --template only, for commands with several texts.
void addReadingOptions(CLI::App& app, TextOptions& options);

/// The bytes of the text, never empty.
[[nodiscard]] Outcome<std::shared_ptr<const std::string>> readText(const TextOptions& options);
/// The bytes of a file, or of standard input for "-", never empty; also reads pipes.
[[nodiscard]] Outcome<std::shared_ptr<const std::string>> readTextFile(const std::string& path);

/// 0 (all) when not given.
[[nodiscard]] Outcome<int> readThreads(const RunOptions& options);

/// A Request without text and policy: finds the model and checks precision, memory and template. Its depth is
/// Visible, without a rectangle.
[[nodiscard]] Outcome<Request> makeRequest(const RunOptions& run, const TextOptions& text);

} // namespace fovea::app
