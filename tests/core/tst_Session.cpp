#include "core/export/Session.h"
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

} // namespace

class tst_Session : public QObject {
    Q_OBJECT
private slots:
    void roundTrip_keepsEverything();
    void anyBytesComeBack_data();
    void anyBytesComeBack();
    void badDocuments_data();
    void badDocuments();
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

QTEST_APPLESS_MAIN(tst_Session)
#include "tst_Session.moc"
