#include "app/PolicyOptions.h"
#include "app/Usage.h"
#include "core/files/AtomicFile.h"
#include "core/policy/ParamSpec.h"
#include "core/policy/PolicyJson.h"
#include <cmath>
#include <filesystem>

namespace fovea::app {

namespace {

constexpr std::uint64_t kPolicyBytes = 64ULL << 20;

std::string number(double value) {
    if (value == static_cast<double>(kAll))
        return "the text's length";
    const ParamSpec& real = *findParam("routed.threshold");
    return std::abs(value) < 1e15 && value == std::floor(value)
               ? std::to_string(static_cast<std::int64_t>(value))
               : formatParam(real, value);
}

/// "N|all", "X", "none|random|..." for the help's left column.
std::string placeholder(const ParamSpec& spec) {
    switch (spec.kind) {
    case ParamKind::Integer:
        return spec.allAllowed ? "N|all" : "N";
    case ParamKind::Real:
        return "X";
    case ParamKind::IntegerList:
        return "N,N-N";
    case ParamKind::Flag:
        return "";
    case ParamKind::Name:
        break;
    }
    return "NAME";
}

std::string rangeText(const ParamSpec& spec) {
    if (spec.kind == ParamKind::Name) {
        std::string names;
        for (const std::string_view name : spec.names)
            names += (names.empty() ? "" : ", ") + std::string(name);
        return "One of " + names + ".";
    }
    if (spec.kind == ParamKind::Flag)
        return "";
    if (spec.maximum >= 1e18)
        return "";
    std::string text = number(spec.minimum) + " to " + number(spec.maximum);
    if (!spec.unit.empty())
        text += " " + std::string(spec.unit);
    return text + ".";
}

std::string optionName(std::string_view name) {
    std::string text = "--";
    for (const char c : name)
        text += c == '_' ? '-' : c;
    return text;
}

} // namespace

bool PolicyOptions::given() const {
    if (!base.empty())
        return true;
    for (const CLI::Option* option : options)
        if (option->count() > 0)
            return true;
    return false;
}

void addPolicyOptions(CLI::App& app, PolicyOptions& options) {
    std::string names;
    for (const PolicyPreset& preset : policyPresets())
        names += (names.empty() ? "" : ", ") + std::string(preset.name);
    app.add_option("--policy", options.base,
                   "Start from a preset (" + names +
                       ") or a policy file; the options below then change single fields.")
        ->type_name("NAME|FILE.json")
        ->group("Policy");
    const auto specs = paramSpecs();
    options.values.resize(specs.size());
    for (std::size_t i = 0; i < specs.size(); ++i) {
        const ParamSpec& spec = specs[i];
        const std::string name = optionName(spec.option);
        std::string help(spec.help);
        if (const std::string range = rangeText(spec); !range.empty())
            help += " " + range;
        CLI::Option* option = spec.kind == ParamKind::Flag
                                  ? app.add_flag(name + "{on}", options.values[i], help)
                                  : app.add_option(name, options.values[i], help);
        option->group("Policy: " + std::string(spec.section))->type_name(placeholder(spec));
        options.options.push_back(option);
    }
}

Outcome<AttentionPolicy> readPolicyNamed(const std::string& nameOrFile, const std::string& option) {
    std::error_code ignored;
    const bool looksLikeFile = nameOrFile.find('/') != std::string::npos || nameOrFile.ends_with(".json") ||
                               std::filesystem::exists(nameOrFile, ignored);
    Result<AttentionPolicy> preset = presetPolicy(nameOrFile);
    if (preset)
        return std::move(*preset);
    if (!looksLikeFile) {
        std::vector<std::string> names;
        for (const PolicyPreset& row : policyPresets())
            names.emplace_back(row.name);
        return badUsage(option + ": " + preset.error().message + ", or the path of a policy file" +
                        didYouMean(nameOrFile, names));
    }
    Result<std::string> text = readWholeFile(nameOrFile, kPolicyBytes);
    FOVEA_TRY(text);
    Result<AttentionPolicy> policy = policyFromJson(*text);
    if (!policy)
        return badUsage(nameOrFile + ": " + policy.error().message);
    return std::move(*policy);
}

Outcome<AttentionPolicy> readPolicy(const PolicyOptions& options, std::vector<std::string>& notes) {
    AttentionPolicy policy;
    if (!options.base.empty()) {
        Outcome<AttentionPolicy> base = readPolicyNamed(options.base);
        FOVEA_TRY(base);
        policy = std::move(*base);
    }
    const auto specs = paramSpecs();
    std::size_t changed = 0;
    const ParamSpec* budgets[2] = {nullptr, nullptr}; // of keys, of queries
    for (std::size_t i = 0; i < specs.size(); ++i) {
        if (options.options[i]->count() == 0)
            continue;
        const ParamSpec& spec = specs[i];
        if (isBudgetKey(spec.key)) {
            const ParamSpec*& budget = budgets[spec.key.starts_with("routed.query_") ? 1 : 0];
            if (budget != nullptr)
                return badUsage("--" + std::string(budget->option) + " and --" + std::string(spec.option) +
                                " are two kinds of the same budget; one of them is accepted");
            budget = &spec;
        }
        Result<ParamValue> value = parseParam(spec, options.values[i]);
        if (!value)
            return badUsage("--" + std::string(spec.option) + ": " + value.error().message);
        spec.set(policy, *value);
        ++changed;
    }
    if (changed > 0 && !options.base.empty() && !policy.name.empty())
        policy.name += ", changed";
    Result<AttentionPolicy> checked = validated(std::move(policy));
    FOVEA_TRY(checked);
    for (std::size_t i = 0; i < specs.size(); ++i)
        if (options.options[i]->count() > 0 && specs[i].active != nullptr && !specs[i].active(*checked))
            notes.push_back("--" + std::string(specs[i].option) + " does nothing under this policy (" +
                            checked->summary() + ")");
    return std::move(*checked);
}

} // namespace fovea::app
