#include "core/model/TensorList.h"
#include "core/files/Quote.h"
#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>

namespace fovea {

namespace {

struct Extent {
    std::uint64_t rows = 0; ///< 0: a vector
    std::uint64_t columns = 0;
};

Extent extentOf(Place place, const ModelShape& s) {
    const auto size = [](int n) { return static_cast<std::uint64_t>(n); };
    const std::uint64_t m = size(s.width), f = size(s.feedForward), d = size(s.headDim);
    const std::uint64_t q = size(s.heads) * d, kv = size(s.kvHeads) * d;
    switch (place) {
    case Place::TokenEmbedding:
    case Place::Output:
        return {size(s.vocabulary), m};
    case Place::PositionEmbedding:
        return {size(s.context), m};
    case Place::TypeEmbedding:
        return {size(s.tokenTypes), m};
    case Place::RopeFactors:
    case Place::LongRopeFactors:
        return {0, size(s.rotaryDim()) / 2};
    case Place::Query:
        return {q, m};
    case Place::Key:
    case Place::Value:
        return {kv, m};
    case Place::Qkv:
        return {q + 2 * kv, m};
    case Place::QueryBias:
        return {0, q};
    case Place::KeyBias:
    case Place::ValueBias:
        return {0, kv};
    case Place::QkvBias:
        return {0, q + 2 * kv};
    case Place::QueryNorm:
        return {0, s.qkNorm == QkNorm::Whole ? q : d};
    case Place::KeyNorm:
        return {0, s.qkNorm == QkNorm::Whole ? kv : d};
    case Place::AttentionOutput:
        return {m, q};
    case Place::Gate:
    case Place::Up:
        return {f, m};
    case Place::GateUp:
        return {2 * f, m};
    case Place::UpBias:
        return {0, f};
    case Place::Down:
        return {m, f};
    default:
        return {0, m};
    }
}

/// A place whose tensor holds those of others, one after the other.
struct Fused {
    Place whole;
    std::array<Place, 3> parts;
    std::size_t count;
    std::string_view gguf; ///< its name in GGUF for families whose rows name the parts
};
constexpr Fused kFused[] = {
    {Place::Qkv, {Place::Query, Place::Key, Place::Value}, 3, "blk.*.attn_qkv.weight"},
    {Place::QkvBias, {Place::QueryBias, Place::KeyBias, Place::ValueBias}, 3, "blk.*.attn_qkv.bias"},
    {Place::GateUp, {Place::Gate, Place::Up, Place::Up}, 2, ""},
};
/// The names in GGUF of the parts, for families whose rows name the whole.
constexpr std::pair<Place, std::string_view> kPartNames[] = {
    {Place::Query, "blk.*.attn_q.weight"},  {Place::Key, "blk.*.attn_k.weight"},
    {Place::Value, "blk.*.attn_v.weight"},  {Place::QueryBias, "blk.*.attn_q.bias"},
    {Place::KeyBias, "blk.*.attn_k.bias"},  {Place::ValueBias, "blk.*.attn_v.bias"},
    {Place::Gate, "blk.*.ffn_gate.weight"}, {Place::Up, "blk.*.ffn_up.weight"},
};

std::string inLayer(std::string_view pattern, int layer) {
    std::string name(pattern);
    if (const auto star = name.find('*'); star != std::string::npos)
        name.replace(star, 1, std::to_string(layer));
    return name;
}

std::string shapeText(std::uint64_t rows, std::uint64_t columns) {
    return rows == 0 ? std::to_string(columns) : std::to_string(rows) + " x " + std::to_string(columns);
}

std::string shapeText(const StoredTensor& tensor) {
    std::string text;
    for (const std::uint64_t extent : tensor.shape)
        text += (text.empty() ? "" : " x ") + std::to_string(extent);
    return text;
}

bool hasShape(const StoredTensor& tensor, Extent expected) {
    if (expected.rows == 0)
        return tensor.shape.size() == 1 && tensor.shape[0] == expected.columns;
    return tensor.shape.size() == 2 && tensor.shape[0] == expected.rows &&
           tensor.shape[1] == expected.columns;
}

bool isPlain(TensorType type) {
    return type == TensorType::F32 || type == TensorType::F16 || type == TensorType::BF16;
}

class Placing {
public:
    Placing(std::span<const StoredTensor> tensors, TensorNames names, const Family& family,
            const ModelShape& shape)
        : m_tensors(tensors), m_gguf(names == TensorNames::Gguf), m_family(family), m_shape(shape),
          m_rows(family.tensors()), m_used(tensors.size(), false) {
        for (std::size_t i = 0; i < tensors.size(); ++i)
            m_index.emplace(tensors[i].name, i);
    }

    Result<TensorParts> run() {
        for (const TensorRow& row : m_rows)
            if (!isPerLayer(row.place))
                FOVEA_TRY(place(row, -1));
        for (int l = 0; l < m_shape.layers; ++l)
            for (const TensorRow& row : m_rows)
                if (isPerLayer(row.place))
                    FOVEA_TRY(place(row, l));
        for (std::size_t i = 0; i < m_tensors.size(); ++i)
            if (!m_used[i] && (m_gguf || !isPassedOver(m_tensors[i].name)))
                return fail(ErrorCode::Unsupported,
                            "the tensor " + quoteForMessage(m_tensors[i].name) + ", found " +
                                shapeText(m_tensors[i]) + ", expected none: " +
                                (m_tensors[i].name.ends_with(".bias") ? "biases are not run in "
                                                                      : "it is not part of ") +
                                "a " + m_shape.family + " model of " + std::to_string(m_shape.layers) +
                                " layers");
        return std::move(m_parts);
    }

private:
    /// The tensor of a row; absent when the file lacks it.
    [[nodiscard]] std::optional<std::size_t> find(std::string_view pattern, int layer) const {
        if (pattern.empty())
            return std::nullopt;
        const std::string name = inLayer(pattern, layer);
        const auto look = [&](const std::string& full) -> std::optional<std::size_t> {
            const auto found = m_index.find(full);
            return found == m_index.end() ? std::nullopt : std::optional(found->second);
        };
        if (m_gguf)
            return look(name);
        for (const std::string_view prefix : m_family.prefixes) {
            if (const auto found = look(std::string(prefix) + name))
                return found;
            // Old checkpoints of BERT name the parts of a layer norm so.
            for (const auto& [ending, old] : {std::pair(".LayerNorm.weight", ".LayerNorm.gamma"),
                                              std::pair(".LayerNorm.bias", ".LayerNorm.beta")})
                if (name.ends_with(ending))
                    if (const auto found =
                            look(std::string(prefix) + name.substr(0, name.rfind(".LayerNorm.")) + old))
                        return found;
        }
        return std::nullopt;
    }
    [[nodiscard]] std::string_view nameOf(const TensorRow& row) const {
        return m_gguf ? row.gguf : row.huggingFace;
    }
    [[nodiscard]] const TensorRow* rowOf(Place place) const {
        const auto found =
            std::find_if(m_rows.begin(), m_rows.end(), [&](const TensorRow& r) { return r.place == place; });
        return found == m_rows.end() ? nullptr : &*found;
    }

    Result<> place(const TensorRow& row, int layer) {
        if (nameOf(row).empty())
            return {}; // the other container has it
        const auto own = find(nameOf(row), layer);
        if (!own && m_gguf) {
            // A fused tensor in place of its parts, and parts in place of the whole.
            for (const Fused& fused : kFused) {
                const auto* const end = fused.parts.begin() + fused.count;
                if (std::find(fused.parts.begin(), end, row.place) != end) {
                    if (const auto whole = find(fused.gguf, layer))
                        return addFused(fused, *whole, row, layer, row.place);
                } else if (fused.whole == row.place && find(nameOfPart(fused.parts[0]), layer)) {
                    for (std::size_t i = 0; i < fused.count; ++i)
                        FOVEA_TRY(place(
                            {fused.parts[i], nameOfPart(fused.parts[i]), {}, row.optional, row.convention},
                            layer));
                    return {};
                }
            }
        }
        if (!own) {
            if (row.optional)
                return {};
            const Extent extent = extentOf(row.place, m_shape);
            return fail(ErrorCode::Inconsistent, "the tensor " + inLayer(nameOf(row), layer) +
                                                     " is missing; expected " +
                                                     shapeText(extent.rows, extent.columns));
        }
        for (const Fused& fused : kFused)
            if (fused.whole == row.place)
                return addFused(fused, *own, row, layer, std::nullopt);
        const Extent extent = extentOf(row.place, m_shape);
        FOVEA_TRY(check(*own, row, extent));
        if (row.place == Place::Output && m_shape.tiedOutput)
            return {};
        m_parts.add(row.place, layer, part(*own, row, extent, 0, extent.rows));
        return {};
    }

    [[nodiscard]] static std::string_view nameOfPart(Place place) {
        for (const auto& [part, name] : kPartNames)
            if (part == place)
                return name;
        return {};
    }

    /// The rows of `wanted` in a fused tensor, or of all its parts.
    Result<> addFused(const Fused& fused, std::size_t tensor, const TensorRow& row, int layer,
                      std::optional<Place> wanted) {
        const Extent whole = extentOf(fused.whole, m_shape);
        FOVEA_TRY(check(tensor, row, whole));
        const bool vector = whole.rows == 0;
        std::uint64_t first = 0;
        for (std::size_t i = 0; i < fused.count; ++i) {
            const Extent extent = extentOf(fused.parts[i], m_shape);
            if (!wanted || *wanted == fused.parts[i])
                m_parts.add(fused.parts[i], layer, part(tensor, row, extent, first, whole.rows));
            first += vector ? extent.columns : extent.rows;
        }
        return {};
    }

    [[nodiscard]] TensorPart part(std::size_t tensor, const TensorRow& row, Extent extent,
                                  std::uint64_t first, std::uint64_t tensorRows) const {
        return {tensor,
                first,
                extent.rows,
                extent.columns,
                tensorRows,
                m_gguf && row.convention == Convention::GgufRowPairs,
                !m_gguf && row.convention == Convention::HuggingFacePlusOne,
                isTransposed(row)};
    }
    [[nodiscard]] bool isTransposed(const TensorRow& row) const {
        return !m_gguf && row.convention == Convention::HuggingFaceTransposed;
    }

    Result<> check(std::size_t index, const TensorRow& row, Extent expected) {
        const StoredTensor& tensor = m_tensors[index];
        m_used[index] = true;
        if (isTransposed(row))
            std::swap(expected.rows, expected.columns);
        if (!hasShape(tensor, expected))
            return fail(ErrorCode::Inconsistent, tensor.name + ": found " + shapeText(tensor) +
                                                     ", expected " +
                                                     shapeText(expected.rows, expected.columns));
        if ((expected.rows == 0 || isTransposed(row)) && !isPlain(tensor.type))
            return fail(ErrorCode::Inconsistent, tensor.name + ": found " +
                                                     std::string(tensorTypeInfo(tensor.type).name) +
                                                     ", expected F32, F16 or BF16");
        return {};
    }

    std::span<const StoredTensor> m_tensors;
    bool m_gguf;
    const Family& m_family;
    const ModelShape& m_shape;
    std::vector<TensorRow> m_rows;
    std::vector<bool> m_used;
    std::unordered_map<std::string_view, std::size_t> m_index;
    TensorParts m_parts;
};

} // namespace

bool isPassedOver(std::string_view name) {
    constexpr std::string_view kEndings[] = {".attn.bias", ".attn.masked_bias", "rotary_emb.inv_freq",
                                             "position_ids"};
    constexpr std::string_view kBeginnings[] = {"pooler.", "cls.", "vision_tower.", "multi_modal_projector."};
    for (const std::string_view prefix : {"bert.", "model."})
        if (name.starts_with(prefix)) {
            name.remove_prefix(prefix.size());
            break;
        }
    return std::any_of(std::begin(kEndings), std::end(kEndings),
                       [&](std::string_view end) { return name.ends_with(end); }) ||
           std::any_of(std::begin(kBeginnings), std::end(kBeginnings),
                       [&](std::string_view begin) { return name.starts_with(begin); });
}

const TensorPart* TensorParts::find(Place place, int layer) const {
    const auto found = m_parts.find({place, layer});
    return found == m_parts.end() ? nullptr : &found->second;
}

std::vector<ExpectedTensor> expectedTensors(const Family& family, const ModelShape& shape) {
    std::vector<ExpectedTensor> list;
    const std::vector<TensorRow> rows = family.tensors();
    for (int l = -1; l < shape.layers; ++l)
        for (const TensorRow& row : rows)
            if (isPerLayer(row.place) == (l >= 0) && !row.gguf.empty()) {
                const Extent extent = extentOf(row.place, shape);
                list.push_back({inLayer(row.gguf, l), extent.rows, extent.columns, row.optional});
            }
    return list;
}

Result<TensorParts> placeTensors(std::span<const StoredTensor> tensors, TensorNames names,
                                 const Family& family, const ModelShape& shape) {
    return Placing(tensors, names, family, shape).run();
}

} // namespace fovea
