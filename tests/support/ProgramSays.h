#pragma once
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QStringList>

namespace fovea::test {

/// The JSON document that the program prints for these arguments; --json and --quiet are added. FOVEA_PROGRAM
/// names the program; ctest sets it.
inline QJsonObject programSays(QStringList arguments) {
    const QString program = qEnvironmentVariable("FOVEA_PROGRAM");
    if (program.isEmpty())
        qFatal("FOVEA_PROGRAM does not name the program to compare with");
    arguments << QStringLiteral("--json") << QStringLiteral("--quiet");
    QProcess process;
    process.start(program, arguments);
    if (!process.waitForFinished(120'000) || process.exitCode() != 0)
        qFatal("%s: %s", qPrintable(arguments.join(QLatin1Char(' '))), process.readAllStandardError().data());
    return QJsonDocument::fromJson(process.readAllStandardOutput()).object();
}

} // namespace fovea::test
