// SHA-256: NIST, Secure Hash Standard, FIPS 180-4. Computed by libcrypto.
#include "core/files/Sha256.h"
#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <span>
#include <vector>

namespace fovea {

namespace {

constexpr std::size_t kHashedAtOnce = std::size_t{4} << 20;

class Sha256 {
public:
    Sha256() : m_context(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
        // Without memory there is no context, and nothing else can fail.
        if (!m_context || EVP_DigestInit_ex(m_context.get(), EVP_sha256(), nullptr) != 1)
            throw std::bad_alloc();
    }
    void add(const void* bytes, std::size_t n) { EVP_DigestUpdate(m_context.get(), bytes, n); }
    std::string hex() {
        std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
        unsigned int length = 0;
        EVP_DigestFinal_ex(m_context.get(), digest.data(), &length);
        std::array<char, 2 * EVP_MAX_MD_SIZE + 1> text{};
        OPENSSL_buf2hexstr_ex(text.data(), text.size(), nullptr, digest.data(), length, '\0');
        std::string lower(text.data());
        for (char& c : lower)
            c = c >= 'A' ? static_cast<char>(c - 'A' + 'a') : c;
        return lower;
    }

private:
    std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> m_context;
};

} // namespace

std::string sha256Hex(std::string_view bytes) {
    Sha256 hash;
    hash.add(bytes.data(), bytes.size());
    return hash.hex();
}

Result<std::string> sha256Hex(const ByteSource& source, const WorkContext& work) {
    Sha256 hash;
    std::vector<std::byte> piece(kHashedAtOnce);
    for (std::uint64_t at = 0; at < source.size();) {
        FOVEA_TRY(work.checkpoint());
        work.report("hashing the model file", static_cast<double>(at), static_cast<double>(source.size()));
        const std::size_t n =
            static_cast<std::size_t>(std::min<std::uint64_t>(kHashedAtOnce, source.size() - at));
        FOVEA_TRY(source.readAt(at, {piece.data(), n}));
        hash.add(piece.data(), n);
        at += n;
    }
    return hash.hex();
}

} // namespace fovea
