// Any bytes as a safetensors file, as an index and as config.json: every range of what opens lies inside the
// file, together they cover it, and every refusal is one sentence.
#include "core/files/JsonSettings.h"
#include "core/files/Safetensors.h"
#include "core/files/SafetensorsIndex.h"
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

using namespace fovea;

namespace {

void require(bool holds) {
    if (!holds)
        std::abort();
}

template <class T>
void requireSentence(const Result<T>& result) {
    require(result ||
            (!result.error().message.empty() && result.error().message.find('\n') == std::string::npos));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const MemoryBytes source(bytes);
    const auto opened = readSafetensors(source, {});
    requireSentence(opened);
    if (opened) {
        std::uint64_t covered = 0, first = size;
        for (const Safetensor& tensor : opened->tensors) {
            require(tensor.offset <= size && tensor.bytes <= size - tensor.offset);
            require(safetensorsBits(tensor.dtype) != 0);
            covered += tensor.bytes;
            first = std::min(first, tensor.offset);
        }
        require(opened->tensors.empty() || covered == size - first);
    }
    const auto index = readSafetensorsIndex(bytes);
    requireSentence(index);
    if (index)
        for (const std::string& shard : index->shards)
            require(shard.find('/') == std::string::npos && shard.ends_with(".safetensors"));
    const auto tree = parseJson(bytes, 4096);
    if (!tree || tree->kind != JsonTree::Kind::Object)
        return 0;
    const JsonSettings settings(*tree);
    for (const std::string& key : tree->keys) {
        const auto whole = settings.integer(key, -5, 5, 1, 2);
        require(!whole || (*whole >= -5 && *whole <= 5));
        const auto real = settings.real(key, 0, 1, 0.5);
        require(!real || (*real >= 0 && *real <= 1));
        requireSentence(settings.text(key));
        requireSentence(settings.boolean(key, true));
        requireSentence(settings.integers(key));
        requireSentence(settings.reals(key));
        requireSentence(settings.texts(key));
    }
    return 0;
}
