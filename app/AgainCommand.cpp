#include "app/AgainCommand.h"
#include "core/policy/ParamSpec.h"

namespace fovea::app {

namespace {

std::string policyWords(const NamedPolicy& named) {
    const AttentionPolicy& policy = named.policy;
    if (!named.file.empty())
        return "--policy " + shellWord(named.file);
    if (!named.preset.empty())
        return "--policy " + named.preset;
    const bool plain = policy.headPolicies.empty() && policy.mix.layers.empty() && policy.mix.heads.empty() &&
                       policy.always.pinned.size() < 2;
    if (plain && !policyToOptions(policy).empty())
        return policyToOptions(policy);
    return "--policy FILE (--out DIR writes it)";
}

} // namespace

std::string shellWord(const std::string& word) {
    if (!word.empty() && word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                "0123456789_-./,:=+@") == std::string::npos)
        return word;
    std::string quoted = "'";
    for (const char c : word)
        quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

std::string againCommand(const TextRunOptions& options, const std::string& file, const NamedPolicy& named) {
    std::string command =
        "fovea analyze " + (file.empty() ? "--text " + shellWord(options.text.text) : shellWord(file));
    command += " " + policyWords(named);
    const auto add = [&](const char* name, const std::string& value, const std::string& standard) {
        if (!value.empty() && value != standard)
            command += std::string(" ") + name + " " + shellWord(value);
    };
    add("--model", options.run.model, "");
    add("--precision", options.run.precision, "f32");
    add("--native-windows", options.run.nativeWindows, "on");
    add("--template", options.text.textTemplate, "raw");
    add("--max-tokens", options.maxTokens, "");
    return options.text.specialTokens ? command + " --special-tokens" : command;
}

} // namespace fovea::app
