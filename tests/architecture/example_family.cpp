// Runs the family of the worked example in core/README.md on a small file and compares with its formulas.
#include "core/files/GgufTensors.h"
#include "core/model/Forward.h"
#include "core/model/ModelHeader.h"
#include "core/model/Weights.h"
#include "tests/support/TinyGguf.h"
#include <cmath>
#include <cstdio>
#include <map>

using namespace fovea;

namespace {

using Row = std::vector<double>;

constexpr int kWidth = 32, kHidden = 64, kKey = 16;

Row product(const Row& x, const std::vector<float>& w, std::size_t out) {
    Row y(out);
    for (std::size_t r = 0; r < out; ++r)
        for (std::size_t c = 0; c < x.size(); ++c)
            y[r] += x[c] * static_cast<double>(w[r * x.size() + c]);
    return y;
}

Row rms(const Row& x, const std::vector<float>& w) {
    double squares = 0;
    for (const double v : x)
        squares += v * v;
    Row y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i)
        y[i] = x[i] / std::sqrt(squares / static_cast<double>(x.size()) + 1e-5) * static_cast<double>(w[i]);
    return y;
}

double gelu(double x) {
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
}

int complain(const std::string& text) {
    std::puts(text.c_str());
    return 1;
}

} // namespace

int main() {
    // The tiny llama file with other names and without a gate, in F32.
    test::TinyGguf g = test::tinyModel();
    for (test::TinyKey& key : g.keys)
        if (key.name.starts_with("llama."))
            key.name = "pebble." + key.name.substr(6);
    g.text("general.architecture", "pebble");
    for (const char* gate : {"blk.0.ffn_gate.weight", "blk.1.ffn_gate.weight"})
        g.erase(gate);
    std::map<std::string, std::vector<float>> weights;
    std::size_t drawn = 0;
    for (test::TinyTensor& t : g.tensors) {
        std::size_t count = 1;
        for (const std::uint64_t extent : t.shape)
            count *= static_cast<std::size_t>(extent);
        t.type = 0;
        t.bytes = 4 * count;
        for (std::size_t i = 0; i < count; ++i)
            weights[t.name].push_back(static_cast<float>(std::sin(static_cast<double>(++drawn) * 1.7)) *
                                          (t.shape.size() == 1 ? 0.2F : 0.4F) +
                                      (t.shape.size() == 1 ? 1.0F : 0.0F));
    }
    std::string bytes = g.bytes();
    {
        const auto laidOut = readModelHeader(MemoryBytes(bytes), {});
        if (!laidOut)
            return complain(laidOut.error().message);
        for (const GgufTensor& t : laidOut->gguf.tensors)
            std::memcpy(bytes.data() + t.offset, weights[t.name].data(), t.bytes);
    }
    const MemoryBytes source(bytes);
    const auto header = readModelHeader(source, {});
    Model model;
    model.shape = header->shape;
    if (model.shape.layer(0).window != 8 || model.shape.layer(1).window != 0)
        return complain("the windows of the layers are not those of the family");
    const GgufTensors tensors(source, header->gguf);
    auto read = Weights::read(tensors, *header, {}, model.info.warnings, {});
    if (!read)
        return complain(read.error().message);
    model.weights = *read;

    // One token: attention returns its own value, to both query heads.
    const auto attend = [](const LayerInput& in, MatrixView o) -> Result<> {
        for (std::size_t c = 0; c < o.cols; ++c)
            o(0, c) = in.v(0, c % kKey);
        return {};
    };
    const std::vector<std::int32_t> ids{4};
    const auto hidden = forward(model, ids, attend, {});
    if (!hidden)
        return complain(hidden.error().message);

    Row x;
    for (std::size_t c = 0; c < kWidth; ++c)
        x.push_back(static_cast<double>(weights["token_embd.weight"][4 * kWidth + c]));
    const auto add = [&](const Row& y) {
        for (std::size_t c = 0; c < kWidth; ++c)
            x[c] += y[c];
    };
    for (const char* layer : {"blk.0.", "blk.1."}) {
        const std::string blk = layer;
        Row o = product(rms(x, weights[blk + "attn_norm.weight"]), weights[blk + "attn_v.weight"], kKey);
        o.insert(o.end(), o.begin(), o.begin() + kKey);
        add(product(o, weights[blk + "attn_output.weight"], kWidth));
        Row up = product(rms(x, weights[blk + "ffn_norm.weight"]), weights[blk + "ffn_up.weight"], kHidden);
        for (double& v : up)
            v = gelu(v);
        add(product(up, weights[blk + "ffn_down.weight"], kWidth));
    }
    const Row expected = rms(x, weights["output_norm.weight"]);
    double worst = 0;
    for (std::size_t c = 0; c < kWidth; ++c)
        worst = std::max(worst, std::abs(expected[c] - static_cast<double>(hidden->view()(0, c))));
    if (!(worst < 1e-5))
        return complain("its hidden states differ from the formulas by " + std::to_string(worst));
    std::printf("hidden states agree to %.1e\n", worst);
    return 0;
}
