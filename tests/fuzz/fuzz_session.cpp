// The session reader: any bytes end in a session or in one sentence; what was read is written and read again
// the same, and a change of one byte of what was written is no crash either.
#include "core/export/Session.h"
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

void require(bool holds) {
    if (!holds)
        std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fovea;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const Result<Session> read = sessionFromJson(text);
    if (!read) {
        require(!read.error().message.empty() && read.error().message.find('\n') == std::string::npos);
        return 0;
    }
    require(read->request.text != nullptr && validated(read->request.policy).has_value());
    const std::string written = sessionToJson(*read);
    const Result<Session> again = sessionFromJson(written);
    require(again.has_value());
    require(*again->request.text == *read->request.text && again->request.policy == read->request.policy &&
            again->request.modelPath == read->request.modelPath &&
            again->request.maxTokens == read->request.maxTokens &&
            again->request.visible == read->request.visible && again->view == read->view &&
            again->modelSha256 == read->modelSha256);
    require(sessionToJson(*again) == written);
    return 0;
}
