#include "core/model/Model.h"
#include "core/base/Memory.h"
#include "core/files/Quote.h"
#include "core/files/Sha256.h"
#include "core/model/Forward.h"
#include "core/model/Inspection.h"
#include "core/model/OpenedModel.h"
#include "core/model/Weights.h"
#include <algorithm>
#include <filesystem>
#include <new>

namespace fovea {

namespace {

/// The last part of a path, without a slash at its end, for a model that has no name of its own.
std::string nameOfModel(const std::string& path) {
    const std::filesystem::path whole = std::filesystem::absolute(path).lexically_normal();
    return quoteForMessage((whole.has_filename() ? whole : whole.parent_path()).filename().string());
}

/// The same error with the name of the file or folder added, unless the message names a path.
tl::unexpected<Error> about(const std::string& path, Error error) {
    const std::string name = nameOfModel(path);
    if (error.code != ErrorCode::Cancelled && error.message.find(path) == std::string::npos &&
        !error.message.starts_with(name))
        error.message = name + ": " + error.message;
    return tl::make_unexpected(std::move(error));
}

/// Whether the unpacked weights take at most a quarter of the memory that may be used.
bool unpacksAll(const ModelShape& shape, Precision precision, std::uint64_t maxMemory) {
    return weightBytes(shape, precision) <= memoryLimit(maxMemory) / 4;
}

/// Working memory of unpacking, in f32, twice: unpacked and packed. The largest matrix when all are unpacked
/// on loading (`all`), else the matrices of a layer.
std::uint64_t unpackingBytes(const ModelShape& shape, bool all) {
    const auto n = [](int value) { return static_cast<std::uint64_t>(value); };
    if (!all)
        return 2 * (denseCostPerToken(shape).layers / n(shape.layers)) * sizeof(float);
    const std::uint64_t rows =
        std::max({2 * n(shape.feedForward), (n(shape.heads) + 2 * n(shape.kvHeads)) * n(shape.headDim),
                  std::uint64_t{kVocabularyStrip}});
    return 2 * rows * n(shape.width) * sizeof(float);
}

/// The model without weights and hash. Takes the vocabulary out of `opened`.
Result<std::shared_ptr<Model>> cardOf(OpenedModel& opened, const std::string& path) {
    ModelHeader* const header = &opened.header;
    auto model = std::make_shared<Model>();
    model->endOfText = header->vocabulary.eos;
    model->chatTemplate = std::move(header->chatTemplate);
    auto tokenizer = makeTokenizer(std::move(header->vocabulary));
    FOVEA_TRY(tokenizer);
    model->tokenizer = std::move(*tokenizer);
    model->shape = header->shape;
    model->info = header->info;
    model->info.path = path;
    if (model->info.name.empty())
        model->info.name = nameOfModel(opened.folder ? opened.folder->path : path);
    model->info.fileBytes = opened.bytes().size();
    for (const auto& warning : model->tokenizer->warnings())
        model->info.warnings.push_back(warning);
    return model;
}

Result<std::shared_ptr<Model>> readModel(const std::string& path, const LoadOptions* options,
                                         const WorkContext& work) {
    const auto opened = openModelFiles(path, work);
    FOVEA_TRY(opened);
    ModelHeader* const header = &(*opened)->header;
    const TensorSource& source = *(*opened)->tensors;
    const FileParts& file = (*opened)->bytes();
    auto card = cardOf(**opened, path);
    FOVEA_TRY(card);
    std::shared_ptr<Model> model = std::move(*card);
    LoadOptions choice = options ? *options : LoadOptions();
    if (options) {
        FOVEA_TRY(precisionAvailable(options->precision));
        model->precision = options->precision;
        if (!model->shape.causal && !options->encoders)
            return fail(ErrorCode::Unsupported,
                        model->shape.family + ": " + kNoNextToken +
                            "; a model that reads from left to right is accepted here");
        const auto& embedding = source.tensors()[header->parts.find(Place::TokenEmbedding)->tensor];
        choice.unpacked =
            options->unpacked.value_or(unpacksAll(model->shape, options->precision, options->maxMemory));
        const bool all = *choice.unpacked;
        FOVEA_TRY(requireMemory(all ? "the model in " + std::string(precisionName(options->precision))
                                    : std::string("the model, kept as it is stored,"),
                                embedding.bytes + unpackingBytes(model->shape, all) +
                                    (all && !options->stored ? 0 : 2 * file.size()) +
                                    (all ? weightBytes(model->shape, options->precision) : 0),
                                memoryLimit(options->maxMemory), ""));
    }
    auto hash = sha256Hex(file, work);
    FOVEA_TRY(hash);
    model->info.sha256 = std::move(*hash);
    if (options) {
        auto weights = Weights::read(source, *header, choice, model->info.warnings, work);
        FOVEA_TRY(weights);
        model->weights = std::move(*weights);
    }
    FOVEA_TRY(file.requireUnchanged());
    return model;
}

/// Runs `work` on a model's files. Allocations far below the checked memory plan can still fail; no exception
/// leaves the loader.
template <class T, class Work>
Result<T> guarded(const std::string& path, const Work& work) {
    try {
        auto made = work();
        if (!made)
            return about(path, std::move(made).error());
        return T(std::move(*made));
    } catch (const std::bad_alloc&) {
        return fail(ErrorCode::OutOfMemory, "no memory left while reading the model");
    }
}

} // namespace

namespace {

/// Norms, biases and embeddings besides those of tokens, in numbers.
std::uint64_t vectorNumbers(const ModelShape& s) {
    const auto n = [](int value) { return static_cast<std::uint64_t>(value); };
    const std::uint64_t m = n(s.width), norm = s.norm == NormKind::Layer ? 2 * m : m;
    const std::uint64_t q = n(s.heads) * n(s.headDim), kv = n(s.kvHeads) * n(s.headDim);
    std::uint64_t layer = (s.normsBefore ? 2 * norm : 0) + (s.hasNormsAfter() ? 2 * norm : 0);
    if (s.qkNorm != QkNorm::None)
        layer += s.qkNorm == QkNorm::Whole ? q + kv : 2 * n(s.headDim);
    layer += (s.qkvBias ? q + 2 * kv : 0) + (s.outputBias ? m : 0) +
             (s.feedForwardBias ? n(s.feedForward) + m : 0);
    return n(s.layers) * layer + (s.finalNorm ? norm : 0) + (s.embeddingNorm ? norm : 0) +
           (s.positions == PositionKind::Learned ? n(s.context) * m : 0) + (s.tokenTypes > 0 ? m : 0);
}

} // namespace

const char* precisionName(Precision precision) {
    return precision == Precision::BF16 ? "bf16" : "f32";
}

Result<std::shared_ptr<const Model>> inspectModel(const std::string& path, const WorkContext& work) {
    return guarded<std::shared_ptr<const Model>>(path, [&] { return readModel(path, nullptr, work); });
}

Result<std::shared_ptr<const Model>> loadModel(const std::string& path, const LoadOptions& options,
                                               const WorkContext& work) {
    return guarded<std::shared_ptr<const Model>>(path, [&] { return readModel(path, &options, work); });
}

Result<Inspection> inspectUnhashed(const std::string& path, const WorkContext& work) {
    return guarded<Inspection>(path, [&]() -> Result<Inspection> {
        const auto opened = openModelFiles(path, work);
        FOVEA_TRY(opened);
        auto model = cardOf(**opened, path);
        FOVEA_TRY(model);
        FOVEA_TRY((*opened)->bytes().requireUnchanged());
        const auto tensors = (*opened)->tensors->tensors();
        Inspection seen{std::move(*model), {tensors.begin(), tensors.end()}, {}};
        if ((*opened)->folder)
            seen.files = std::move((*opened)->folder->files);
        else
            seen.files = std::move((*opened)->gguf);
        return seen;
    });
}

Result<std::string> hashModel(const Inspection& inspection, const WorkContext& work) {
    return guarded<std::string>(inspection.model->info.path, [&]() -> Result<std::string> {
        auto hash = sha256Hex(*inspection.files, work);
        FOVEA_TRY(hash);
        FOVEA_TRY(inspection.files->requireUnchanged());
        return hash;
    });
}

std::uint64_t weightBytes(const ModelShape& shape, Precision precision) {
    const DenseCost dense = denseCostPerToken(shape);
    // Does not include the padding of rows (DenseOneDnn.cpp), a few percent of wide matrices.
    const std::uint64_t matrices = (dense.layers + dense.logits) * (precision == Precision::BF16 ? 2 : 4);
    return matrices + 4 * vectorNumbers(shape);
}

std::uint64_t heldWeightBytes(const Model& model, Precision precision, std::uint64_t maxMemory) {
    if (model.weights)
        return model.weights->bytes(model.shape) +
               (model.weights->raw.empty() ? 0 : unpackingBytes(model.shape, false));
    // Rows of the embedding are looked up in a copy as it is stored; it has its share of the file.
    const double share = static_cast<double>(model.shape.vocabulary) * model.shape.width /
                         static_cast<double>(std::max<std::uint64_t>(1, model.info.parameters));
    const auto embedding =
        static_cast<std::uint64_t>(std::min(1.0, share) * static_cast<double>(model.info.fileBytes));
    return embedding + (unpacksAll(model.shape, precision, maxMemory)
                            ? weightBytes(model.shape, precision)
                            : 2 * model.info.fileBytes + unpackingBytes(model.shape, false));
}

std::uint64_t rowWeightBytes(const Model& model) {
    return model.weights->stored ? model.weights->stored->bytes() : weightBytes(model.shape, model.precision);
}

} // namespace fovea
