#include "core/export/SweepFile.h"
#include "core/export/JsonParts.h"
#include "core/files/JsonMembers.h"
#include "core/policy/PolicyJson.h"
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace fovea {

namespace {

using json::Json;

constexpr std::size_t kMostValues = std::size_t{1} << 23;
constexpr std::size_t kMostTexts = 10'000, kMostShards = 10'000;
constexpr std::int64_t kAnyWhole = std::numeric_limits<std::int64_t>::max();
/// What sweepJson writes after the head.
constexpr std::string_view kOwnKeys[] = {"shard", "full",   "points_asked",    "points_total",
                                         "texts", "points", "next_token_note", "axes"};

const JsonTree kNothing;

/// A member that is an object; the empty value where it is absent or null.
Result<const JsonTree*> object(const JsonMembers& members, std::string_view key, bool need) {
    const JsonTree* node = members.find(key);
    if (isAbsent(node))
        return need ? members.bad(members.at(key) + " is missing; an object is accepted")
                    : Result<const JsonTree*>(&kNothing);
    if (node->kind != JsonTree::Kind::Object)
        return members.refuse(members.at(key), *node, "an object is accepted");
    return node;
}

Result<> readFlag(const JsonMembers& members, std::string_view key, bool& into) {
    const JsonTree* node = members.find(key);
    if (isAbsent(node))
        return members.bad(members.at(key) + " is missing; true or false is accepted");
    if (node->kind != JsonTree::Kind::Flag)
        return members.refuse(members.at(key), *node, "true or false is accepted");
    into = node->flag;
    return {};
}

/// A number; NaN for null.
Result<> readReal(const JsonMembers& members, std::string_view key, double& into) {
    const Result<const JsonTree*> node = members.needed(key);
    FOVEA_TRY(node);
    const JsonTree::Kind kind = (*node)->kind;
    if (kind != JsonTree::Kind::Real && kind != JsonTree::Kind::Whole && kind != JsonTree::Kind::Null)
        return members.refuse(members.at(key), **node, "a number or null is accepted");
    into = kind == JsonTree::Kind::Null ? std::nan("") : (*node)->real;
    return {};
}

Result<> readReal(const JsonMembers& members, std::string_view key, std::optional<double>& into) {
    double value = std::nan("");
    FOVEA_TRY(readReal(members, key, value));
    into = std::isnan(value) ? std::nullopt : std::optional(value);
    return {};
}

Result<> readSeconds(const JsonMembers& members, std::string_view key, Seconds& into) {
    const Result<const JsonTree*> node = object(members, key, true);
    FOVEA_TRY(node);
    const JsonMembers inner("sweep", **node, members.at(key));
    FOVEA_TRY(inner.whole("runs", into.runs, 0, std::numeric_limits<int>::max(), true));
    FOVEA_TRY(readReal(inner, "median", into.median));
    return readReal(inner, "spread", into.spread);
}

Result<> readCounts(const JsonMembers& members,
                    std::initializer_list<std::pair<std::string_view, std::uint64_t*>> counts) {
    for (const auto& [key, into] : counts)
        FOVEA_TRY(members.whole(key, *into, 0, kAnyWhole, true));
    return {};
}

Result<> readFull(const JsonMembers& members, ArmCost& arm) {
    FOVEA_TRY(readSeconds(members, "seconds", arm.total));
    FOVEA_TRY(readSeconds(members, "attention_seconds", arm.attention));
    return readCounts(members, {{"pairs", &arm.pairs},
                                {"pairs_computed", &arm.pairsComputed},
                                {"kv_bytes", &arm.kvBytes},
                                {"attention_flops", &arm.attentionFlops},
                                {"dense_flops", &arm.denseFlops}});
}

Result<> readCost(const JsonMembers& members, Cost& cost) {
    for (const auto& [key, into] : {std::pair{"density", &cost.density},
                                    {"pairs_ratio", &cost.pairsRatio},
                                    {"flops_ratio", &cost.flopsRatio},
                                    {"kv_bytes_ratio", &cost.kvBytesRatio}})
        FOVEA_TRY(readReal(members, key, *into));
    FOVEA_TRY(readReal(members, "seconds_ratio", cost.secondsRatio));
    FOVEA_TRY(readReal(members, "break_even_tokens", cost.breakEvenTokens));
    ArmCost& arm = cost.hybrid;
    for (const auto& [key, into] : {std::pair{"seconds", &arm.total},
                                    {"router_seconds", &arm.router},
                                    {"plan_seconds", &arm.plan},
                                    {"attention_seconds", &arm.attention}})
        FOVEA_TRY(readSeconds(members, key, *into));
    return readCounts(members, {{"pairs", &arm.pairs},
                                {"pairs_computed", &arm.pairsComputed},
                                {"router_macs", &arm.routerMacs},
                                {"extra_pass_macs", &arm.extraPassMacs},
                                {"kv_bytes", &arm.kvBytes}});
}

Result<> readFidelity(const JsonMembers& members, SweepPoint& point, bool predictsTokens) {
    PropagatedFidelity& f = point.fidelity;
    for (const auto& [key, into] : {std::pair{"next_token_kl", &f.nextTokenKl},
                                    {"kl_p95", &f.klP95},
                                    {"kl_worst", &f.klWorst},
                                    {"top1_agreement", &f.top1Agreement},
                                    {"delta_nll", &f.deltaNll},
                                    {"mass_recall", &point.massRecall},
                                    {"output_error", &point.outputError}})
        FOVEA_TRY(readReal(members, key, *into));
    if (predictsTokens)
        return {};
    SentenceFidelity& sentence = f.sentence.emplace();
    FOVEA_TRY(readReal(members, "sentence_cosine", sentence.cosine));
    FOVEA_TRY(readReal(members, "token_cosine", sentence.tokenCosine));
    return readReal(members, "token_cosine_worst", sentence.worstCosine);
}

Result<> readValues(const JsonMembers& members, const JsonTree& values, SweepPoint& point) {
    for (std::size_t n = 0; n < values.keys.size(); ++n) {
        const JsonTree& value = values.list[n];
        const std::string path = members.at("values") + "." + values.keys[n];
        const ParamSpec* spec = findParam(values.keys[n]);
        if (spec == nullptr)
            return members.bad(path + " is no parameter of a policy");
        std::string text = value.text;
        if (value.kind == JsonTree::Kind::Flag)
            text = value.flag ? "on" : "off";
        for (const JsonTree& item : value.list)
            text += (text.empty() ? "" : ",") + item.text;
        Result<ParamValue> read = parseParam(*spec, text);
        if (!read)
            return members.refuse(path, value, read.error().message);
        point.values.emplace_back(std::string(spec->option), std::move(*read));
    }
    return {};
}

Result<> readPoint(const JsonMembers& members, SweepPoint& point, bool predictsTokens) {
    const Result<const JsonTree*> policy = object(members, "policy", true);
    FOVEA_TRY(policy);
    Result<AttentionPolicy> read = policyFromTree(**policy);
    if (!read)
        return members.bad(members.at("policy") + ": " + read.error().message);
    point.policy = std::move(*read);
    const Result<const JsonTree*> values = object(members, "values", true);
    FOVEA_TRY(values);
    FOVEA_TRY(readValues(members, **values, point));
    constexpr std::array kKinds{PointKind::Policy, PointKind::RandomControl, PointKind::OracleControl};
    std::array<std::string_view, kKinds.size()> names;
    std::transform(kKinds.begin(), kKinds.end(), names.begin(), json::pointKind);
    const Result<const JsonTree*> kind = members.needed("kind");
    FOVEA_TRY(kind);
    const Result<std::size_t> which = members.oneOf(members.at("kind"), **kind, names);
    FOVEA_TRY(which);
    point.kind = kKinds[*which];
    const Result<const JsonTree*> cost = object(members, "cost", true);
    FOVEA_TRY(cost);
    FOVEA_TRY(readCost(JsonMembers("sweep", **cost, members.at("cost")), point.cost));
    const Result<const JsonTree*> fidelity = object(members, "fidelity", true);
    FOVEA_TRY(fidelity);
    FOVEA_TRY(readFidelity(JsonMembers("sweep", **fidelity, members.at("fidelity")), point, predictsTokens));
    FOVEA_TRY(readFlag(members, "pareto", point.pareto));
    point.done = true;
    return {};
}

Result<> readText(const JsonMembers& members, SweptText& text) {
    FOVEA_TRY(members.text("name", text.name, 1 << 16, true));
    FOVEA_TRY(members.text("text_sha256", text.textHash, 64, true));
    FOVEA_TRY(readFlag(members, "held_out", text.heldOut));
    FOVEA_TRY(readFlag(members, "past_context", text.pastContext));
    if (isAbsent(members.find("tokens"))) // its full run has not been made
        return {};
    FOVEA_TRY(members.whole("tokens", text.tokens, 1, std::numeric_limits<std::int32_t>::max(), true));
    const Result<const JsonTree*> full = object(members, "full", true);
    FOVEA_TRY(full);
    return readFull(JsonMembers("sweep", **full, members.at("full")), text.full);
}

Result<const JsonTree*> list(const JsonMembers& members, std::string_view key) {
    const Result<const JsonTree*> node = members.needed(key);
    FOVEA_TRY(node);
    if ((*node)->kind != JsonTree::Kind::List)
        return members.refuse(members.at(key), **node, "a list is accepted");
    return node;
}

Result<> readTexts(const JsonMembers& top, std::size_t total, SweepReport& report) {
    const Result<const JsonTree*> texts = list(top, "texts");
    FOVEA_TRY(texts);
    const std::size_t count = (*texts)->list.size();
    if (count == 0 || count > kMostTexts || total % count != 0)
        return top.bad("texts has " + std::to_string(count) + " entries for points_total " +
                       std::to_string(total) + "; 1 to " + std::to_string(kMostTexts) +
                       " texts of equally many points are accepted");
    report.gridPoints = total / count;
    for (std::size_t n = 0; n < count; ++n)
        FOVEA_TRY(readText(JsonMembers("sweep", (*texts)->list[n], "texts[" + std::to_string(n) + "]"),
                           report.texts.emplace_back()));
    return {};
}

Result<> readPoints(const JsonMembers& top, std::size_t total, SweepReport& report) {
    const Result<const JsonTree*> points = list(top, "points");
    FOVEA_TRY(points);
    for (SweptText& text : report.texts)
        text.points.resize(report.gridPoints);
    for (std::size_t n = 0; n < (*points)->list.size(); ++n) {
        const JsonMembers members("sweep", (*points)->list[n], "points[" + std::to_string(n) + "]");
        std::size_t index = 0;
        FOVEA_TRY(members.whole("index", index, 0, static_cast<std::int64_t>(total) - 1, true));
        SweptText& text = report.texts[index / report.gridPoints];
        SweepPoint& point = text.points[index % report.gridPoints];
        if (point.done || !report.asks(index))
            return members.bad(members.at("index") + " is " + std::to_string(index) +
                               (point.done ? ", which is there already" : ", which is not of this shard"));
        FOVEA_TRY(readPoint(members, point, report.predictsTokens));
    }
    return {};
}

Result<> readShard(const JsonMembers& top, SweepReport& report) {
    if (isAbsent(top.find("shard")))
        return {};
    const Result<const JsonTree*> node = object(top, "shard", true);
    FOVEA_TRY(node);
    const JsonMembers members("sweep", **node, "shard");
    SweepShard& shard = report.shard.emplace();
    FOVEA_TRY(members.whole("count", shard.count, 1, kMostShards, true));
    return members.whole("index", shard.index, 1, static_cast<std::int64_t>(shard.count), true);
}

std::string textOf(const JsonTree& object, std::string_view key) {
    const JsonTree* node = object.find(key);
    return node != nullptr ? json::fromTree(*node).compact() : "missing";
}

/// The first key of `a` that is not the same in `b`, threads aside.
Result<> sameHead(const JsonTree& a, const JsonTree& b) {
    std::vector<std::string> keys = a.keys;
    keys.insert(keys.end(), b.keys.begin(), b.keys.end());
    for (const std::string& key : keys) {
        const std::string left = textOf(a, key), right = textOf(b, key);
        if (key != "threads" && left != right)
            return fail(ErrorCode::BadValue,
                        key + " is " + right.substr(0, 120) + ", not " + left.substr(0, 120));
    }
    return {};
}

Result<> sameText(const SweptText& a, const SweptText& b, std::size_t number) {
    const std::string which = "text " + std::to_string(number);
    if (a.name != b.name)
        return fail(ErrorCode::BadValue, which + " is " + b.name + ", not " + a.name);
    if (a.textHash != b.textHash || a.heldOut != b.heldOut)
        return fail(ErrorCode::BadValue,
                    which + ", " + a.name + ", has other bytes or is held out in one only");
    if (a.tokens > 0 && b.tokens > 0 && a.tokens != b.tokens)
        return fail(ErrorCode::BadValue, which + ", " + a.name + ", has " + std::to_string(b.tokens) +
                                             " tokens, not " + std::to_string(a.tokens));
    return {};
}

bool differ(const SweepPoint& a, const SweepPoint& b) {
    return a.kind != b.kind || a.policy.name != b.policy.name || !sameButName(a.policy, b.policy) ||
           a.values != b.values;
}

/// For each place of the grid the first text's point that says which policy stands there; null: none does.
std::vector<const SweepPoint*> gridOf(const SweepReport& report) {
    std::vector<const SweepPoint*> grid(report.gridPoints, nullptr);
    for (const SweptText& text : report.texts)
        for (std::size_t n = 0; n < text.points.size(); ++n)
            if (grid[n] == nullptr && (text.points[n].done || !text.points[n].policy.name.empty()))
                grid[n] = &text.points[n];
    return grid;
}

} // namespace

Result<SweepReport> sweepFromJson(std::string_view text) {
    Result<JsonTree> doc = parseJson(text, kMostValues);
    FOVEA_TRY(doc);
    const JsonTree* kind = doc->kind == JsonTree::Kind::Object ? doc->find("fovea") : nullptr;
    if (kind == nullptr || kind->text != "sweep")
        return fail(ErrorCode::NotThisFormat, "no document of a sweep (\"fovea\": \"sweep\" is not in it).");
    const JsonMembers top("sweep", *doc, "");
    SweepReport report;
    std::int64_t version = 0;
    FOVEA_TRY(top.whole("version", version, 1, 1, true));
    std::size_t total = 0;
    FOVEA_TRY(top.whole("points_total", total, 0, static_cast<std::int64_t>(kMostSweepPoints), true));
    const Result<const JsonTree*> axes = object(top, "axes", true);
    FOVEA_TRY(axes);
    report.predictsTokens = textOf(**axes, "fidelity") == "\"next_token_kl\"";
    FOVEA_TRY(readShard(top, report));
    FOVEA_TRY(readTexts(top, total, report));
    FOVEA_TRY(readPoints(top, total, report));
    report.head.kind = JsonTree::Kind::Object;
    for (std::size_t n = 0; n < doc->keys.size(); ++n)
        if (std::find(std::begin(kOwnKeys), std::end(kOwnKeys), doc->keys[n]) == std::end(kOwnKeys)) {
            report.head.keys.push_back(doc->keys[n]);
            report.head.list.push_back(std::move(doc->list[n]));
        }
    return report;
}

Result<> sameSweep(const SweepReport& report, const SweepReport& other) {
    if (report.texts.size() != other.texts.size() || report.gridPoints != other.gridPoints)
        return fail(ErrorCode::BadValue, "it has " + std::to_string(other.texts.size()) + " texts of " +
                                             std::to_string(other.gridPoints) + " points, not " +
                                             std::to_string(report.texts.size()) + " of " +
                                             std::to_string(report.gridPoints));
    for (std::size_t n = 0; n < report.texts.size(); ++n)
        FOVEA_TRY(sameText(report.texts[n], other.texts[n], n + 1));
    const std::vector<const SweepPoint*> grid = gridOf(report), otherGrid = gridOf(other);
    for (std::size_t n = 0; n < grid.size(); ++n)
        if (grid[n] != nullptr && otherGrid[n] != nullptr && differ(*grid[n], *otherGrid[n]))
            return fail(ErrorCode::BadValue, "policy " + std::to_string(n + 1) + " is " +
                                                 otherGrid[n]->policy.summary() + ", not " +
                                                 grid[n]->policy.summary());
    return report.head.keys.empty() || other.head.keys.empty() ? Result<>()
                                                               : sameHead(report.head, other.head);
}

void takePoints(const SweepReport& from, SweepReport& into) {
    for (std::size_t t = 0; t < into.texts.size(); ++t) {
        SweptText& text = into.texts[t];
        const SweptText& source = from.texts[t];
        if (text.tokens == 0) {
            text.tokens = source.tokens;
            text.pastContext = source.pastContext;
            text.full = source.full;
        }
        for (std::size_t n = 0; n < text.points.size(); ++n)
            if (!text.points[n].done && source.points[n].done)
                text.points[n] = source.points[n];
    }
}

Result<SweepReport> mergeSweeps(const std::vector<SweepFile>& shards) {
    if (shards.empty())
        return fail(ErrorCode::BadValue, "no shards; the files of all shards of a sweep are accepted.");
    SweepReport merged = shards.front().report;
    std::vector<const SweepFile*> found(merged.shard ? merged.shard->count : 0, nullptr);
    for (const SweepFile& file : shards) {
        const SweepReport& report = file.report;
        if (!report.shard)
            return fail(ErrorCode::BadValue, file.path + " is a whole sweep; files of --shard are accepted.");
        if (report.shard->count != found.size())
            return fail(ErrorCode::BadValue, file.path + " is one of " + std::to_string(report.shard->count) +
                                                 " shards, and " + shards.front().path + " one of " +
                                                 std::to_string(found.size()) + ".");
        if (const Result<> same = sameSweep(merged, report); !same)
            return fail(ErrorCode::BadValue, file.path + " is of another sweep than " + shards.front().path +
                                                 ": " + same.error().message + ".");
        const SweepFile*& place = found[report.shard->index - 1];
        if (place != nullptr)
            return fail(ErrorCode::BadValue, place->path + " and " + file.path + " are both shard " +
                                                 std::to_string(report.shard->index) + ".");
        place = &file;
        if (report.done() < report.asked())
            return fail(ErrorCode::BadValue, file.path + " has " + std::to_string(report.done()) +
                                                 " of its " + std::to_string(report.asked()) +
                                                 " points; run it again with --resume.");
        takePoints(report, merged);
    }
    for (std::size_t n = 0; n < found.size(); ++n)
        if (found[n] == nullptr)
            return fail(ErrorCode::BadValue, "shard " + std::to_string(n + 1) + " of " +
                                                 std::to_string(found.size()) + " is in none of the files.");
    merged.shard.reset();
    for (SweptText& text : merged.texts)
        markPareto(text.points);
    return merged;
}

} // namespace fovea
