#include "core/export/MeasurementStore.h"
#include "core/files/JsonTree.h"
#include "core/files/JsonWriter.h"
#include "core/policy/PolicyJson.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fovea {

namespace {

using json::Json;
using json::number;

constexpr std::uint64_t kMostBytes = 256ULL << 20;
constexpr std::int64_t kVersion = 1;

/// The numbers of a line: names in the file and places in a measurement.
struct Field {
    const char* name;
    double& (*at)(Measurement&);
};
constexpr Field kFields[] = {
    {"density", [](Measurement& m) -> double& { return m.cost.density; }},
    {"pairs_ratio", [](Measurement& m) -> double& { return m.cost.pairsRatio; }},
    {"flops_ratio", [](Measurement& m) -> double& { return m.cost.flopsRatio; }},
    {"kv_bytes_ratio", [](Measurement& m) -> double& { return m.cost.kvBytesRatio; }},
    {"next_token_kl", [](Measurement& m) -> double& { return m.kl; }},
    {"kl_p95", [](Measurement& m) -> double& { return m.klP95; }},
    {"kl_worst", [](Measurement& m) -> double& { return m.klWorst; }},
    {"top1_agreement", [](Measurement& m) -> double& { return m.top1; }},
    {"delta_nll", [](Measurement& m) -> double& { return m.deltaNll; }},
};

std::string lineOf(const std::string& key, const std::string& hash, const AttentionPolicy& policy,
                   const Measurement& measured) {
    Measurement copy = measured;
    Json doc{{"fovea", "measurement"}, {"version", kVersion}};
    doc["key"] = key;
    doc["policy_sha256"] = hash;
    for (const Field& field : kFields)
        doc[field.name] = number(field.at(copy));
    doc["kl_worst_position"] = measured.klWorstPosition;
    doc["pairs"] = measured.cost.hybrid.pairs;
    doc["router_macs"] = measured.cost.hybrid.routerMacs;
    doc["policy"] = Json::written(compactJson(policy));
    return doc.compact() + '\n';
}

struct Read {
    std::string key, hash;
    Measurement measured;
};

bool readText(const JsonTree& doc, const char* name, std::string& into) {
    const JsonTree* node = doc.find(name);
    if (node == nullptr || node->kind != JsonTree::Kind::Text)
        return false;
    into = node->text;
    return true;
}

template <class Number>
bool readCount(const JsonTree& doc, const char* name, Number& into) {
    const JsonTree* node = doc.find(name);
    if (node == nullptr || node->kind != JsonTree::Kind::Whole || node->whole < 0 ||
        static_cast<std::uint64_t>(node->whole) > std::numeric_limits<Number>::max())
        return false;
    into = static_cast<Number>(node->whole);
    return true;
}

std::optional<Read> readLine(std::string_view line) {
    const Result<JsonTree> doc = parseJson(line, std::size_t{1} << 16);
    if (!doc || doc->kind != JsonTree::Kind::Object)
        return {};
    std::string kind;
    const JsonTree* version = doc->find("version");
    if (!readText(*doc, "fovea", kind) || kind != "measurement" || version == nullptr ||
        version->kind != JsonTree::Kind::Whole || version->whole != kVersion)
        return {};
    Read read;
    Measurement& m = read.measured;
    if (!readText(*doc, "key", read.key) || !readText(*doc, "policy_sha256", read.hash) ||
        !readCount(*doc, "kl_worst_position", m.klWorstPosition) ||
        !readCount(*doc, "pairs", m.cost.hybrid.pairs) ||
        !readCount(*doc, "router_macs", m.cost.hybrid.routerMacs))
        return {};
    for (const Field& field : kFields) {
        const JsonTree* node = doc->find(field.name);
        if (node == nullptr || (node->kind != JsonTree::Kind::Real && node->kind != JsonTree::Kind::Whole))
            return {};
        field.at(m) = node->real;
    }
    return read;
}

tl::unexpected<Error> ioError(const std::string& what, const std::string& path) {
    return fail(ErrorCode::Io, what + " " + path + ": " + std::strerror(errno));
}

Result<> writeAll(int fd, std::string_view bytes, const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ioError("cannot write to", path);
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

} // namespace

void MeasurementStore::Close::operator()(int* fd) const {
    ::close(*fd);
    delete fd;
}

Result<MeasurementStore> MeasurementStore::open(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0)
        return ioError("cannot open", path);
    MeasurementStore store;
    store.m_path = path;
    store.m_fd.reset(new int(fd));
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return fail(ErrorCode::Io, "another program is tuning into " + path +
                                           "; another folder is accepted, or this one when it has ended.");
        return ioError("cannot lock", path);
    }
    struct stat info {};
    if (::fstat(fd, &info) != 0)
        return ioError("cannot examine", path);
    if (static_cast<std::uint64_t>(info.st_size) > kMostBytes)
        return fail(ErrorCode::TooLarge, path + " is larger than 256 MB; another folder is accepted.");
    std::string text(static_cast<std::size_t>(info.st_size), '\0');
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t n = ::pread(fd, text.data() + done, text.size() - done, static_cast<off_t>(done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ioError("cannot read", path);
        if (n == 0)
            break;
        done += static_cast<std::size_t>(n);
    }
    text.resize(done);
    if (!text.empty() && text.back() != '\n') // a line that was cut short must not join the next one
        FOVEA_TRY(writeAll(fd, "\n", path));
    for (std::string_view rest = text; !rest.empty();) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        const std::string_view line = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (line.empty())
            continue;
        if (std::optional<Read> read = readLine(line))
            store.m_known.insert_or_assign({std::move(read->key), std::move(read->hash)}, read->measured);
        else
            ++store.m_unread;
    }
    return store;
}

std::optional<Measurement> MeasurementStore::find(const std::string& key,
                                                  const std::string& policyHash) const {
    const auto known = m_known.find({key, policyHash});
    return known != m_known.end() ? std::optional(known->second) : std::nullopt;
}

Result<> MeasurementStore::add(const std::string& key, const std::string& policyHash,
                               const AttentionPolicy& policy, const Measurement& measured) {
    FOVEA_TRY(writeAll(*m_fd, lineOf(key, policyHash, policy, measured), m_path));
    if (::fdatasync(*m_fd) != 0)
        return ioError("cannot sync", m_path);
    Measurement kept = measured;
    forgetSeconds(kept.cost);
    m_known.insert_or_assign({key, policyHash}, kept);
    return {};
}

} // namespace fovea
