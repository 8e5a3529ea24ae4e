#include "app/TextOptions.h"
#include "app/Usage.h"
#include "core/base/Memory.h"
#include "core/files/AtomicFile.h"
#include "core/files/Sniff.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fovea::app {

namespace {

constexpr std::uint64_t kTextBytes =
    1ULL << 30; // spans are 32-bit; the memory check refuses much shorter texts already

Outcome<std::string> readStream(int fd, const std::string& name) {
    std::string bytes;
    std::string part(1U << 16, '\0');
    for (;;) {
        const ssize_t n = ::read(fd, part.data(), part.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return badUsage("cannot read " + name + ": " + std::strerror(errno));
        if (n == 0)
            return bytes;
        bytes.append(part, 0, static_cast<std::size_t>(n));
        if (bytes.size() > kTextBytes)
            return badUsage(name + " gives more than " + formatBytes(kTextBytes) +
                            "; that is the longest text read");
    }
}

} // namespace

void addModelOption(CLI::App& app, std::string& model) {
    app.add_option("--model", model,
                   "A GGUF file, a folder with config.json and safetensors, or the name of a fetched model "
                   "(smollm2, gemma3, minilm). "
                   "Without: $FOVEA_MODEL, else the cached default model.")
        ->type_name("PATH|NAME")
        ->group("Model and run");
}

void addRunOptions(CLI::App& app, RunOptions& options) {
    addModelOption(app, options.model);
    app.add_option("--threads", options.threads,
                   "OpenMP threads; the result has the same bits at any number. Default: all.")
        ->type_name("N")
        ->group("Model and run");
    app.add_option(
           "--precision", options.precision,
           "Of the dense layers and the attention, the same for both arms: f32 is the reference; bf16 needs "
           "AVX-512 BF16.")
        ->type_name("f32|bf16")
        ->group("Model and run");
    app.add_option("--native-windows", options.nativeWindows,
                   "off: open up the layers that the model itself limits to a window, so that every layer is "
                   "global. A change of the model, which every result names. Default: on, as trained.")
        ->type_name("on|off")
        ->group("Model and run");
    app.add_option("--max-memory", options.maxMemory,
                   "Refuse, before anything is allocated, what would need more than this. Default: 80 % of "
                   "what is free.")
        ->type_name("BYTES|500M|2G")
        ->group("Model and run");
}

void addReadingOptions(CLI::App& app, TextOptions& options) {
    app.add_flag(
           "--special-tokens", options.specialTokens,
           "Read <|im_start|> and its like in the text as special tokens; else they are plain characters.")
        ->group("Text");
    app.add_option("--template", options.textTemplate,
                   "chat: wrap the text as a user's turn of a chat. Default: raw.")
        ->type_name("raw|chat")
        ->group("Text");
}

void addTextOptions(CLI::App& app, TextOptions& options) {
    app.add_option("FILE", options.file, "The text: a file, or - for standard input.")->group("Text");
    options.textOption =
        app.add_option("--text", options.text, "The text itself.")->type_name("\"...\"")->group("Text");
    addReadingOptions(app, options);
}

Outcome<std::shared_ptr<const std::string>> readTextFile(const std::string& path) {
    std::string bytes;
    struct stat info {};
    if (path == "-") {
        Outcome<std::string> read = readStream(STDIN_FILENO, "standard input");
        FOVEA_TRY(read);
        bytes = std::move(*read);
    } else if (::stat(path.c_str(), &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode))) {
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return badUsage("cannot read " + path + ": " + std::strerror(errno));
        Outcome<std::string> read = readStream(fd, path);
        ::close(fd);
        FOVEA_TRY(read);
        bytes = std::move(*read);
    } else {
        Result<std::string> read = readWholeFile(path, kTextBytes);
        FOVEA_TRY(read);
        bytes = std::move(*read);
    }
    const std::string name = path == "-" ? "standard input" : path;
    switch (contentOf(std::string_view(bytes).substr(0, 65536))) {
    case Content::Nothing:
        return badUsage(name + " is empty; a text of at least one byte is accepted");
    case Content::Gguf:
        return badUsage(name +
                        " is a GGUF model, not a text; a text is accepted here, and --model takes a model");
    case Content::Safetensors:
        return badUsage(name +
                        " is a safetensors model, not a text; a text is accepted here, and --model takes "
                        "a model");
    case Content::Pickle:
        return badUsage(name + ": " + std::string(kPickleRefusal));
    case Content::Policy:
        return badUsage(name +
                        " is a policy, not a text; a text is accepted here, and --policy takes a policy");
    case Content::Session:
        return badUsage(name + " is a session, not a text; a text is accepted here, and fovea " + name +
                        " opens a session");
    case Content::Lesson:
        return badUsage(name + " is a lesson, not a text; a text is accepted here, and fovea lesson check " +
                        name + " reads a lesson");
    case Content::Text:
    case Content::Config: // JSON is a text too
    case Content::Binary: // any bytes can be tokenised
        break;
    }
    return std::make_shared<const std::string>(std::move(bytes));
}

Outcome<std::shared_ptr<const std::string>> readText(const TextOptions& options) {
    const bool direct = options.textOption != nullptr && options.textOption->count() > 0;
    if (direct && !options.file.empty())
        return badUsage("both a file (" + options.file + ") and --text are given; one of them is accepted");
    if (!direct && options.file.empty())
        return badUsage("no text is given; a file, - for standard input, or --text \"...\" is accepted");
    if (!direct)
        return readTextFile(options.file);
    if (options.text.empty())
        return badUsage("--text is empty; a text of at least one byte is accepted");
    return std::make_shared<const std::string>(options.text);
}

Outcome<int> readThreads(const RunOptions& options) {
    if (options.threads.empty())
        return 0;
    Outcome<std::int64_t> threads = parseWhole("--threads", options.threads, 1, 1024);
    FOVEA_TRY(threads);
    return static_cast<int>(*threads);
}

Outcome<Request> makeRequest(const RunOptions& run, const TextOptions& text) {
    Request request;
    if (run.precision == "bf16") {
        FOVEA_TRY(precisionAvailable(Precision::BF16));
        request.precision = Precision::BF16;
    } else if (run.precision != "f32") {
        return badUsage("--precision is \"" + run.precision + "\"; f32 and bf16 are accepted");
    }
    if (run.nativeWindows != "on" && run.nativeWindows != "off")
        return badUsage("--native-windows is \"" + run.nativeWindows + "\"; on and off are accepted");
    request.nativeWindows = run.nativeWindows == "on";
    if (text.textTemplate == "chat")
        request.textTemplate = TextTemplate::Chat;
    else if (text.textTemplate != "raw")
        return badUsage("--template is \"" + text.textTemplate + "\"; raw and chat are accepted");
    if (!run.maxMemory.empty()) {
        Outcome<std::uint64_t> bytes = parseBytes("--max-memory", run.maxMemory);
        FOVEA_TRY(bytes);
        request.maxMemory = *bytes;
    }
    Result<std::string> path = findModel(run.model);
    FOVEA_TRY(path);
    request.modelPath = std::move(*path);
    request.encode.specialTokens = text.specialTokens;
    request.depth = Depth::Visible;
    request.headStats = false;
    return request;
}

} // namespace fovea::app
