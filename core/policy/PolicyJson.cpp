#include "core/policy/PolicyJson.h"
#include "core/base/OutOfMemory.h"
#include "core/files/JsonTree.h"
#include "core/files/JsonWriter.h"
#include "core/files/Quote.h"
#include "core/policy/ParamSpec.h"
#include "core/policy/SignalSpec.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea {

namespace {

using Kind = JsonTree::Kind;
using json::Json;

constexpr std::string_view kSections[] = {"local", "always", "routed", "far", "combine", "mix"};

tl::unexpected<Error> refuse(std::string_view path, const JsonTree& value, const std::string& accepted) {
    return fail(ErrorCode::BadValue, std::string(path) + " is " + value.quoted() + "; " + accepted);
}

/// The value in the type of `spec`, with its range checked.
Result<ParamValue> valueOf(const ParamSpec& spec, std::string_view path, const JsonTree& node) {
    ParamValue value;
    bool ok = false;
    switch (spec.kind) {
    case ParamKind::Integer:
        if (node.kind == Kind::Whole) {
            value = node.whole;
            ok = true;
        } else if (spec.allAllowed && node.kind == Kind::Text && node.text == "all") {
            value = kAll;
            ok = true;
        }
        break;
    case ParamKind::Real:
        value = node.real;
        ok = node.kind == Kind::Whole || node.kind == Kind::Real;
        if (spec.offAllowed && (node.kind == Kind::Null || (node.kind == Kind::Text && node.text == "off"))) {
            value = std::numeric_limits<double>::quiet_NaN();
            ok = true;
        }
        break;
    case ParamKind::Flag:
        value = node.flag;
        ok = node.kind == Kind::Flag;
        break;
    case ParamKind::Name: {
        std::string name = node.text;
        std::replace(name.begin(), name.end(), '-', '_');
        value = std::move(name);
        ok = node.kind == Kind::Text;
        break;
    }
    case ParamKind::IntegerList: {
        std::vector<std::int64_t> values;
        ok = node.kind == Kind::List;
        for (std::size_t n = 0; n < node.list.size() && ok; ++n) {
            if (node.list[n].kind != Kind::Whole)
                return refuse(std::string(path) + "[" + std::to_string(n) + "]", node.list[n],
                              "whole numbers are accepted");
            values.push_back(node.list[n].whole);
        }
        value = std::move(values);
        break;
    }
    }
    if (!ok || !checkParam(spec, value))
        return refuse(path, node, acceptedValues(spec));
    return value;
}

Result<> setParam(AttentionPolicy& policy, const ParamSpec& spec, std::string_view path,
                  const JsonTree& node) {
    auto value = valueOf(spec, path, node);
    if (!value)
        return tl::make_unexpected(value.error());
    spec.set(policy, *value);
    return {};
}

Result<> readPinned(AttentionPolicy& policy, const JsonTree& node) {
    const std::string top = "always.pinned";
    if (node.kind != Kind::List)
        return refuse(top, node, "a list of objects with tokens, or first and last, and a role is accepted");
    const ParamSpec& tokens = *findParam("always.pinned");
    const ParamSpec& roles = *findParam("always.pinned_role");
    for (std::size_t n = 0; n < node.list.size(); ++n) {
        const std::string path = top + "[" + std::to_string(n) + "]";
        const JsonTree& entry = node.list[n];
        if (entry.kind != Kind::Object)
            return refuse(path, entry, "an object with tokens, or first and last, and a role is accepted");
        Role role = Role::Keys;
        for (std::size_t m = 0; m < entry.keys.size(); ++m) {
            const std::string& key = entry.keys[m];
            const JsonTree& value = entry.list[m];
            if (key != "tokens" && key != "first" && key != "last" && key != "role")
                return fail(ErrorCode::BadValue,
                            path + "." + quoteForMessage(key) +
                                " is not a key of a pinned entry; it has tokens, first, last, role");
            if (key == "role") {
                const auto name = valueOf(roles, path + ".role", value);
                if (!name)
                    return tl::make_unexpected(name.error());
                const std::string& text = std::get<std::string>(*name);
                role = text == "queries" ? Role::Queries : text == "both" ? Role::Both : Role::Keys;
            }
        }
        const JsonTree* list = entry.find("tokens");
        const JsonTree* first = entry.find("first");
        const JsonTree* last = entry.find("last");
        if ((list != nullptr) == (first != nullptr) || (first == nullptr) != (last == nullptr))
            return fail(ErrorCode::BadValue, path + " needs either tokens, or first and last");
        if (list != nullptr) {
            const auto positions = valueOf(tokens, path + ".tokens", *list);
            if (!positions)
                return tl::make_unexpected(positions.error());
            for (const std::int64_t token : std::get<std::vector<std::int64_t>>(*positions))
                policy.always.pinned.push_back({token, token, role});
            continue;
        }
        for (const auto& [key, bound] : {std::pair("first", first), std::pair("last", last)})
            if (bound->kind != Kind::Whole || bound->whole < 0 || bound->whole >= kAll)
                return refuse(path + "." + key, *bound, "a position from 0 upwards is accepted");
        if (last->whole < first->whole)
            return refuse(path + ".last", *last, "at least first = " + first->quoted() + " is accepted");
        policy.always.pinned.push_back({first->whole, last->whole, role});
    }
    return {};
}

/// budget_kind (or its default) selects the row whose range applies to `budget`.
Result<> readBudget(AttentionPolicy& policy, const JsonTree& section, bool query) {
    const std::string kindKey = query ? "query_budget_kind" : "budget_kind";
    const std::string budgetKey = query ? "query_budget" : "budget";
    std::size_t kind =
        static_cast<std::size_t>(query ? policy.routed.queryBudgetKind : policy.routed.budgetKind);
    static constexpr std::string_view names[] = {"count", "fraction", "top_p", "threshold"};
    if (const JsonTree* node = section.find(kindKey)) {
        const std::size_t known = query ? 2 : 4;
        std::string name = node->kind == Kind::Text ? node->text : "";
        std::replace(name.begin(), name.end(), '-', '_');
        const auto* found = std::find(std::begin(names), std::begin(names) + known, name);
        if (found == std::begin(names) + known)
            return refuse("routed." + kindKey, *node,
                          query ? "one of count, fraction is accepted"
                                : "one of count, fraction, top_p, threshold is accepted");
        kind = static_cast<std::size_t>(found - std::begin(names));
        if (query)
            policy.routed.queryBudgetKind = static_cast<BudgetKind>(kind);
        else
            findParam("routed.budget_kind")->set(policy, std::string(names[kind]));
    }
    if (const JsonTree* node = section.find(budgetKey))
        return setParam(policy, *findParam(query ? kQueryBudgetKeys[kind] : kBudgetKeys[kind]),
                        "routed." + budgetKey, *node);
    return {};
}

std::string keysOf(std::string_view section) {
    std::string names;
    const auto add = [&](std::string_view path) {
        if (path.size() > section.size() + 1 && path.substr(0, section.size()) == section &&
            path[section.size()] == '.')
            names.append(names.empty() ? "" : ", ").append(path.substr(section.size() + 1));
    };
    for (const ParamSpec& spec : paramSpecs())
        if (!isBudgetKey(spec.key) && spec.key != "always.pinned_role")
            add(spec.key);
    if (section == "routed")
        names += ", budget, query_budget_kind, query_budget";
    if (section == "mix")
        names += ", layers, heads";
    return names;
}

Result<> readNames(const std::string& path, const JsonTree& node, std::vector<std::string>& names) {
    if (node.kind == Kind::Null)
        return {};
    if (node.kind != Kind::List)
        return refuse(path, node, "a list of names is accepted");
    for (std::size_t n = 0; n < node.list.size(); ++n) {
        if (node.list[n].kind != Kind::Text)
            return refuse(path + "[" + std::to_string(n) + "]", node.list[n], "a name is accepted");
        names.push_back(node.list[n].text);
    }
    return {};
}

/// One list of names, or a list of such lists.
Result<> readHeads(const JsonTree& node, std::vector<std::vector<std::string>>& heads) {
    if (node.kind == Kind::List && !node.list.empty() && node.list.front().kind == Kind::List) {
        for (std::size_t n = 0; n < node.list.size(); ++n)
            FOVEA_TRY(readNames("mix.heads[" + std::to_string(n) + "]", node.list[n], heads.emplace_back()));
        return {};
    }
    std::vector<std::string> row;
    FOVEA_TRY(readNames("mix.heads", node, row));
    if (!row.empty())
        heads.push_back(std::move(row));
    return {};
}

Result<> readSection(AttentionPolicy& policy, std::string_view section, const JsonTree& node) {
    if (node.kind != Kind::Object)
        return refuse(section, node, "an object is accepted");
    for (std::size_t n = 0; n < node.keys.size(); ++n) {
        const std::string& key = node.keys[n];
        const std::string path = std::string(section) + "." + key;
        if (section == "mix" && (key == "layers" || key == "heads"))
            continue;
        const bool budget = section == "routed" && (key == "budget" || key == "budget_kind" ||
                                                    key == "query_budget" || key == "query_budget_kind");
        const auto specs = paramSpecs();
        const bool known = std::any_of(specs.begin(), specs.end(), [&](const ParamSpec& spec) {
            return spec.key == path && !isBudgetKey(path) && path != "always.pinned_role";
        });
        if (!budget && !known)
            return fail(ErrorCode::BadValue, std::string(section) + "." + quoteForMessage(key) +
                                                 " is not a key of a policy; " + std::string(section) +
                                                 " has " + keysOf(section));
    }
    for (const ParamSpec& spec : paramSpecs()) { // table order: the signal comes before its role
        if (spec.key.substr(0, section.size() + 1) != std::string(section) + "." || isBudgetKey(spec.key) ||
            spec.key == "routed.budget_kind" || spec.key == "always.pinned_role")
            continue;
        const JsonTree* value = node.find(spec.key.substr(section.size() + 1));
        if (value == nullptr)
            continue;
        if (spec.key == "always.pinned") {
            FOVEA_TRY(readPinned(policy, *value));
            continue;
        }
        FOVEA_TRY(setParam(policy, spec, spec.key, *value));
    }
    if (section == "routed") {
        FOVEA_TRY(readBudget(policy, node, false));
        FOVEA_TRY(readBudget(policy, node, true));
    }
    if (section == "mix") {
        if (const JsonTree* layers = node.find("layers"))
            FOVEA_TRY(readNames("mix.layers", *layers, policy.mix.layers));
        if (const JsonTree* heads = node.find("heads"))
            FOVEA_TRY(readHeads(*heads, policy.mix.heads));
    }
    return {};
}

/// "head_policies": {"name": {"local": {...}, ...}, ...}
Result<> readHeadPolicies(AttentionPolicy& policy, const JsonTree& node) {
    if (node.kind == Kind::Null)
        return {};
    if (node.kind != Kind::Object)
        return refuse("head_policies", node, "an object of named policies is accepted");
    for (std::size_t n = 0; n < node.keys.size(); ++n) {
        const std::string path = "head_policies." + quoteForMessage(node.keys[n]);
        if (node.list[n].kind != Kind::Object)
            return refuse(path, node.list[n],
                          "an object with local, always, routed, far, combine is accepted");
        AttentionPolicy parts;
        for (std::size_t m = 0; m < node.list[n].keys.size(); ++m) {
            const std::string& section = node.list[n].keys[m];
            if (section == "mix" ||
                std::find(std::begin(kSections), std::end(kSections), section) == std::end(kSections))
                return fail(ErrorCode::BadValue, path + "." + quoteForMessage(section) +
                                                     " is not a key of a head policy; it has local, always, "
                                                     "routed, far, combine");
            if (const Result<> read = readSection(parts, section, node.list[n].list[m]); !read)
                return fail(read.error().code, path + ": " + read.error().message);
        }
        policy.headPolicies.push_back({node.keys[n], parts});
    }
    return {};
}

Json budgetJson(BudgetKind kind, double budget) {
    if (kind != BudgetKind::Count)
        return budget;
    if (budget == static_cast<double>(kAll))
        return "all";
    return static_cast<std::int64_t>(budget);
}

Json wholeOrAll(std::int64_t value) {
    return value == kAll ? Json("all") : Json(value);
}

Json pinnedJson(const std::vector<PinnedRange>& pinned) {
    Json list = Json::array();
    for (std::size_t n = 0; n < pinned.size(); ++n) {
        const PinnedRange& range = pinned[n];
        if (range.first != range.last) {
            list.push_back({{"first", range.first}, {"last", range.last}, {"role", roleName(range.role)}});
            continue;
        }
        std::vector<std::int64_t> tokens; // single ones of the same role that follow each other
        for (std::size_t m = n;
             m < pinned.size() && pinned[m].first == pinned[m].last && pinned[m].role == range.role; ++m)
            tokens.push_back(pinned[m].first);
        n += tokens.size() - 1;
        list.push_back({{"tokens", tokens}, {"role", roleName(range.role)}});
    }
    return list;
}

/// The rows of one section as written in files, without budgets and pinned tokens.
Json sectionJson(const AttentionPolicy& p, std::string_view section) {
    Json out = Json::object();
    for (const ParamSpec& spec : paramSpecs()) {
        if (spec.key.substr(0, section.size() + 1) != std::string(section) + "." || isBudgetKey(spec.key) ||
            spec.key == "always.pinned_role")
            continue;
        const std::string key(spec.key.substr(section.size() + 1));
        if (spec.key == "always.pinned") {
            out[key] = pinnedJson(p.always.pinned);
            continue;
        }
        const ParamValue value = spec.get(p);
        if (const auto* whole = std::get_if<std::int64_t>(&value))
            out[key] = spec.allAllowed ? wholeOrAll(*whole) : Json(*whole);
        else if (const auto* real = std::get_if<double>(&value))
            out[key] = std::isnan(*real) ? Json() : Json(*real);
        else if (const auto* flag = std::get_if<bool>(&value))
            out[key] = *flag;
        else if (const auto* text = std::get_if<std::string>(&value))
            out[key] = *text;
        else
            out[key] = std::get<std::vector<std::int64_t>>(value);
        if (spec.key == "routed.budget_kind") {
            static constexpr std::string_view kinds[] = {"count", "fraction", "top_p", "threshold"};
            out["budget"] = budgetJson(p.routed.budgetKind, p.routed.budget);
            out["query_budget_kind"] = kinds[static_cast<std::size_t>(p.routed.queryBudgetKind)];
            out["query_budget"] = budgetJson(p.routed.queryBudgetKind, p.routed.queryBudget);
        }
    }
    return out;
}

constexpr std::string_view kPartSections[] = {"local", "always", "routed", "far", "combine"};

Json document(const AttentionPolicy& p, bool named) {
    Json doc;
    doc["fovea"] = "policy";
    doc["version"] = 1;
    if (named)
        doc["name"] = p.name;
    for (const std::string_view section : kSections)
        doc[std::string(section)] = sectionJson(p, section);
    if (!p.mix.layers.empty())
        doc["mix"]["layers"] = p.mix.layers;
    if (!p.mix.heads.empty())
        doc["mix"]["heads"] = p.mix.heads;
    if (!p.headPolicies.empty()) {
        Json policies = Json::object();
        for (const NamedHeadParts& entry : p.headPolicies) {
            Json parts;
            for (const std::string_view section : kPartSections)
                parts[std::string(section)] = sectionJson(p.withParts(entry.parts), section);
            policies[entry.name] = std::move(parts);
        }
        doc["head_policies"] = std::move(policies);
    }
    return doc;
}

} // namespace

Result<AttentionPolicy> policyFromJson(std::string_view text) {
    return orOutOfMemory("there is not enough memory to read the policy.", [&]() -> Result<AttentionPolicy> {
        const auto tree = parseJson(text);
        FOVEA_TRY(tree);
        return policyFromTree(*tree);
    });
}

Result<AttentionPolicy> policyFromTree(const JsonTree& tree) {
    const JsonTree* format = tree.find("fovea");
    if (tree.kind != Kind::Object || format == nullptr || format->kind != Kind::Text ||
        format->text != "policy")
        return fail(ErrorCode::NotThisFormat,
                    "fovea is " + (format == nullptr ? std::string("missing") : format->quoted()) +
                        "; a policy document has \"fovea\": \"policy\"");
    const JsonTree* version = tree.find("version");
    if (version == nullptr || version->kind != Kind::Whole || version->whole != 1)
        return fail(ErrorCode::BadValue,
                    "version is " + (version == nullptr ? std::string("missing") : version->quoted()) +
                        "; 1 is accepted");
    AttentionPolicy policy;
    for (std::size_t n = 0; n < tree.keys.size(); ++n) {
        const std::string& key = tree.keys[n];
        const JsonTree& value = tree.list[n];
        if (key == "fovea" || key == "version")
            continue;
        if (key == "name") {
            if (value.kind != Kind::Text)
                return refuse("name", value, "a text is accepted");
            policy.name = value.text;
            continue;
        }
        if (std::find(std::begin(kSections), std::end(kSections), key) != std::end(kSections)) {
            FOVEA_TRY(readSection(policy, key, value));
            continue;
        }
        if (key == "parity") {
            if (value.kind != Kind::Null)
                FOVEA_TRY(setParam(policy, *findParam("mix.parity"), key, value));
            continue;
        }
        if (key != "head_policies")
            return fail(ErrorCode::BadValue, quoteForMessage(key) +
                                                 " is not a key of a policy; it has name, local, always, "
                                                 "routed, far, combine, mix, head_policies");
        FOVEA_TRY(readHeadPolicies(policy, value));
    }
    return validated(std::move(policy));
}

std::string compactJson(const AttentionPolicy& policy) {
    return document(policy, false).compact();
}

Json policyDocument(const AttentionPolicy& policy) {
    return document(policy, true);
}

std::string policyToJson(const AttentionPolicy& policy) {
    return json::write(policyDocument(policy));
}

} // namespace fovea
