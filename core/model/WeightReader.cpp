// Reads the tensors of a model into Weights: unpacks them, undoes the conventions of the container, and puts
// matrices that share an input together.
#include "core/base/Check.h"
#include "core/base/Size.h"
#include "core/model/Dequantise.h"
#include "core/model/Elementwise.h"
#include "core/model/Rope.h"
#include "core/model/Weights.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <omp.h>

namespace fovea {

namespace {

std::size_t rowBytesOf(TensorType type, std::size_t columns) {
    const auto& info = tensorTypeInfo(type);
    return columns / info.values * info.bytes;
}

class WeightReader {
public:
    WeightReader(const TensorSource& source, const ModelHeader& header, const LoadOptions& options,
                 std::vector<std::string>& warnings, const WorkContext& work)
        : m_source(source), m_tensors(source.tensors()), m_parts(header.parts), m_shape(header.shape),
          m_warnings(warnings), m_work(work), m_unpacked(options.unpacked.value_or(true)),
          m_weights(std::make_shared<Weights>(options.precision)) {
        if (options.stored || !m_unpacked)
            m_weights->stored = std::make_unique<StoredWeights>();
        for (const auto& tensor : m_tensors)
            m_total += tensor.bytes;
    }

    Result<std::shared_ptr<const Weights>> read() {
        for (int l = 0; l < m_shape.layers; ++l)
            FOVEA_TRY(readLayer(l));
        FOVEA_TRY(readNorm(Place::OutputNorm, Place::OutputNormBias, -1, m_weights->outputNorm));
        FOVEA_TRY(readRotations());
        if (m_shape.predictsTokens())
            FOVEA_TRY(readVocabulary());
        FOVEA_TRY(readEmbeddings());
        reportNonFinite();
        return std::shared_ptr<const Weights>(std::move(m_weights));
    }

private:
    Result<> readLayer(int l) {
        LayerWeights layer;
        FOVEA_TRY(readNorm(Place::AttentionNorm, Place::AttentionNormBias, l, layer.attentionNorm));
        FOVEA_TRY(readNorm(Place::FeedForwardNorm, Place::FeedForwardNormBias, l, layer.feedForwardNorm));
        FOVEA_TRY(
            readNorm(Place::AfterAttentionNorm, Place::AfterAttentionNormBias, l, layer.afterAttentionNorm));
        FOVEA_TRY(readNorm(Place::AfterFeedForwardNorm, Place::AfterFeedForwardNormBias, l,
                           layer.afterFeedForwardNorm));
        FOVEA_TRY(readVector(Place::QueryNorm, l, layer.queryNorm));
        FOVEA_TRY(readVector(Place::KeyNorm, l, layer.keyNorm));
        FOVEA_TRY(readBiases(l, layer));
        m_weights->layers.push_back(std::move(layer));
        return m_unpacked ? readUnpacked(l) : readRaw(l);
    }

    Result<> readUnpacked(int l) {
        const std::size_t m = asSize(m_shape.width);
        const std::size_t f = asSize(m_shape.feedForward);
        const std::size_t q = asSize(m_shape.heads) * asSize(m_shape.headDim);
        const std::size_t kv = asSize(m_shape.kvHeads) * asSize(m_shape.headDim);
        LayerMatrices layer;
        {
            Matrix qkv(q + 2 * kv, m);
            FOVEA_TRY(readMatrix(Place::Query, l, qkv.view().rowRange(0, q)));
            FOVEA_TRY(readMatrix(Place::Key, l, qkv.view().rowRange(q, kv)));
            FOVEA_TRY(readMatrix(Place::Value, l, qkv.view().rowRange(q + kv, kv)));
            layer.qkv = m_weights->backend.pack(qkv.view());
        }
        {
            Matrix output(m, q);
            FOVEA_TRY(readMatrix(Place::AttentionOutput, l, output.view()));
            layer.output = m_weights->backend.pack(output.view());
        }
        {
            const std::size_t gate = m_shape.gated ? f : 0;
            Matrix gateUp(gate + f, m);
            if (gate > 0)
                FOVEA_TRY(readMatrix(Place::Gate, l, gateUp.view().rowRange(0, gate)));
            FOVEA_TRY(readMatrix(Place::Up, l, gateUp.view().rowRange(gate, f)));
            layer.gateUp = m_weights->backend.pack(gateUp.view());
        }
        Matrix down(m, f);
        FOVEA_TRY(readMatrix(Place::Down, l, down.view()));
        layer.down = m_weights->backend.pack(down.view());
        m_weights->matrices.push_back(std::make_shared<const LayerMatrices>(std::move(layer)));
        if (!m_weights->stored)
            return {};
        StoredLayer stored;
        FOVEA_TRY(readStored(Place::Query, l, stored.q));
        FOVEA_TRY(readStored(Place::Key, l, stored.k));
        FOVEA_TRY(readStored(Place::Value, l, stored.v));
        FOVEA_TRY(readStored(Place::AttentionOutput, l, stored.output));
        if (m_shape.gated)
            FOVEA_TRY(readStored(Place::Gate, l, stored.gate));
        FOVEA_TRY(readStored(Place::Up, l, stored.up));
        FOVEA_TRY(readStored(Place::Down, l, stored.down));
        m_weights->stored->layers.push_back(std::move(stored));
        return {};
    }

    /// The matrices of a layer in the encoding of the file, twice: for blocks of rows and for single rows.
    Result<> readRaw(int l) {
        RawLayer raw;
        StoredLayer stored;
        struct Target {
            Place place;
            RawMatrix* raw;
            StoredMatrix* stored;
        };
        for (const Target& to :
             {Target{Place::Query, &raw.q, &stored.q}, Target{Place::Key, &raw.k, &stored.k},
              Target{Place::Value, &raw.v, &stored.v},
              Target{Place::AttentionOutput, &raw.output, &stored.output},
              Target{Place::Gate, &raw.gate, &stored.gate}, Target{Place::Up, &raw.up, &stored.up},
              Target{Place::Down, &raw.down, &stored.down}}) {
            if (to.place == Place::Gate && !m_shape.gated)
                continue;
            FOVEA_TRY(readRaw(*m_parts.find(to.place, l), *to.raw));
            *to.stored = storedOf(*to.raw);
        }
        m_weights->raw.push_back(std::move(raw));
        m_weights->stored->layers.push_back(std::move(stored));
        return {};
    }

    static StoredMatrix storedOf(const RawMatrix& raw) {
        return StoredMatrix::pack(raw.type, {raw.bytes.data(), raw.bytes.size()}, raw.rows, raw.columns,
                                  [&](std::size_t r) { return raw.placeOf(r); });
    }

    Result<> readRaw(const TensorPart& part, RawMatrix& to) {
        const StoredTensor& tensor = m_tensors[part.tensor];
        to.rows = static_cast<std::size_t>(part.rows);
        to.columns = static_cast<std::size_t>(part.columns);
        if (part.transposed) { // few and small (GPT-2): kept in f32
            Matrix plain(to.rows, to.columns);
            FOVEA_TRY(readTransposed(part, 0, plain.view()));
            to.bytes = AlignedBuffer<std::byte>(plain.bytes());
            std::memcpy(to.bytes.data(), plain.view().data, plain.bytes());
            return {};
        }
        to.type = tensor.type;
        to.pairsOf = part.rowPairs ? asSize(m_shape.headDim) : 0;
        const std::size_t rowBytes = rowBytesOf(tensor.type, to.columns);
        to.bytes = AlignedBuffer<std::byte>(to.rows * rowBytes);
        FOVEA_TRY(readBytes(part.tensor, part.firstRow * rowBytes, to.bytes.data(), to.bytes.size()));
        note(tensor.name, countNonFinite(to, rowBytes));
        return {};
    }

    [[nodiscard]] std::uint64_t countNonFinite(const RawMatrix& matrix, std::size_t rowBytes) const {
        const int threads = m_work.threads > 0 ? m_work.threads : omp_get_max_threads();
        std::vector<std::vector<float>> unpacked(static_cast<std::size_t>(threads),
                                                 std::vector<float>(matrix.columns));
        const auto& loops = elementwiseSet(m_work.isa);
        const auto rows = static_cast<std::ptrdiff_t>(matrix.rows);
        std::uint64_t bad = 0;
#pragma omp parallel for num_threads(threads) reduction(+ : bad) schedule(static)
        for (std::ptrdiff_t r = 0; r < rows; ++r) {
            auto& row = unpacked[static_cast<std::size_t>(omp_get_thread_num())];
            dequantise(matrix.type, matrix.bytes.data() + static_cast<std::size_t>(r) * rowBytes, row.size(),
                       row.data());
            if (!loops.allFinite(row.data(), row.size()))
                bad += static_cast<std::uint64_t>(
                    std::count_if(row.begin(), row.end(), [](float x) { return !std::isfinite(x); }));
        }
        return bad;
    }

    Result<> readBiases(int l, LayerWeights& layer) {
        for (const Place place : {Place::QueryBias, Place::KeyBias, Place::ValueBias}) {
            std::vector<float> part;
            FOVEA_TRY(readVector(place, l, part));
            layer.qkvBias.insert(layer.qkvBias.end(), part.begin(), part.end());
        }
        FOVEA_TRY(readVector(Place::AttentionOutputBias, l, layer.outputBias));
        FOVEA_TRY(readVector(Place::UpBias, l, layer.upBias));
        return readVector(Place::DownBias, l, layer.downBias);
    }

    Result<> readRotations() {
        std::vector<float> factors = m_shape.ropeFactors, longFactors = m_shape.longRopeFactors;
        if (m_parts.find(Place::RopeFactors))
            FOVEA_TRY(readVector(Place::RopeFactors, -1, factors));
        if (m_parts.find(Place::LongRopeFactors))
            FOVEA_TRY(readVector(Place::LongRopeFactors, -1, longFactors));
        m_weights->ropeContext = asSize(m_shape.ropeContext);
        std::vector<LayerShape> distinct;
        for (int l = 0; l < m_shape.layers; ++l) {
            const LayerShape& layer = m_shape.layer(l);
            if (m_shape.positions != PositionKind::Rope || !layer.rotated) {
                m_weights->rotationOf.push_back(-1);
                continue;
            }
            const auto same = std::find_if(distinct.begin(), distinct.end(), [&](const LayerShape& d) {
                return d.ropeBase == layer.ropeBase && d.ropeFactor == layer.ropeFactor;
            });
            m_weights->rotationOf.push_back(static_cast<int>(same - distinct.begin()));
            if (same != distinct.end())
                continue;
            distinct.push_back(layer);
            Rotation rotation{ropeFrequencies(layer, m_shape.rotaryDim(), factors), {}};
            if (!longFactors.empty())
                rotation.longFrequencies = ropeFrequencies(layer, m_shape.rotaryDim(), longFactors);
            m_weights->rotations.push_back(std::move(rotation));
        }
        return {};
    }

    Result<> readVocabulary() {
        const auto* output = m_parts.find(Place::Output);
        const auto& part = output ? *output : *m_parts.find(Place::TokenEmbedding);
        if (!m_unpacked) {
            FOVEA_TRY(readRaw(part, m_weights->rawVocabulary));
            m_weights->stored->vocabulary = storedOf(m_weights->rawVocabulary);
            return {};
        }
        for (std::size_t first = 0; first < asSize(m_shape.vocabulary); first += kVocabularyStrip) {
            Matrix strip(std::min(kVocabularyStrip, asSize(m_shape.vocabulary) - first),
                         asSize(m_shape.width));
            FOVEA_TRY(readRows(part, first, strip.view()));
            m_weights->vocabulary.push_back(m_weights->backend.pack(strip.view()));
        }
        return m_weights->stored ? readStored(part, m_weights->stored->vocabulary) : Result<>();
    }

    Result<> readEmbeddings() {
        const auto& part = *m_parts.find(Place::TokenEmbedding);
        const StoredTensor& tensor = m_tensors[part.tensor];
        AlignedBuffer<std::byte> bytes(static_cast<std::size_t>(tensor.bytes));
        FOVEA_TRY(readBytes(part.tensor, 0, bytes.data(), bytes.size()));
        m_weights->embedding = EmbeddingTable(tensor.type, asSize(m_shape.width), std::move(bytes));
        if (m_parts.find(Place::Output) || !m_shape.predictsTokens())
            countNonFinite(tensor);
        if (const auto* positions = m_parts.find(Place::PositionEmbedding)) {
            m_weights->positions = Matrix(asSize(m_shape.context), asSize(m_shape.width));
            FOVEA_TRY(readRows(*positions, 0, m_weights->positions.view()));
        }
        if (const auto* types = m_parts.find(Place::TypeEmbedding)) {
            m_weights->tokenType.resize(asSize(m_shape.width));
            FOVEA_TRY(readRows(*types, 0, {m_weights->tokenType.data(), 1, m_weights->tokenType.size()}));
        }
        return readNorm(Place::EmbeddingNorm, Place::EmbeddingNormBias, -1, m_weights->embeddingNorm);
    }

    Result<> readNorm(Place weight, Place bias, int layer, NormWeights& norm) {
        FOVEA_TRY(readVector(weight, layer, norm.weight));
        FOVEA_TRY(readVector(bias, layer, norm.bias));
        if (m_shape.norm == NormKind::Layer && norm.bias.empty())
            norm.bias.assign(norm.weight.size(), 0.0F);
        return {};
    }

    /// Stays empty where the file has no such tensor.
    Result<> readVector(Place place, int layer, std::vector<float>& values) {
        const auto* part = m_parts.find(place, layer);
        if (part == nullptr)
            return {};
        FOVEA_ASSERT(part->rows == 0);
        const StoredTensor& tensor = m_tensors[part->tensor];
        std::vector<float> read(static_cast<std::size_t>(part->columns));
        const std::size_t each = rowBytesOf(tensor.type, 1); // vectors are plain
        m_raw.resize(read.size() * each);
        FOVEA_TRY(readBytes(part->tensor, part->firstRow * each, m_raw.data(), m_raw.size()));
        dequantise(tensor.type, m_raw.data(), read.size(), read.data());
        std::uint64_t bad = 0;
        values.resize(read.size());
        for (std::size_t i = 0; i < read.size(); ++i) {
            bad += std::isfinite(read[i]) ? 0U : 1U;
            values[placeOf(*part, i)] = part->plusOne ? read[i] + 1.0F : read[i];
        }
        note(tensor.name, bad);
        return {};
    }

    Result<> readMatrix(Place place, int layer, MatrixView to) {
        return readRows(*m_parts.find(place, layer), 0, to);
    }

    /// Where row `r` of a part belongs.
    [[nodiscard]] std::size_t placeOf(const TensorPart& part, std::size_t r) const {
        if (!part.rowPairs)
            return r;
        const std::size_t d = asSize(m_shape.headDim);
        return r / d * d + r % 2 * (d / 2) + r % d / 2;
    }

    /// Unpacks rows of a part, from its row `first` on, each to its place.
    Result<> readRows(const TensorPart& part, std::size_t first, MatrixView to) {
        if (part.transposed)
            return readTransposed(part, first, to);
        const StoredTensor& tensor = m_tensors[part.tensor];
        const std::size_t rowBytes = rowBytesOf(tensor.type, to.cols);
        m_raw.resize(to.rows * rowBytes);
        FOVEA_TRY(readBytes(part.tensor, (part.firstRow + first) * rowBytes, m_raw.data(), m_raw.size()));
        const auto& loops = elementwiseSet(m_work.isa);
        const int threads = m_work.threads > 0 ? m_work.threads : omp_get_max_threads();
        const auto rows = static_cast<std::ptrdiff_t>(to.rows);
        std::uint64_t bad = 0;
#pragma omp parallel for num_threads(threads) reduction(+ : bad) schedule(static)
        for (std::ptrdiff_t i = 0; i < rows; ++i) {
            const auto r = static_cast<std::size_t>(i);
            float* out = to.row(placeOf(part, r));
            dequantise(tensor.type, m_raw.data() + r * rowBytes, to.cols, out);
            if (!loops.allFinite(out, to.cols))
                bad += static_cast<std::uint64_t>(
                    std::count_if(out, out + to.cols, [](float x) { return !std::isfinite(x); }));
        }
        note(tensor.name, bad);
        return {};
    }

    /// The tensor holds columns as rows.
    Result<> readTransposed(const TensorPart& part, std::size_t first, MatrixView to) {
        const StoredTensor& tensor = m_tensors[part.tensor];
        const auto stored = static_cast<std::size_t>(part.tensorRows);
        const std::size_t each = rowBytesOf(tensor.type, 1), rowBytes = each * stored;
        std::vector<float> values(to.rows);
        m_raw.resize(each * to.rows);
        std::uint64_t bad = 0;
        for (std::size_t c = 0; c < to.cols; ++c) {
            const std::uint64_t from = c * rowBytes + (part.firstRow + first) * each;
            FOVEA_TRY(readBytes(part.tensor, from, m_raw.data(), m_raw.size()));
            dequantise(tensor.type, m_raw.data(), to.rows, values.data());
            for (std::size_t r = 0; r < to.rows; ++r) {
                bad += std::isfinite(values[r]) ? 0U : 1U;
                to(placeOf(part, r), c) = values[r];
            }
        }
        note(tensor.name, bad);
        return {};
    }

    Result<> readStored(Place place, int layer, StoredMatrix& to) {
        return readStored(*m_parts.find(place, layer), to);
    }

    /// Reads a part again without unpacking it.
    Result<> readStored(const TensorPart& part, StoredMatrix& to) {
        const StoredTensor& tensor = m_tensors[part.tensor];
        const auto rows = static_cast<std::size_t>(part.rows),
                   columns = static_cast<std::size_t>(part.columns);
        if (part.transposed) {
            Matrix plain(rows, columns);
            const auto counted = m_nonFinite; // the first reading has counted
            FOVEA_TRY(readTransposed(part, 0, plain.view()));
            m_nonFinite = counted;
            const float* data = plain.view().data;
            to = StoredMatrix::pack(TensorType::F32, std::as_bytes(std::span(data, rows * columns)), rows,
                                    columns, [](std::size_t r) { return r; });
            return {};
        }
        const std::size_t rowBytes = rowBytesOf(tensor.type, columns);
        m_raw.resize(rows * rowBytes);
        FOVEA_TRY(readBytes(part.tensor, part.firstRow * rowBytes, m_raw.data(), m_raw.size()));
        to = StoredMatrix::pack(tensor.type, m_raw, rows, columns,
                                [&](std::size_t r) { return placeOf(part, r); });
        return {};
    }

    Result<> readBytes(std::size_t tensor, std::uint64_t from, std::byte* to, std::size_t bytes) {
        constexpr std::size_t kPiece = std::size_t{4} << 20;
        for (std::size_t done = 0; done < bytes; done += kPiece) {
            FOVEA_TRY(m_work.checkpoint());
            const std::size_t n = std::min(kPiece, bytes - done);
            FOVEA_TRY(m_source.read(tensor, from + done, {to + done, n}));
            m_read += n;
        }
        m_work.report("reading weights", static_cast<double>(std::min(m_read, m_total)),
                      static_cast<double>(m_total));
        return {};
    }

    void note(const std::string& name, std::uint64_t bad) {
        if (bad == 0)
            return;
        const auto known = std::find_if(m_nonFinite.begin(), m_nonFinite.end(),
                                        [&](const auto& entry) { return entry.first == name; });
        if (known != m_nonFinite.end())
            known->second += bad;
        else
            m_nonFinite.emplace_back(name, bad);
    }

    /// The embedding has been unpacked already if it is also the output matrix.
    void countNonFinite(const StoredTensor& embedding) {
        std::vector<float> row(asSize(m_shape.width));
        std::uint64_t bad = 0;
        for (std::size_t id = 0; id < asSize(m_shape.vocabulary); ++id) {
            m_weights->embedding.look(id, row.data());
            bad += static_cast<std::uint64_t>(
                std::count_if(row.begin(), row.end(), [](float x) { return !std::isfinite(x); }));
        }
        note(embedding.name, bad);
    }

    void reportNonFinite() {
        for (const auto& [name, bad] : m_nonFinite)
            m_warnings.push_back(name + ": " + std::to_string(bad) +
                                 " values are not finite; a run that meets them stops.");
    }

    const TensorSource& m_source;
    std::span<const StoredTensor> m_tensors;
    const TensorParts& m_parts;
    const ModelShape& m_shape;
    std::vector<std::string>& m_warnings;
    const WorkContext& m_work;
    bool m_unpacked; ///< all matrices are unpacked now
    std::shared_ptr<Weights> m_weights;
    std::vector<std::byte> m_raw;
    std::vector<std::pair<std::string, std::uint64_t>> m_nonFinite;
    std::uint64_t m_read = 0;
    std::uint64_t m_total = 0;
};

} // namespace

Result<std::shared_ptr<const Weights>> Weights::read(const TensorSource& source, const ModelHeader& header,
                                                     const LoadOptions& options,
                                                     std::vector<std::string>& warnings,
                                                     const WorkContext& work) {
    return WeightReader(source, header, options, warnings, work).read();
}

} // namespace fovea
