#pragma once
#include <QString>
#include <cstdint>

namespace fovea::ui {

/// The kind of a file, determined by its first bytes and never by its name (core/files/Sniff.h), and what
/// opening it will do.
struct FileKind {
    enum Kind : std::uint8_t { Text, Model, Policy, Session, Lesson, Refused };
    Kind kind = Refused;
    QString sentence = {}; ///< "Text, 48 KB, about 11,000 tokens: replaces the text"
    QString surprise = {}; ///< a sentence if the name suggests another kind of file; otherwise empty
    bool operator==(const FileKind&) const = default;
};

/// Reads at most the first 64 KiB of `path`.
[[nodiscard]] FileKind fileKind(const QString& path);

} // namespace fovea::ui
