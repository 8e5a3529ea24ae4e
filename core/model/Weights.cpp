#include "core/model/Weights.h"
#include "core/model/Dequantise.h"
#include "core/model/Elementwise.h"
#include "core/model/Rope.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <omp.h>

namespace fovea {

namespace {

std::size_t size(int n) {
    return static_cast<std::size_t>(n);
}

class WeightReader {
public:
    WeightReader(const ByteSource& source, const ModelHeader& header, const LoadOptions& options,
                 std::vector<std::string>& warnings, const WorkContext& work)
        : m_source(source), m_header(header), m_warnings(warnings), m_work(work),
          m_weights(std::make_shared<Weights>(options.precision)) {
        if (options.stored)
            m_weights->stored = std::make_unique<StoredWeights>();
        for (const auto& tensor : header.gguf.tensors)
            m_total += tensor.bytes;
    }

    Result<std::shared_ptr<const Weights>> read() {
        const auto& shape = m_header.shape;
        const auto row = [](std::size_t r) { return r; };
        for (int l = 0; l < shape.layers; ++l)
            FOVEA_TRY(readLayer("blk." + std::to_string(l) + "."));
        FOVEA_TRY(readVector("output_norm.weight", m_weights->outputNorm));
        std::vector<float> factors;
        if (m_header.gguf.findTensor("rope_freqs.weight"))
            FOVEA_TRY(readVector("rope_freqs.weight", factors));
        m_weights->ropeFrequencies = ropeFrequencies(shape, factors);

        const auto* embedding = m_header.gguf.findTensor("token_embd.weight");
        const auto* output = m_header.gguf.findTensor("output.weight");
        const std::size_t width = size(shape.width);
        for (std::size_t first = 0; first < size(shape.vocabulary); first += kVocabularyStrip) {
            const std::size_t rows = std::min(kVocabularyStrip, size(shape.vocabulary) - first);
            Matrix strip(rows, width);
            FOVEA_TRY(readRows(output ? *output : *embedding, first, strip.view(), row));
            m_weights->vocabulary.push_back(m_weights->backend.pack(strip.view()));
        }
        if (m_weights->stored)
            FOVEA_TRY(readStored(output ? *output : *embedding, size(shape.vocabulary), width,
                                 m_weights->stored->vocabulary, row));
        AlignedBuffer<std::byte> bytes(static_cast<std::size_t>(embedding->bytes));
        FOVEA_TRY(readBytes(*embedding, 0, bytes.data(), bytes.size()));
        m_weights->embedding = EmbeddingTable(embedding->type, width, std::move(bytes));
        if (output)
            countNonFinite(*embedding);
        reportNonFinite();
        return std::shared_ptr<const Weights>(std::move(m_weights));
    }

private:
    Result<> readLayer(const std::string& blk) {
        const auto& shape = m_header.shape;
        const std::size_t m = size(shape.width);
        const std::size_t f = size(shape.feedForward);
        const std::size_t d = size(shape.headDim);
        const std::size_t q = size(shape.heads) * d;
        const std::size_t kv = size(shape.kvHeads) * d;
        const auto row = [](std::size_t r) { return r; };
        // Inside a head, GGUF row r is row (r mod 2) * D/2 + r/2 of the half-split order.
        const auto halfSplit = [d](std::size_t r) { return r / d * d + r % 2 * (d / 2) + r % d / 2; };

        LayerWeights layer;
        FOVEA_TRY(readVector(blk + "attn_norm.weight", layer.attentionNorm));
        FOVEA_TRY(readVector(blk + "ffn_norm.weight", layer.feedForwardNorm));
        {
            Matrix qkv(q + 2 * kv, m);
            FOVEA_TRY(readMatrix(blk + "attn_q.weight", qkv.view().rowRange(0, q), halfSplit));
            FOVEA_TRY(readMatrix(blk + "attn_k.weight", qkv.view().rowRange(q, kv), halfSplit));
            FOVEA_TRY(readMatrix(blk + "attn_v.weight", qkv.view().rowRange(q + kv, kv), row));
            layer.qkv = m_weights->backend.pack(qkv.view());
        }
        {
            Matrix output(m, q);
            FOVEA_TRY(readMatrix(blk + "attn_output.weight", output.view(), row));
            layer.output = m_weights->backend.pack(output.view());
        }
        {
            Matrix gateUp(2 * f, m);
            FOVEA_TRY(readMatrix(blk + "ffn_gate.weight", gateUp.view().rowRange(0, f), row));
            FOVEA_TRY(readMatrix(blk + "ffn_up.weight", gateUp.view().rowRange(f, f), row));
            layer.gateUp = m_weights->backend.pack(gateUp.view());
        }
        Matrix down(m, f);
        FOVEA_TRY(readMatrix(blk + "ffn_down.weight", down.view(), row));
        layer.down = m_weights->backend.pack(down.view());
        m_weights->layers.push_back(std::move(layer));
        if (!m_weights->stored)
            return {};
        StoredLayer stored;
        const auto read = [&](const char* name, std::size_t out, std::size_t in, StoredMatrix& to,
                              const auto& place) {
            return readStored(*m_header.gguf.findTensor(blk + name), out, in, to, place);
        };
        FOVEA_TRY(read("attn_q.weight", q, m, stored.q, halfSplit));
        FOVEA_TRY(read("attn_k.weight", kv, m, stored.k, halfSplit));
        FOVEA_TRY(read("attn_v.weight", kv, m, stored.v, row));
        FOVEA_TRY(read("attn_output.weight", m, q, stored.output, row));
        FOVEA_TRY(read("ffn_gate.weight", f, m, stored.gate, row));
        FOVEA_TRY(read("ffn_up.weight", f, m, stored.up, row));
        FOVEA_TRY(read("ffn_down.weight", m, f, stored.down, row));
        m_weights->stored->layers.push_back(std::move(stored));
        return {};
    }

    /// Reads a tensor again without unpacking it.
    template <class Place>
    Result<> readStored(const GgufTensor& tensor, std::size_t out, std::size_t in, StoredMatrix& to,
                        const Place& place) {
        m_raw.resize(static_cast<std::size_t>(tensor.bytes));
        FOVEA_TRY(readBytes(tensor, 0, m_raw.data(), m_raw.size()));
        to = StoredMatrix::pack(tensor.type, m_raw, out, in, place);
        return {};
    }

    Result<> readVector(const std::string& name, std::vector<float>& values) {
        const auto& tensor = *m_header.gguf.findTensor(name);
        values.resize(static_cast<std::size_t>(tensor.elements()));
        return readRows(tensor, 0, {values.data(), 1, values.size()}, [](std::size_t r) { return r; });
    }

    template <class Place>
    Result<> readMatrix(const std::string& name, MatrixView to, Place place) {
        return readRows(*m_header.gguf.findTensor(name), 0, to, place);
    }

    /// Unpacks rows from `first` on; row r goes to row place(r) of `to`.
    template <class Place>
    Result<> readRows(const GgufTensor& tensor, std::size_t first, MatrixView to, Place place) {
        const auto& info = tensorTypeInfo(tensor.type);
        const std::size_t rowBytes = to.cols / info.values * info.bytes;
        m_raw.resize(to.rows * rowBytes);
        FOVEA_TRY(readBytes(tensor, first * rowBytes, m_raw.data(), m_raw.size()));
        const auto& loops = elementwiseSet(m_work.isa);
        const int threads = m_work.threads > 0 ? m_work.threads : omp_get_max_threads();
        const auto rows = static_cast<std::ptrdiff_t>(to.rows);
        std::uint64_t bad = 0;
#pragma omp parallel for num_threads(threads) reduction(+ : bad) schedule(static)
        for (std::ptrdiff_t i = 0; i < rows; ++i) {
            const auto r = static_cast<std::size_t>(i);
            float* out = to.row(place(r));
            dequantise(tensor.type, m_raw.data() + r * rowBytes, to.cols, out);
            if (!loops.allFinite(out, to.cols))
                bad += static_cast<std::uint64_t>(
                    std::count_if(out, out + to.cols, [](float x) { return !std::isfinite(x); }));
        }
        note(tensor.name, bad);
        return {};
    }

    Result<> readBytes(const GgufTensor& tensor, std::uint64_t from, std::byte* to, std::size_t bytes) {
        constexpr std::size_t kPiece = std::size_t{4} << 20;
        for (std::size_t done = 0; done < bytes; done += kPiece) {
            FOVEA_TRY(m_work.checkpoint());
            const std::size_t n = std::min(kPiece, bytes - done);
            FOVEA_TRY(m_source.readAt(tensor.offset + from + done, {to + done, n}));
            m_read += n;
        }
        m_work.report("reading weights", static_cast<double>(std::min(m_read, m_total)),
                      static_cast<double>(m_total));
        return {};
    }

    void note(const std::string& name, std::uint64_t bad) {
        if (bad == 0)
            return;
        if (!m_nonFinite.empty() && m_nonFinite.back().first == name)
            m_nonFinite.back().second += bad;
        else
            m_nonFinite.emplace_back(name, bad);
    }

    /// The embedding has been unpacked already if it is also the output matrix.
    void countNonFinite(const GgufTensor& embedding) {
        std::vector<float> row(size(m_header.shape.width));
        std::uint64_t bad = 0;
        for (std::size_t id = 0; id < size(m_header.shape.vocabulary); ++id) {
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

    const ByteSource& m_source;
    const ModelHeader& m_header;
    std::vector<std::string>& m_warnings;
    const WorkContext& m_work;
    std::shared_ptr<Weights> m_weights;
    std::vector<std::byte> m_raw;
    std::vector<std::pair<std::string, std::uint64_t>> m_nonFinite;
    std::uint64_t m_read = 0;
    std::uint64_t m_total = 0;
};

} // namespace

void EmbeddingTable::look(std::size_t id, float* out) const {
    const auto& info = tensorTypeInfo(m_type);
    const std::size_t rowBytes = m_width / info.values * info.bytes;
    FOVEA_ASSERT((id + 1) * rowBytes <= m_bytes.size());
    dequantise(m_type, m_bytes.data() + id * rowBytes, m_width, out);
}

std::uint64_t StoredWeights::bytes() const {
    std::uint64_t sum = vocabulary.bytes();
    for (const StoredLayer& layer : layers)
        for (const StoredMatrix* m :
             {&layer.q, &layer.k, &layer.v, &layer.output, &layer.gate, &layer.up, &layer.down})
            sum += m->bytes();
    return sum;
}

Result<std::shared_ptr<const Weights>> Weights::read(const ByteSource& source, const ModelHeader& header,
                                                     const LoadOptions& options,
                                                     std::vector<std::string>& warnings,
                                                     const WorkContext& work) {
    return WeightReader(source, header, options, warnings, work).read();
}

} // namespace fovea
