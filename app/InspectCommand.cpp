#include "app/Command.h"
#include "app/Output.h"
#include "app/TextOptions.h"
#include "core/base/Memory.h"
#include "core/engine/Engine.h"
#include "core/engine/RunMemory.h"
#include "core/export/Documents.h"
#include "core/model/Forward.h"
#include "core/model/NativeAttention.h"
#include <algorithm>

namespace fovea::app {

namespace {

struct Options {
    std::string model;
    OutputOptions output;
};

/// "26, all global", or which have a native window.
std::string layersText(const ModelShape& shape) {
    if (!hasNativeWindows(shape))
        return std::to_string(shape.layers) + ", all global";
    std::string text = std::to_string(shape.layers) + ", " + std::to_string(nativeLocalLayers(shape)) +
                       " with a native window:";
    for (int first = 0; first < shape.layers;) { // runs of equal layers
        int last = first;
        while (last + 1 < shape.layers && layerKind(shape, last + 1) == layerKind(shape, first))
            ++last;
        text += std::string(first > 0 ? ", " : " ") + std::to_string(first) +
                (last > first ? "-" + std::to_string(last) : "") + " " + layerKind(shape, first);
        first = last + 1;
    }
    return text;
}

std::string row(const std::string& name, const std::string& value) {
    return name + std::string(name.size() < 18 ? 18 - name.size() : 1, ' ') + value + "\n";
}

/// All but the hash.
std::string summary(const Inspection& inspection, const std::vector<MemoryNeed>& memory) {
    const Model& model = *inspection.model;
    const ModelShape& s = model.shape;
    std::string types;
    for (const auto& [type, count] : model.info.tensorTypes)
        types += (types.empty() ? "" : ", ") + std::to_string(count) + " " + type;
    std::string needs;
    for (const MemoryNeed& need : memory)
        needs += (needs.empty() ? "" : ", ") + formatBytes(need.bytes) + " for " +
                 std::to_string(need.tokens) + " tokens";
    std::string text =
        row("model", model.info.name) +
        row("file",
            model.info.path + ", " + formatBytes(model.info.fileBytes) +
                (inspection.files->count() > 1 ? " in " + std::to_string(inspection.files->count()) + " files"
                                               : "")) +
        row("family", s.family + ", " + model.info.container()) +
        (s.predictsTokens()
             ? std::string()
             : row("reads", std::string("the text in both directions; it predicts no next token; "
                                        "sentence vector by ") +
                                poolingName(s.pooling))) +
        row("layers", layersText(s)) +
        row("heads", std::to_string(s.heads) + " query, " + std::to_string(s.kvHeads) + " key-value, of " +
                         std::to_string(s.headDim)) +
        row("width", std::to_string(s.width) + ", feed-forward " + std::to_string(s.feedForward)) +
        row("context", std::to_string(s.context) + " tokens") +
        row("vocabulary", std::to_string(s.vocabulary)) +
        row("parameters", std::to_string(model.info.parameters)) + row("tensors", types) +
        row("memory", needs);
    for (const std::string& warning : model.info.warnings)
        text += row("warning", warning);
    return text;
}

Outcome<> run(const Options& options, Session& session) {
    Result<std::string> path = findModel(options.model);
    FOVEA_TRY(path);
    OutputFiles files;
    files.add("--out", options.output.out);
    files.keep("the model", *path);
    FOVEA_TRY(files.check());
    const WorkContext work = session.work(0, options.output.quiet);
    Result<Inspection> inspection = inspectUnhashed(*path, work);
    FOVEA_TRY(inspection);
    session.clearProgress();
    std::vector<MemoryNeed> memory;
    for (const std::size_t tokens :
         {std::size_t{512}, std::size_t{2048}, static_cast<std::size_t>(inspection->model->shape.context)}) {
        if (!requireLength(inspection->model->shape, tokens) ||
            std::any_of(memory.begin(), memory.end(),
                        [tokens](const MemoryNeed& need) { return need.tokens == tokens; }))
            continue; // no such text can be run, or it is listed
        memory.push_back({tokens, memoryNeeded(inspection->model->shape, Precision::F32, tokens,
                                               heldWeightBytes(*inspection->model, Precision::F32))});
    }
    const bool document = options.output.json || !options.output.out.empty();
    const std::string shown = summary(*inspection, memory);
    // The hash of a large file takes seconds, so people see the rest before it.
    if (!document)
        FOVEA_TRY(print(shown));
    Result<std::string> hash = hashModel(*inspection, work);
    FOVEA_TRY(hash);
    session.clearProgress();
    if (!document)
        return print(row("sha256", *hash));
    Model model = *inspection->model;
    model.info.sha256 = *hash;
    DocumentHead head;
    head.model = &model;
    head.threads = Session::threadCount(0);
    return deliver(options.output, inspectJson(head, *inspection, memory), shown + row("sha256", *hash));
}

} // namespace

Command addInspect(CLI::App& program) {
    auto options = std::make_shared<Options>();
    CLI::App* app = program.add_subcommand(
        "inspect", "Says what is in a model file. Shape, tensors by family and type, native attention of "
                   "each layer, parameters, "
                   "memory needed, hash. The whole header is checked, the weights are not unpacked.");
    app->add_option("MODEL", options->model,
                    "A GGUF file, a folder with config.json and safetensors, or the name of a fetched model; "
                    "without: the default model.")
        ->group("Model");
    addOutputOptions(*app, options->output, "Also write the JSON document to this file.");
    app->footer("Examples:\n  fovea inspect\n  fovea inspect my.gguf --json");
    return {app, [options](Session& session) { return run(*options, session); }};
}

} // namespace fovea::app
