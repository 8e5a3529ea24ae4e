// Writes the seeds of fuzz_gguf into a folder: small valid files, and some with one field damaged.
#include "tests/support/TinyGguf.h"
#include <fstream>
#include <iostream>
#include <tuple>

using namespace fovea::test;

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: seed_gguf FOLDER\n";
        return 2;
    }
    const auto write = [&](const char* name, const TinyGguf& g) {
        std::ofstream(std::string(argv[1]) + "/" + name, std::ios::binary) << g.bytes();
    };
    write("model", tinyModel(1));
    TinyGguf header = tinyModel(1);
    header.tensors.resize(1);
    write("one_tensor", header);
    TinyGguf empty;
    empty.version = 2;
    write("nothing_v2", empty);
    TinyGguf types;
    types.u32("u32", 7).f32("f32", 0.5F).text("text", "abc").texts("texts", {"a", "", "bc"});
    types.set("u8", 0, "\1").set("i8", 1, "\2").set("u16", 2, bytesOf<std::uint16_t>(3)).set("bool", 7, "\1");
    types.set("i16", 3, bytesOf<std::int16_t>(-3)).set("i32", 5, bytesOf<std::int32_t>(-4));
    types.set("u64", 10, bytesOf<std::uint64_t>(5))
        .set("i64", 11, bytesOf<std::int64_t>(-5))
        .set("f64", 12, bytesOf(0.5));
    types.numbers<float>("floats", 6, {1, 2}).numbers<std::uint8_t>("bools", 7, {0, 1});
    write("every_value_type", types);
    TinyGguf kinds;
    for (const auto& [type, bytes, values] : {std::tuple{0U, 4U, 1U},
                                              {1U, 2U, 1U},
                                              {2U, 18U, 32U},
                                              {3U, 20U, 32U},
                                              {6U, 22U, 32U},
                                              {7U, 24U, 32U},
                                              {8U, 34U, 32U},
                                              {10U, 84U, 256U},
                                              {11U, 110U, 256U},
                                              {12U, 144U, 256U},
                                              {13U, 176U, 256U},
                                              {14U, 210U, 256U},
                                              {20U, 18U, 32U},
                                              {23U, 136U, 256U},
                                              {30U, 2U, 1U},
                                              {39U, 17U, 32U}})
        kinds.tensors.push_back({"t" + std::to_string(type), {values, 2}, type, std::uint64_t{2} * bytes});
    write("every_tensor_type", kinds);
    TinyGguf lie = tinyModel(1);
    lie.tensorCount = std::uint64_t{1} << 63;
    write("tensor_count", lie);
    TinyGguf wraps = tinyModel(1);
    wraps.tensors.resize(2);
    wraps.tensors[1].offset = ~std::uint64_t{31};
    write("offset_wraps", wraps);
    return 0;
}
