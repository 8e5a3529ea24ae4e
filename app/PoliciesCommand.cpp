#include "app/Command.h"
#include "app/Help.h"
#include "app/Output.h"
#include "app/PolicyOptions.h"
#include "app/TextOptions.h"
#include "core/policy/PolicyJson.h"
#include "core/policy/PresetTimes.h"
#include "core/policy/PresetTitle.h"
#include "core/policy/SignalSpec.h"

namespace fovea::app {

namespace {

struct Options {
    std::string name;
    OutputOptions output;
};

std::string causal(const AttentionPolicy& policy) {
    if (policy.bidirectional())
        return "looks ahead: for bidirectional models only, refused on causal ones";
    return looksAhead(policy) ? "looks ahead" : "causal";
}

/// The presets under the headings of their families.
std::string table() {
    std::string text;
    std::string_view family;
    for (const PolicyPreset& preset : policyPresets()) {
        if (preset.family != family) {
            family = preset.family;
            text += (text.empty() ? "" : "\n") + std::string(family) + "\n";
        }
        std::string left = "  " + std::string(preset.name);
        left.resize(std::max<std::size_t>(left.size() + 1, 20), ' ');
        std::string right =
            presetTitle(preset) + ": " + std::string(preset.help) + "; " + causal(preset.policy);
        if (!preset.source.empty())
            right += "; published " + std::string(preset.weights) + ", " + std::string(preset.source);
        if (const std::string note = timeNote(preset.name); !note.empty())
            right += ". " + note;
        text += left + wrapped(right, 20, 100).substr(20);
    }
    return text + "\nfovea policies NAME prints one as a policy file; --policy NAME runs it.\n";
}

Outcome<> run(const Options& options) {
    OutputFiles files;
    files.add("--out", options.output.out);
    FOVEA_TRY(files.check());
    std::string text;
    if (options.name.empty()) {
        text = options.output.json ? presetsJson() : table();
    } else {
        Outcome<AttentionPolicy> policy = readPolicyNamed(options.name);
        FOVEA_TRY(policy);
        text = policyToJson(*policy);
    }
    return deliver(options.output, text, text);
}

} // namespace

Command addPolicies(CLI::App& program) {
    auto options = std::make_shared<Options>();
    CLI::App* app = program.add_subcommand(
        "policies", "Lists the named policies with what they read, what weights their paper used and whether "
                    "they look ahead. With a name, prints that one as a policy file.");
    app->add_option("NAME", options->name, "A preset or a policy file.")->group("Policy");
    addOutputOptions(*app, options->output, "Also write what is printed to this file.");
    app->footer("Examples:\n  fovea policies\n  fovea policies h2o > mine.json");
    return {app, [options](Session&) { return run(*options); }};
}

} // namespace fovea::app
