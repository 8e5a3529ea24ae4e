// The policy reader: any bytes end in a policy or in one sentence; what was read is valid, and written and
// read again it is the same.
#include "core/policy/ParamSpec.h"
#include "core/policy/PolicyJson.h"
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fovea;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto policy = policyFromJson(text);
    if (!policy) {
        if (policy.error().message.empty() || policy.error().message.find('\n') != std::string::npos)
            std::abort();
    } else {
        AttentionPolicy read = *policy;
        if (!validated(read))
            std::abort();
        read.name.clear(); // a name may hold bytes that no JSON can
        const auto again = policyFromJson(policyToJson(read));
        if (!again || *again != read || policyHash(*again) != policyHash(*policy))
            std::abort();
        (void)policyToOptions(read);
        (void)read.summary();
    }
    // The same bytes as the value of each option.
    if (size < 200)
        for (const ParamSpec& spec : paramSpecs())
            if (const auto value = parseParam(spec, text); value && !checkParam(spec, *value))
                std::abort();
    return 0;
}
