#include "app/Help.h"
#include <algorithm>
#include <sstream>

namespace fovea::app {

namespace {

constexpr std::size_t kWidth = 100;
constexpr std::size_t kColumn = 26;

std::string leftColumn(const CLI::Option& option) {
    std::string text = "  " + option.get_name(option.get_positional(), true);
    // Flags with a value of their own are shown without it.
    if (const std::size_t brace = text.find('{'); brace != std::string::npos)
        text.resize(brace);
    const std::string type = option.get_type_name();
    if (!option.get_positional() && option.get_expected_min() > 0 && !type.empty())
        text += " " + type;
    return text;
}

void appendOption(std::string& help, const CLI::Option& option) {
    const std::string left = leftColumn(option);
    help += left;
    const std::string right = wrapped(option.get_description(), kColumn, kWidth);
    if (left.size() + 2 > kColumn)
        help += "\n" + right;
    else
        help += std::string(kColumn - left.size(), ' ') + right.substr(kColumn);
}

} // namespace

std::string wrapped(const std::string& text, std::size_t indent, std::size_t width) {
    std::string out;
    std::string line(indent, ' ');
    bool empty = true;
    std::istringstream words(text);
    for (std::string word; words >> word;) {
        if (!empty && line.size() + 1 + word.size() > width) {
            out += line + "\n";
            line.assign(indent, ' ');
            empty = true;
        }
        line += (empty ? "" : " ") + word;
        empty = false;
    }
    return out + line + "\n";
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const {
    const bool program = app->get_parent() == nullptr;
    std::string help = wrapped(app->get_description(), 0, kWidth) + "\n";
    if (program) {
        help += "usage: fovea [FILE...]            open the window on a text, model, session or policy\n"
                "       fovea COMMAND ...          work without a display; fovea COMMAND --help says "
                "more\n\nCommands:\n";
        std::size_t column = 0; // of what each command does: past the longest name
        for (const CLI::App* command : app->get_subcommands({}))
            column = std::max(column, command->get_name().size() + 4);
        for (const CLI::App* command : app->get_subcommands({})) {
            const std::string left = "  " + command->get_name();
            std::string first = command->get_description();
            first = first.substr(0, first.find(". ") + 1);
            help +=
                left + std::string(column - left.size(), ' ') + wrapped(first, column, kWidth).substr(column);
        }
    } else {
        help += "usage: fovea " + app->get_name();
        for (const CLI::Option* option : app->get_options())
            if (option->get_positional())
                help += " " + option->get_name(true, false);
        help += " [options]\n";
    }
    std::string group;
    for (const std::string& name : app->get_groups()) {
        if (name.empty())
            continue;
        std::string rows;
        for (const CLI::Option* option :
             app->get_options([&](const CLI::Option* o) { return o->get_group() == name; }))
            appendOption(rows, *option);
        if (!rows.empty())
            help += "\n" + name + ":\n" + rows;
    }
    if (!app->get_footer().empty())
        help += "\n" + app->get_footer() + "\n";
    return help;
}

} // namespace fovea::app
