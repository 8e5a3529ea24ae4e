// Any bytes as a model file: header, settings, vocabulary, and, when all of that holds, weights and three
// tokens of text. Whatever opens must run: validation alone stands between a file and the kernels.
#include "core/files/GgufKeys.h"
#include "core/files/GgufTensors.h"
#include "core/model/Forward.h"
#include "core/model/ModelHeader.h"
#include "core/model/Weights.h"
#include <cstdint>
#include <cstdlib>

using namespace fovea;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const MemoryBytes source({reinterpret_cast<const char*>(data), size});
    const WorkContext work;
    if (const auto gguf = readGguf(source, work)) {
        for (const auto& [key, value] : gguf->keys)
            if (ggufValueText(value).size() > 200)
                std::abort();
        for (const auto& tensor : gguf->tensors)
            if (tensor.offset > size || tensor.bytes > size - tensor.offset)
                std::abort();
    } else if (gguf.error().message.empty() || gguf.error().message.find('\n') != std::string::npos) {
        std::abort();
    }
    const auto header = readModelHeader(source, work);
    if (!header)
        return 0;
    const auto tokenizer = makeTokenizer(header->vocabulary);
    if (!tokenizer)
        return 0;
    Model model;
    model.shape = header->shape;
    model.tokenizer = *tokenizer;
    std::vector<std::string> warnings;
    const GgufTensors tensors(source, header->gguf);
    auto weights = Weights::read(tensors, *header, {Precision::F32, 0, true}, warnings, work);
    if (!weights)
        std::abort(); // everything that can be wrong was checked before
    model.weights = *weights;
    const std::vector<std::int32_t> ids{0, model.shape.vocabulary - 1, 0};
    const auto attend = [](const LayerInput& in, MatrixView o) -> Result<> {
        for (std::size_t r = 0; r < o.rows; ++r)
            for (std::size_t c = 0; c < o.cols; ++c)
                o(r, c) = in.q(r, c);
        return {};
    };
    if (const auto hidden = forward(model, ids, attend, work)) {
        Matrix logits(1, static_cast<std::size_t>(model.shape.vocabulary));
        logitRows(model, hidden->view(), 2, logits.view(), 1);
    } else if (hidden.error().code != ErrorCode::Inconsistent) {
        std::abort();
    }
    return 0;
}
