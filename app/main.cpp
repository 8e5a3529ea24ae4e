#include "app/Command.h"
#include "app/Help.h"
#include "app/Interrupt.h"
#include "app/Output.h"
#include "app/Usage.h"
#include "core/engine/Build.h"
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <new>
#ifdef FOVEA_WITH_WINDOW
#include "ui/window/RunWindow.h"
#endif

namespace fovea::app {

namespace {

constexpr const char* kDescription =
    "Fovea runs a language model on the CPU with full attention and with hybrid attention, and shows what "
    "each token "
    "read, which tokens were routed and why, what was saved and what was lost.";

constexpr const char* kFooter = R"(The main job, on your own text:
  fovea analyze page.txt                          full beside hybrid attention, as a table
  fovea analyze page.txt --out report             report.html, report.json, routing.csv and pictures in report/
  fovea analyze page.txt --window 64 --sinks 4 --route group_dot --route-count 16
  fovea sweep page.txt --over window=16:1024:x2 --over route-count=0,8,32

Without a policy option, attention, logits and sweep start from full attention; the other commands use the preset
"default" (window 128, 4 sinks, 32 routed keys). Exit status: 0 done, 1 the work failed, 2 bad usage or input, 130 interrupted.)";

/// Arguments with underscores in option names read as hyphens. Values stay as they are.
std::vector<std::string> readArguments(int argc, char** argv, const CLI::App& program) {
    std::vector<std::string> flags;
    const auto collect = [&](const CLI::App& app) {
        for (const CLI::Option* option : app.get_options())
            if (option->get_expected_min() == 0)
                for (const std::string& name : option->get_lnames())
                    flags.push_back("--" + name);
    };
    collect(program);
    for (const CLI::App* command : program.get_subcommands({}))
        collect(*command);
    std::vector<std::string> arguments;
    bool value = false;
    bool onlyValues = false;
    for (int i = 1; i < argc; ++i) {
        std::string word = argv[i];
        if (!value && !onlyValues && word.starts_with("--")) {
            onlyValues = word == "--";
            const std::size_t equals = std::min(word.find('='), word.size());
            std::replace(word.begin(), word.begin() + static_cast<std::ptrdiff_t>(equals), '_', '-');
            value = equals == word.size() && std::find(flags.begin(), flags.end(), word) == flags.end();
        } else {
            value = false;
        }
        arguments.push_back(std::move(word));
    }
    return arguments;
}

/// Neither a command nor a file: most likely a misspelt command.
Outcome<> checkFiles(const std::vector<std::string>& files, const std::vector<Command>& commands) {
    for (const std::string& file : files) {
        std::error_code ignored;
        if (std::filesystem::exists(file, ignored))
            continue;
        std::vector<std::string> names;
        for (const Command& command : commands)
            names.push_back(command.app->get_name());
        const std::string close = didYouMean(file, names);
        return badUsage("there is no command and no file named \"" + file + "\"" +
                        (close.empty() ? "; \"fovea --help\" lists the commands" : close));
    }
    return {};
}

/// An option that was given without anything in it is a slip (an unset variable of a shell), and is not taken
/// for one that was not given. --text has a sentence of its own.
Outcome<> checkValues(const CLI::App& command) {
    for (const CLI::Option* option : command.get_options()) {
        const std::string name = option->get_name();
        const auto& values = option->results();
        if (name != "--text" && std::find(values.begin(), values.end(), "") != values.end())
            return badUsage(name + " is empty; " +
                            (option->get_positional() ? "a name or a path" : option->get_type_name()) +
                            " is accepted");
    }
    return {};
}

int finish(const Outcome<>& outcome, Session& session) {
    session.clearProgress();
    if (outcome)
        return kDone;
    if (outcome.error().status == kInterrupted || session.cancelled()) {
        printError("interrupted");
        return interruptStatus();
    }
    printError(outcome.error().message);
    return outcome.error().status;
}

Outcome<int> openWindow([[maybe_unused]] int argc, [[maybe_unused]] char** argv,
                        [[maybe_unused]] const std::vector<std::string>& files) {
#ifdef FOVEA_WITH_WINDOW
    ui::WindowOptions options;
    options.files = files;
    return ui::runWindow(argc, argv, options);
#else
    return badUsage("this build has no window (FOVEA_CORE_ONLY); \"fovea --help\" lists the commands");
#endif
}

int runProgram(int argc, char** argv) {
    holdSignals();
    holdStandardStreams();
    CLI::App program(kDescription);
    program.name("fovea");
    program.formatter(std::make_shared<HelpFormatter>());
    program.set_help_flag("--help,-h", "What this is and how to use it.");
    program.set_version_flag("--version",
                             "fovea " + std::string(buildVersion()) + " " + std::string(buildCommit()),
                             "Version and commit of this build.");
    program.footer(kFooter);
    std::vector<std::string> files;
    program.add_option("FILE", files, "Opened in the window.")->group("");
    std::vector<Command> commands;
    for (auto* add :
         {addAnalyze, addSweep, addMerge, addTune, addProbe, addFailures, addCheck, addPolicies, addInspect,
          addTokenize, addLogits, addAttention, addHeads, addGenerate, addExport, addLesson, addBench})
        commands.push_back(add(program));

    try {
        std::vector<std::string> arguments = readArguments(argc, argv, program);
        std::reverse(arguments.begin(), arguments.end()); // as CLI11 wants them
        program.parse(arguments);
    } catch (const CLI::ParseError& error) {
        if (dynamic_cast<const CLI::CallForHelp*>(&error) != nullptr) {
            const auto chosen = program.get_subcommands();
            const Outcome<> printed = print(chosen.empty() ? program.help() : chosen.front()->help());
            if (!printed)
                printError(printed.error().message);
            return printed ? kDone : kFailed;
        }
        if (dynamic_cast<const CLI::CallForVersion*>(&error) != nullptr)
            return print(std::string(error.what()) + "\n") ? kDone : kFailed;
        printError(usageMessage(program, error));
        return kBadInput;
    }

    for (const Command& command : commands) {
        if (!command.app->parsed())
            continue;
        Session session(installInterrupt());
        try {
            const Outcome<> values = checkValues(*command.app);
            return finish(values ? command.run(session) : values, session);
        } catch (const std::bad_alloc&) {
            session.clearProgress();
            printError("not enough memory for this run");
        } catch (const std::exception& error) {
            session.clearProgress();
            printError(std::string("a library failed: ") + error.what());
        }
        return kFailed;
    }
    if (const Outcome<> known = checkFiles(files, commands); !known) {
        printError(known.error().message);
        return kBadInput;
    }
    releaseSignals();
    const Outcome<int> status = openWindow(argc, argv, files);
    if (!status) {
        printError(status.error().message);
        return status.error().status;
    }
    return *status;
}

} // namespace

} // namespace fovea::app

int main(int argc, char** argv) {
    return fovea::app::runProgram(argc, argv);
}
