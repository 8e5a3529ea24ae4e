#include "SourceDir.h"
#include "core/export/Session.h"
#include "core/lesson/LessonJson.h"
#include "core/policy/PolicyJson.h"
#include <QDir>
#include <QTest>
#include <nlohmann/json.hpp>

using namespace fovea;
using Json = nlohmann::ordered_json;

namespace {

Session sample() {
    Session session;
    session.request.text = std::make_shared<const std::string>("Hello \xE2\x82\xAC\n\ttab");
    session.request.modelPath = "models/some model.gguf";
    session.request.precision = Precision::BF16;
    session.request.nativeWindows = false;
    session.request.encode.specialTokens = true;
    session.request.textTemplate = TextTemplate::Chat;
    session.request.maxTokens = 700;
    session.request.policy.local.window = 128;
    session.request.policy.always.sinks = 4;
    session.request.policy.always.pinned = {{10, 12, Role::Both}};
    session.request.policy.routed.signal = "group_dot";
    session.request.policy.routed.budget = 32;
    session.request.policy.name = "mine";
    session.request.visible = {12, 5, {100, 612}, {0, 512}};
    session.modelSha256 = std::string(64, 'c');
    session.view = {{"dock", "AAEC"}, {"theme", "dark"}};
    return session;
}

std::string withChange(const std::function<void(Json&)>& change) {
    Json doc = Json::parse(sessionToJson(sample()));
    change(doc);
    return doc.dump();
}

/// Every document that differs from `whole` in one key or in one value, which then holds a line break and
/// other bytes that belong into no message. `part` is the part of `whole` that is changed.
void collectHostile(const Json& whole, const Json::json_pointer& part, std::vector<std::string>& documents) {
    static const std::string hostile = "a\n\r\x01\x7F\xE2\x80\xA8z";
    const auto add = [&](Json with) {
        Json changed = whole;
        changed[part] = std::move(with);
        documents.push_back(changed.dump());
    };
    const Json& here = whole[part];
    if (here.is_object()) {
        for (auto item = here.begin(); item != here.end(); ++item) {
            Json renamed = Json::object();
            for (auto other = here.begin(); other != here.end(); ++other)
                renamed[other.key() == item.key() ? item.key() + hostile : other.key()] = other.value();
            add(std::move(renamed));
        }
        Json more = here;
        more[hostile] = 1;
        add(std::move(more));
    }
    if (here.is_object())
        for (auto item = here.begin(); item != here.end(); ++item)
            collectHostile(whole, part / item.key(), documents);
    else if (here.is_array())
        for (std::size_t n = 0; n < here.size(); ++n)
            collectHostile(whole, part / n, documents);
    else
        add(hostile);
}

bool isOneLine(const std::string& message) {
    return !message.empty() && std::none_of(message.begin(), message.end(), [](unsigned char c) {
        return c < 0x20 || c == 0x7F;
    }) && message.find("\xE2\x80\xA8") == std::string::npos;
}

} // namespace

class tst_Session : public QObject {
    Q_OBJECT
private slots:
    void roundTrip_keepsEverything();
    void anyBytesComeBack_data();
    void anyBytesComeBack();
    void badDocuments_data();
    void badDocuments();
    void hostileDocuments_areAnsweredInOneLine_data();
    void hostileDocuments_areAnsweredInOneLine();
};

void tst_Session::roundTrip_keepsEverything() {
    const Session a = sample();
    const std::string text = sessionToJson(a);
    const Result<Session> b = sessionFromJson(text);
    QVERIFY2(b, b ? "" : b.error().message.c_str());
    QCOMPARE(*b->request.text, *a.request.text);
    QCOMPARE(b->request.modelPath, a.request.modelPath);
    QCOMPARE(b->request.precision, a.request.precision);
    QCOMPARE(b->request.nativeWindows, a.request.nativeWindows);
    QCOMPARE(b->request.encode, a.request.encode);
    QCOMPARE(b->request.textTemplate, a.request.textTemplate);
    QCOMPARE(b->request.maxTokens, a.request.maxTokens);
    QCOMPARE(b->request.policy, a.request.policy);
    QCOMPARE(b->request.visible, a.request.visible);
    QCOMPARE(b->modelSha256, a.modelSha256);
    QCOMPARE(b->view, a.view);
    QCOMPARE(sessionToJson(*b), text);
    // The same document as a policy, with parts added.
    const Json doc = Json::parse(text);
    QCOMPARE(doc["fovea"].get<std::string>(), std::string("session"));
    for (const char* key : {"version", "local", "always", "routed", "text", "model", "view"})
        QVERIFY2(doc.contains(key), key);
}

void tst_Session::anyBytesComeBack_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::newRow("one loose byte") << QByteArray("\xFF");
    QTest::newRow("two") << QByteArray("a\xFF");
    QTest::newRow("three") << QByteArray("ab\xFF");
    QTest::newRow("zero bytes") << QByteArray("a\0b\xC0", 4);
    QTest::newRow("half a character") << QByteArray("caf\xC3");
    QTest::newRow("plain") << QByteArray("caf\xC3\xA9 \"quoted\" \\ \x01");
    QTest::newRow("empty") << QByteArray();
}

void tst_Session::anyBytesComeBack() {
    QFETCH(QByteArray, bytes);
    Session session = sample();
    session.request.text = std::make_shared<const std::string>(bytes.toStdString());
    const Result<Session> back = sessionFromJson(sessionToJson(session));
    QVERIFY2(back, back ? "" : back.error().message.c_str());
    QCOMPARE(*back->request.text, bytes.toStdString());
}

void tst_Session::badDocuments_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<int>("code");
    QTest::addColumn<QString>("says");
    const auto row = [](const char* name, const std::string& text, const char* says,
                        ErrorCode code = ErrorCode::BadValue) {
        QTest::newRow(name) << QString::fromStdString(text) << static_cast<int>(code) << QString(says);
    };
    row("empty", "", "breaks the JSON");
    row("not JSON", "hello", "breaks the JSON");
    row("cut short", sessionToJson(sample()).substr(0, 300), "breaks the JSON");
    row("trailing bytes", sessionToJson(sample()) + "x", "breaks the JSON");
    row("a policy", "{\"fovea\":\"policy\",\"version\":1}", "session", ErrorCode::NotThisFormat);
    row("a list", "[1,2]", "session", ErrorCode::NotThisFormat);
    row("a key twice", "{\"fovea\":\"session\",\"text\":{},\"text\":{}}", "text is given twice");
    row("a key twice inside", "{\"fovea\":\"session\",\"text\":{\"a\":1,\"a\":2}}", "text.a is given twice");
    row("too deep", std::string(65, '[') + std::string(65, ']'), "deeper");
    row("no text", withChange([](Json& d) { d.erase("text"); }), "text is missing");
    row("unknown key", withChange([](Json& d) { d["colour"] = 1; }), "colour");
    row("unknown text key", withChange([](Json& d) { d["text"]["font"] = 1; }), "\"font\"");
    row("unknown view key", withChange([](Json& d) { d["view"]["zoom"] = 1; }), "\"zoom\"");
    row("text is a number", withChange([](Json& d) { d["text"]["content"] = 3; }), "text.content");
    row("both texts", withChange([](Json& d) { d["text"]["base64"] = ""; }), "content or base64");
    row("bad base64", withChange([](Json& d) {
            d["text"].erase("content");
            d["text"]["base64"] = "a$==";
        }),
        "base64");
    row("bad template", withChange([](Json& d) { d["text"]["template"] = "xml"; }), "\"raw\" and \"chat\"");
    row("bad precision", withChange([](Json& d) { d["model"]["precision"] = "f64"; }), "f32");
    row("negative layer", withChange([](Json& d) { d["view"]["layer"] = -1; }), "view.layer");
    row("fraction of a layer", withChange([](Json& d) { d["view"]["layer"] = 1.5; }), "view.layer");
    row("huge layer", withChange([](Json& d) { d["view"]["layer"] = 99999999999LL; }), "view.layer");
    row("range backwards", withChange([](Json& d) { d["view"]["queries"] = {9, 3}; }), "view.queries");
    row("state of numbers", withChange([](Json& d) { d["view"]["state"]["a"] = 1; }), "view.state");
    row("window out of range", withChange([](Json& d) { d["local"]["window"] = -5; }), "window");
    row("version of the future", withChange([](Json& d) { d["version"] = 99; }), "version");
}

void tst_Session::badDocuments() {
    QFETCH(QString, text);
    QFETCH(int, code);
    QFETCH(QString, says);
    const Result<Session> session = sessionFromJson(text.toStdString());
    QVERIFY(!session);
    QVERIFY2(static_cast<int>(session.error().code) == code, session.error().message.c_str());
    QVERIFY2(QString::fromStdString(session.error().message).contains(says), session.error().message.c_str());
}

void tst_Session::hostileDocuments_areAnsweredInOneLine_data() {
    QTest::addColumn<int>("kind");
    QTest::addColumn<QByteArray>("document");
    Session session = sample();
    AttentionPolicy heads = session.request.policy;
    heads.headPolicies = {{"near", {}}};
    heads.mix.layers = {"near", "full"};
    heads.mix.heads = {{"near", ""}};
    session.request.against = heads;
    QTest::newRow("session") << 0 << QByteArray::fromStdString(sessionToJson(session));
    QTest::newRow("policy") << 1 << QByteArray::fromStdString(policyToJson(heads));
    const QDir lessons(QStringLiteral(FOVEA_SOURCE_DIR "/resources/lessons"));
    // Between them they have every key; all eight would take a minute under the sanitizers.
    const QStringList names = lessons.entryList({QStringLiteral("01*.json"), QStringLiteral("02*.json"),
                                                 QStringLiteral("05*.json"), QStringLiteral("07*.json")});
    QCOMPARE(names.size(), 4);
    for (const QString& name : names) {
        QFile file(lessons.filePath(name));
        QVERIFY(file.open(QIODevice::ReadOnly));
        QTest::newRow(qPrintable(name)) << 2 << file.readAll();
    }
}

void tst_Session::hostileDocuments_areAnsweredInOneLine() {
    QFETCH(const int, kind);
    QFETCH(const QByteArray, document);
    const Json whole = Json::parse(document.toStdString());
    std::vector<std::string> documents;
    collectHostile(whole, Json::json_pointer(), documents);
    std::size_t refused = 0;
    for (const std::string& text : documents) {
        std::string message;
        if (kind == 0) {
            if (const auto read = sessionFromJson(text); !read)
                message = read.error().message;
        } else if (kind == 1) {
            if (const auto read = policyFromJson(text); !read)
                message = read.error().message;
        } else if (const auto read = lesson::lessonFromJson(text); !read) {
            message = read.error().message;
        }
        if (message.empty())
            continue; // a name or a text may hold any bytes
        ++refused;
        QVERIFY2(isOneLine(message), message.c_str());
    }
    QVERIFY(refused * 2 > documents.size());
}

QTEST_APPLESS_MAIN(tst_Session)
#include "tst_Session.moc"
