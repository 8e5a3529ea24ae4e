#include "core/export/HtmlReport.h"
#include "core/base/Memory.h"
#include "core/engine/RunComparison.h"
#include "core/model/Model.h"
#include "core/policy/ParamSpec.h"
#include "core/policy/PolicyJson.h"
#include "core/policy/PolicyTitle.h"
#include "core/text/Display.h"
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <numeric>
#include <set>

namespace fovea {

namespace {

constexpr std::size_t kWorst = 12, kRouted = 20;
constexpr double kTintAt = 4; ///< nats: the strongest tint

[[gnu::format(printf, 1, 2)]] std::string formatted(const char* format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return text;
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text)
        switch (c) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '"':
            out += "&quot;";
            break;
        case '\'':
            out += "&#39;";
            break;
        default:
            out += c;
        }
    return out;
}

/// A token's text, whatever its bytes are.
std::string shown(std::string_view bytes, std::size_t most = 40) {
    return escaped(displayText(bytes, most));
}

std::string cell(const std::string& content) {
    return "<td>" + content + "</td>";
}

constexpr std::string_view kHead =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\">"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:\">";
constexpr std::string_view kStyle =
    "<style>body{font:15px/1.5 'Noto Sans','DejaVu Sans',sans-serif;color:#171a1f;background:#fff;"
    "max-width:1240px;margin:24px auto;padding:0 24px}h1{font-size:22px}h2{font-size:17px;margin-top:32px}"
    "table{border-collapse:collapse}td,th{padding:2px 12px 2px 0;text-align:right;vertical-align:top}"
    "td:first-child,th:first-child,.l{text-align:left}th{font-weight:600;border-bottom:1px solid #7a828e}"
    ".second{color:#4b5260}.verdict{font-size:20px}figure{margin:16px 0}figcaption{color:#4b5260}"
    "svg{max-width:100%;height:auto}.text{white-space:pre-wrap;border:1px solid #d5d9df;padding:8px 12px;"
    "font-size:14px;line-height:1.7}.text span{border-radius:2px}"
    "pre{background:#f5f6f8;padding:8px 12px;overflow-x:auto;font:13px/1.4 'Noto Sans Mono','DejaVu Sans "
    "Mono',monospace}</style>";

class Report {
public:
    Report(const Snapshot& snapshot, const std::vector<ReportPicture>& pictures)
        : m_snapshot(snapshot), m_pictures(pictures), m_tokens(*snapshot.tokens),
          m_fidelity(snapshot.propagated->fidelity) {}

    [[nodiscard]] std::string html() {
        m_out += kHead;
        m_out += "<title>Fovea: " + escaped(policyName()) + " on " + escaped(m_snapshot.model->info.name) +
                 "</title>";
        m_out += kStyle;
        m_out += "</head><body>\n";
        head();
        figures();
        for (const ReportPicture& picture : m_pictures)
            m_out += "<figure>" + picture.svg + "<figcaption>" + escaped(picture.caption) +
                     "</figcaption></figure>\n";
        text();
        worst();
        layers();
        routed();
        policy();
        m_out += "<p class=\"second\">" + escaped(m_snapshot.provenance()) + "</p>\n</body></html>\n";
        return std::move(m_out);
    }

private:
    [[nodiscard]] std::string policyName() const { return policyTitle(m_snapshot.request->policy); }
    void title(std::string_view words) { m_out += "<h2>" + std::string(words) + "</h2>\n"; }

    void head() {
        const Model& model = *m_snapshot.model;
        m_out += "<h1>" + escaped(policyName()) + " beside full attention</h1>\n";
        m_out += "<p>" + escaped(model.info.name) + ", " + std::to_string(model.shape.layers) + " layers, " +
                 std::to_string(model.shape.heads) + " heads; " + std::to_string(m_tokens.size()) +
                 " tokens of text. Policy: " + escaped(m_snapshot.request->policy.summary()) + ".</p>\n";
        const Cost& cost = m_snapshot.propagated->cost;
        m_out += "<p class=\"verdict\">The hybrid computes <b>" +
                 formatted("%.1f %%", 100 * cost.pairsRatio) +
                 "</b> of full attention's pairs, router included. ";
        if (m_fidelity.sentence)
            m_out += "Cosine of the sentence vectors <b>" + formatted("%.4f", m_fidelity.sentence->cosine) +
                     "</b>, of the tokens' last hidden states <b>" +
                     formatted("%.4f", m_fidelity.sentence->tokenCosine) +
                     "</b>. There is no KL, top-1 or loss: " + kNoNextToken + ".</p>\n";
        else
            m_out += "Next-token KL <b>" + formatted("%.4f", m_fidelity.nextTokenKl) +
                     "</b> nats, the same most likely token at <b>" +
                     formatted("%.1f %%", 100 * m_fidelity.top1Agreement) + "</b> of the positions.</p>\n";
        against();
        other();
        if (m_snapshot.pastContext)
            m_out += "<p>The text is longer than the model's context of " +
                     std::to_string(model.shape.context) + " tokens.</p>\n";
    }

    /// The other policy over the same full run, where one was compared.
    void against() {
        const std::shared_ptr<const Snapshot> arm = m_snapshot.armA();
        if (!arm || !arm->propagated)
            return;
        const PropagatedFidelity& fidelity = arm->propagated->fidelity;
        m_out += "<p>Compared with <b>" + escaped(policyTitle(arm->request->policy)) + "</b> (" +
                 escaped(arm->request->policy.summary()) + "), which computes " +
                 formatted("%.1f %%", 100 * arm->propagated->cost.pairsRatio) +
                 " of full attention's pairs, with ";
        m_out += fidelity.sentence
                     ? "a cosine of the sentence vectors of " + formatted("%.4f", fidelity.sentence->cosine)
                     : "a next-token KL of " + formatted("%.4f", fidelity.nextTokenKl) +
                           " nats and the same most likely token at " +
                           formatted("%.1f %%", 100 * fidelity.top1Agreement) + " of the positions";
        m_out += ". The tables below are of the first policy.</p>\n";
    }

    /// Arm A's own text or model, where one was compared.
    void other() {
        const std::optional<RunComparison> both = compareRuns(m_snapshot);
        if (!both)
            return;
        const bool texts = m_snapshot.request->other->modelPath.empty();
        const TokenAlignment& alignment = *m_snapshot.alignment;
        m_out += "<p>Compared with the same policy " +
                 (texts ? "over another text, <b>" + escaped(m_snapshot.request->other->name)
                        : "in another model, <b>" + escaped(m_snapshot.other->model->info.name)) +
                 "</b> (" + std::to_string(alignment.countA) + " tokens), where it computes " +
                 formatted("%.1f %%", 100 * both->a.pairsRatio) + " of full attention's pairs, with ";
        m_out += both->a.sentenceCosine
                     ? "a cosine of the sentence vectors of " + formatted("%.4f", *both->a.sentenceCosine)
                     : "a next-token KL of " + formatted("%.4f", both->a.nextTokenKl) +
                           " nats and the same most likely token at " +
                           formatted("%.1f %%", 100 * both->a.top1Agreement) + " of the positions";
        m_out += alignment.by == AlignedBy::Tokens
                     ? ". The tokens agree one to one."
                     : ". The tokens do not agree; aligned by equal words, " +
                           std::to_string(alignment.alignedA()) + " of its tokens belong to " +
                           std::to_string(alignment.alignedB()) + " of this run.";
        m_out += " The tables and maps below are of this run.</p>\n";
    }

    void line(std::string_view name, const std::string& full, const std::string& hybrid,
              std::string_view kind) {
        m_out += "<tr><td>" + std::string(name) + "</td>" + cell(full) + cell(hybrid) +
                 "<td class=\"l second\">" + std::string(kind) + "</td></tr>\n";
    }

    void figures() {
        const Cost& cost = m_snapshot.propagated->cost;
        const IsolatedResult& isolated = *m_snapshot.isolated;
        title("What was saved and what was lost");
        m_out += "<table><tr><th></th><th>full</th><th>hybrid</th><th class=\"l\">kind</th></tr>\n";
        line("pairs", std::to_string(cost.full.pairs), std::to_string(cost.hybrid.pairs), "counted");
        line("keys and values kept", formatBytes(cost.full.kvBytes), formatBytes(cost.hybrid.kvBytes),
             "counted");
        line("attention flops", formatted("%.3g", static_cast<double>(cost.full.attentionFlops)),
             formatted("%.3g", static_cast<double>(cost.hybrid.attentionFlops)), "counted");
        line("seconds", formatted("%.2f", cost.full.total.median),
             formatted("%.2f", cost.hybrid.total.median), "measured, one run");
        if (m_fidelity.sentence) {
            line("sentence vector, cosine", "1", formatted("%.5f", m_fidelity.sentence->cosine),
                 "propagated: the hybrid run feeds itself");
            line("last hidden state, cosine", "1", formatted("%.5f", m_fidelity.sentence->tokenCosine),
                 "propagated, mean over tokens");
        } else {
            nextTokenLines();
        }
        line("kept mass", "1", formatted("%.4f", isolated.massRecall),
             "isolated: each layer gets the full run's activations");
        line("output error", "0", formatted("%.4f", isolated.outputError), "isolated, mean over layers");
        m_out += "</table>\n";
    }

    void nextTokenLines() {
        line("loss, nats per token", formatted("%.4f", m_fidelity.fullMeanNll),
             formatted("%.4f", m_fidelity.hybridMeanNll), "propagated: the hybrid run feeds itself");
        line("next-token KL, nats", "0", formatted("%.5f", m_fidelity.nextTokenKl), "propagated, mean");
        line("its 95th percentile", "0", formatted("%.5f", m_fidelity.klP95), "propagated");
        line("top-1 agreement", "1", formatted("%.4f", m_fidelity.top1Agreement), "propagated");
    }

    void text() {
        const std::size_t count = std::min(m_tokens.size(), kMostReportTokens);
        title(m_fidelity.sentence ? "The text" : "The text, by the loss that the hybrid adds");
        m_out += m_fidelity.sentence
                     ? std::string("<div class=\"text\">")
                     : "<p class=\"second\">Orange: the hybrid gives the token less probability than full "
                       "attention; "
                       "blue: more. The strongest colour is " +
                           formatted("%.0f", kTintAt) +
                           " nats. Point at a token for its numbers.</p>\n<div class=\"text\">";
        std::string pending;
        for (std::size_t t = 0; t < count; ++t) {
            pending += m_tokens.pieces[t];
            // A character in several tokens is written with the last of them.
            if (t + 1 < count && (static_cast<unsigned char>(
                                      m_tokens.pieces[t + 1].empty() ? 'a' : m_tokens.pieces[t + 1].front()) &
                                  0xC0U) == 0x80U)
                continue;
            const double full =
                t < m_fidelity.fullNll.size() ? static_cast<double>(m_fidelity.fullNll[t]) : NAN;
            const double hybrid =
                t < m_fidelity.hybridNll.size() ? static_cast<double>(m_fidelity.hybridNll[t]) : NAN;
            std::string tip = "#" + std::to_string(t);
            std::string style;
            if (std::isfinite(full) && std::isfinite(hybrid)) {
                tip += formatted(", loss %.3f full, %.3f hybrid, %+.3f", full, hybrid, hybrid - full);
                const double share = std::clamp((hybrid - full) / kTintAt, -1.0, 1.0);
                if (std::abs(share) > 0.01)
                    style = share > 0
                                ? formatted(" style=\"background:rgba(168,98,57,%.2f)\"", 0.8 * share)
                                : formatted(" style=\"background:rgba(71,120,185,%.2f)\"", -0.8 * share);
            }
            m_out += "<span title=\"" + tip + "\"" + style + ">" + readable(pending) + "</span>";
            pending.clear();
        }
        m_out += "</div>\n";
        if (count < m_tokens.size())
            m_out += "<p class=\"second\">The first " + std::to_string(count) + " of " +
                     std::to_string(m_tokens.size()) + " tokens.</p>\n";
    }

    /// Prose keeps its spaces and line breaks; everything else as on the screen.
    static std::string readable(std::string_view piece) {
        std::string out;
        std::string part;
        const auto flush = [&] {
            if (!part.empty())
                out += shown(part, part.size() + 1);
            part.clear();
        };
        for (const char c : piece) {
            if (c == ' ' || c == '\n') {
                flush();
                out += c;
            } else {
                part += c;
            }
        }
        flush();
        return out;
    }

    void worst() {
        if (m_fidelity.sentence)
            return; // there is no next token
        std::vector<std::size_t> order(m_fidelity.kl.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        const std::size_t count = std::min(kWorst, order.size());
        std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                          [&](std::size_t a, std::size_t b) {
                              return m_fidelity.kl[a] != m_fidelity.kl[b]
                                         ? m_fidelity.kl[a] > m_fidelity.kl[b]
                                         : a < b;
                          });
        title("Where the next token changes most");
        m_out += "<table><tr><th>after</th><th>KL, nats</th><th class=\"l\">full expects</th><th "
                 "class=\"l\">hybrid expects</th></tr>\n";
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t t = order[i];
            m_out += "<tr><td>#" + std::to_string(t) + " " + shown(m_tokens.pieces[t]) + "</td>" +
                     cell(formatted("%.4f", static_cast<double>(m_fidelity.kl[t]))) + "<td class=\"l\">" +
                     expected(m_fidelity.fullTop1, t) + "</td><td class=\"l\">" +
                     expected(m_fidelity.hybridTop1, t) + "</td></tr>\n";
        }
        m_out += "</table>\n";
    }

    [[nodiscard]] std::string expected(const std::vector<std::int32_t>& top, std::size_t t) const {
        if (t >= top.size() || !m_snapshot.model->tokenizer)
            return "";
        return shown(m_snapshot.model->tokenizer->piece(top[t]));
    }

    void layers() {
        title("Layers");
        m_out += "<table><tr><th>layer</th><th>kept mass</th><th>output error</th><th>pairs</th><th "
                 "class=\"l\">own window</th></tr>\n";
        for (const LayerFidelity& layer : m_snapshot.isolated->layers)
            m_out += "<tr><td>" + std::to_string(layer.layer) + "</td>" +
                     cell(formatted("%.4f", layer.massRecall)) + cell(formatted("%.4f", layer.outputError)) +
                     cell(std::to_string(layer.pairs)) + "<td class=\"l\">" +
                     (layer.nativeWindow > 0 ? std::to_string(layer.nativeWindow) : "global") +
                     "</td></tr>\n";
        m_out += "</table>\n";
    }

    void routed() {
        if (!m_snapshot.propagated->routing || m_snapshot.propagated->routing->rows.empty())
            return;
        const RoutingRecord& record = *m_snapshot.propagated->routing;
        struct Routed {
            std::size_t token = 0;
            std::set<std::pair<int, int>> heads;
            std::uint64_t queries = 0;
        };
        std::vector<Routed> tokens(m_tokens.size());
        for (const RoutingRow& row : record.rows)
            if (row.token < tokens.size()) {
                tokens[row.token].heads.emplace(row.layer, row.head);
                tokens[row.token].queries += row.queries;
            }
        for (std::size_t t = 0; t < tokens.size(); ++t)
            tokens[t].token = t;
        std::stable_sort(tokens.begin(), tokens.end(),
                         [](const Routed& a, const Routed& b) { return a.queries > b.queries; });
        title("Tokens that were routed most often");
        m_out += "<p class=\"second\">By " + escaped(record.signalNames()) +
                 ". A head group that chooses together counts once.</p>\n";
        m_out += "<table><tr><th>token</th><th>layers and heads</th><th>reads</th></tr>\n";
        for (std::size_t i = 0; i < std::min(kRouted, tokens.size()) && tokens[i].queries > 0; ++i)
            m_out += "<tr><td>#" + std::to_string(tokens[i].token) + " " +
                     shown(m_tokens.pieces[tokens[i].token]) + "</td>" +
                     cell(std::to_string(tokens[i].heads.size())) + cell(std::to_string(tokens[i].queries)) +
                     "</tr>\n";
        m_out += "</table>\n";
    }

    void policy() {
        const std::optional<AttentionPolicy>& other = m_snapshot.request->against;
        const PolicyPreset* const preset = other ? presetOf(*other) : nullptr;
        title("The policy");
        m_out += "<pre>fovea analyze FILE " + escaped(policyToOptions(m_snapshot.request->policy)) +
                 (m_snapshot.request->nativeWindows ? "" : " --native-windows off") +
                 (preset  ? " --against " + escaped(preset->name)
                  : other ? " --against OTHER.json"
                          : "") +
                 "</pre>\n<details><summary>As a policy file</summary><pre>" +
                 escaped(policyToJson(m_snapshot.request->policy)) + "</pre></details>\n";
        if (other && preset == nullptr)
            m_out += "<details><summary>OTHER.json, the policy to compare with</summary><pre>" +
                     escaped(policyToJson(*other)) + "</pre></details>\n";
    }

    const Snapshot& m_snapshot;
    const std::vector<ReportPicture>& m_pictures;
    const Tokens& m_tokens;
    const PropagatedFidelity& m_fidelity;
    std::string m_out;
};

} // namespace

Result<std::string> reportHtml(const Snapshot& snapshot, const std::vector<ReportPicture>& pictures) {
    if (!snapshot.model || !snapshot.tokens || !snapshot.request || !snapshot.isolated ||
        !snapshot.propagated)
        return fail(ErrorCode::BadValue,
                    "report: the hybrid run is not finished; a report needs its numbers");
    return Report(snapshot, pictures).html();
}

} // namespace fovea
