#include "app/Usage.h"
#include <algorithm>
#include <charconv>
#include <cmath>

namespace fovea::app {

namespace {

/// Edits (insert, delete, replace, swap of neighbours) from one word to the other; optimal string alignment.
std::size_t editDistance(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i)
        d[i][0] = i;
    for (std::size_t j = 0; j <= b.size(); ++j)
        d[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i)
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replace = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replace});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[a.size()][b.size()];
}

std::vector<std::string> optionNames(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::Option* option : app.get_options())
        for (const std::string& name : option->get_lnames())
            names.push_back("--" + name);
    return names;
}

/// The subcommand whose arguments were parsed, otherwise the program.
const CLI::App& readingApp(const CLI::App& app) {
    const auto commands = app.get_subcommands();
    return commands.empty() ? app : *commands.front();
}

/// The word after the colon in the message of CLI11, or the first word that looks like an option.
std::string offendingWord(const std::string& message) {
    if (const std::size_t dash = message.find("--"); dash != std::string::npos)
        return message.substr(dash, message.find_first_of(" :=,", dash) - dash);
    const std::size_t colon = message.rfind(": ");
    return colon == std::string::npos ? message : message.substr(colon + 2);
}

} // namespace

std::string didYouMean(std::string_view word, const std::vector<std::string>& names) {
    std::string best;
    std::size_t least = std::max<std::size_t>(1, std::min<std::size_t>(3, word.size() / 3)) + 1;
    for (const std::string& name : names)
        if (const std::size_t edits = editDistance(word, name); edits < least) {
            least = edits;
            best = name;
        }
    return best.empty() ? "" : "; did you mean " + best + "?";
}

std::string usageMessage(const CLI::App& program, const CLI::ParseError& error) {
    const CLI::App& app = readingApp(program);
    const std::string command = "fovea" + (&app == &program ? "" : " " + app.get_name());
    const std::string more = "; \"" + command + " --help\" lists what is accepted";
    const std::string word = offendingWord(error.what());
    if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
        if (word.starts_with("-"))
            return command + " has no option " + word + [&] {
                const std::string close = didYouMean(word, optionNames(app));
                return close.empty() ? more : close;
            }();
        return command + " was given \"" + word + "\" beside its own arguments" + more;
    }
    if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
        const std::string message = error.what();
        const bool twice =
            message.find("At Most") != std::string::npos || message.find("got ") != std::string::npos;
        return word + (twice ? " is given more than once" : " needs a value") + more;
    }
    if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr)
        return command + " needs " + (word.starts_with("--") ? word : std::string(error.what())) + more;
    return std::string(error.what()) + more;
}

Outcome<std::uint64_t> parseBytes(const std::string& option, const std::string& text) {
    constexpr std::string_view kUnits[] = {"", "K", "M", "G", "T"};
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    std::string unit(end, text.data() + text.size());
    unit.erase(0, unit.find_first_not_of(' '));
    for (char& c : unit)
        c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    for (const std::string_view ending : {"IB", "B"}) // "GiB", "GB" and "G" are the same; "iB" alone is none
        if (unit.size() > (ending == "IB" ? 2U : 0U) && unit.ends_with(ending)) {
            unit.resize(unit.size() - ending.size());
            break;
        }
    const auto* found = std::find(std::begin(kUnits), std::end(kUnits), unit);
    const double bytes = value * std::pow(1024.0, static_cast<double>(found - std::begin(kUnits)));
    if (error != std::errc() || found == std::end(kUnits) || !(bytes >= 1) || bytes > 0x1p62)
        return badUsage(option + " is \"" + text +
                        "\"; a number of bytes with K, M, G or T (powers of 1024) is accepted, such as 500M, "
                        "2GB or \"1.5 GiB\"");
    return static_cast<std::uint64_t>(bytes);
}

Outcome<std::int64_t> parseWhole(const std::string& option, const std::string& text, std::int64_t minimum,
                                 std::int64_t maximum) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < minimum || value > maximum)
        return badUsage(option + " is \"" + text + "\"; a whole number from " + std::to_string(minimum) +
                        " to " + std::to_string(maximum) + " is accepted");
    return value;
}

Outcome<std::optional<double>> parseReal(const std::string& option, const std::string& text) {
    if (text.empty())
        return std::optional<double>();
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
        return badUsage(option + " is \"" + text + "\"; a number is accepted");
    return std::optional<double>(value);
}

Outcome<IndexRange> parseRange(const std::string& option, const std::string& text, std::size_t size) {
    const std::size_t colon = text.find(':');
    const std::string wrong = option + " is \"" + text +
                              "\"; first:last with 0 <= first < last <= " + std::to_string(size) +
                              " is accepted";
    if (colon == std::string::npos)
        return badUsage(wrong);
    const auto end = [&](const std::string& part, std::size_t missing) -> std::size_t {
        if (part.empty())
            return missing;
        std::size_t value = 0;
        const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), value);
        return error == std::errc() && stop == part.data() + part.size() ? value : size + 1;
    };
    const IndexRange range{end(text.substr(0, colon), 0), end(text.substr(colon + 1), size)};
    if (range.first >= range.last || range.last > size)
        return badUsage(wrong);
    return range;
}

} // namespace fovea::app
