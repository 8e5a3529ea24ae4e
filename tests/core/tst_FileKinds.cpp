// What a file is by its first bytes, what its name promises, and which chat template a model file holds.
#include "core/files/Sniff.h"
#include "core/text/ChatTemplate.h"
#include <QTest>

using namespace fovea;

class tst_FileKinds : public QObject {
    Q_OBJECT
private slots:
    void content_data();
    void content();
    void names_data();
    void names();
    void templates_data();
    void templates();
};

void tst_FileKinds::content_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<int>("want");
    const auto row = [](const char* name, const QByteArray& bytes, Content want) {
        QTest::newRow(name) << bytes << static_cast<int>(want);
    };
    row("nothing", "", Content::Nothing);
    row("GGUF 3", QByteArray("GGUF\3\0\0\0\1\0\0\0", 12), Content::Gguf);
    row("GGUF of the other byte order", QByteArray("GGUF\0\0\0\3\0\0\0\1", 12), Content::Gguf);
    row("a text that begins with the letters", "GGUF files hold tensors.", Content::Text);
    row("the letters alone", "GGUF", Content::Text);
    row("the letters, then a zero later", QByteArray("GGUF is\n\0", 9), Content::Binary);
    row("zero bytes", QByteArray("a\0b", 3), Content::Binary);
    row("a policy", R"({"fovea": "policy", "version": 1})", Content::Policy);
    row("a session after a mark and spaces", "\xEF\xBB\xBF \n{ \"fovea\" :\t\"session\"}", Content::Session);
    row("the key later", R"({"version": 1, "name": "a \" {", "local": {"window": [1]}, "fovea": "policy"})",
        Content::Policy);
    row("the key inside another object", R"({"a": {"fovea": "policy"}, "b": 1})", Content::Text);
    row("the word as a value", R"({"a": "fovea", "b": "policy"})", Content::Text);
    row("another kind", R"({"fovea": "report"})", Content::Text);
    row("a number", R"({"fovea": 1, "a": "policy"})", Content::Text);
    row("a list", R"(["fovea", "policy"])", Content::Text);
    row("cut inside a string", R"({"fovea": "pol)", Content::Text);
    row("cut after an escape", R"({"fovea\)", Content::Text);
    row("prose", "Words.\n", Content::Text);
    row("safetensors", QByteArray("\x02\0\0\0\0\0\0\0{}", 10), Content::Safetensors);
    row("safetensors whose header has 640 bytes", QByteArray("\x80\x02\0\0\0\0\0\0{\"a\"", 12),
        Content::Safetensors);
    row("a length above 100 MB", QByteArray("\1\xE1\xF5\5\0\0\0\0{}", 10), Content::Binary);
    row("a length of nothing", QByteArray("\0\0\0\0\0\0\0\0{}", 10), Content::Binary);
    row("a length, then no object", QByteArray("\x02\0\0\0\0\0\0\0[]", 10), Content::Binary);
    row("config.json", R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama"})", Content::Config);
    row("an index of shards", R"({"metadata": {}, "weight_map": {}})", Content::Config);
    row("the key of a config deeper", R"({"a": {"model_type": "llama"}})", Content::Text);
    row("a session that has the key too", R"({"model_type": "llama", "fovea": "session"})", Content::Session);
    row("a pickle", "\x80\x02}q", Content::Pickle);
    QByteArray zip("PK\3\4", 4);
    zip += QByteArray(22, '\0') + QByteArray("\x10\0\0\0", 4);
    row("PyTorch's ZIP archive", zip + "archive/data.pkl", Content::Pickle);
    row("another ZIP archive", zip + "archive/data.txt", Content::Binary);
}

void tst_FileKinds::content() {
    QFETCH(QByteArray, bytes);
    QFETCH(int, want);
    QCOMPARE(static_cast<int>(contentOf(bytes.toStdString())), want);
}

void tst_FileKinds::names_data() {
    QTest::addColumn<QString>("name");
    QTest::addColumn<int>("content");
    QTest::addColumn<QString>("says");
    const auto row = [](const char* name, Content content, const char* says) {
        QTest::addRow("%s %d", name, static_cast<int>(content))
            << QString(name) << static_cast<int>(content) << QString(says);
    };
    row("a.gguf", Content::Gguf, "");
    row("notes.gguf", Content::Text, "notes.gguf is a text, not a GGUF model");
    row("Notes.GGUF", Content::Text, "not a GGUF model");
    row("a.gguf", Content::Binary, "not a GGUF model");
    row("a.gguf", Content::Session, "not a GGUF model");
    row("a.json", Content::Session, "");
    row("a.json", Content::Text, "no policy, session or lesson");
    row("a.txt", Content::Text, "");
    row("a.txt", Content::Session, "");
    row("gguf", Content::Text, "");
    row("a.gguf", Content::Pickle, "a.gguf is a Python pickle, not a GGUF model");
    row("a.gguf", Content::Safetensors, "a.gguf is a safetensors file, not a GGUF model");
    row("a.safetensors", Content::Safetensors, "");
    row("a.safetensors", Content::Text, "a.safetensors is a text, not a safetensors file");
    row("a.safetensors", Content::Pickle, "a.safetensors is another kind of file, not a safetensors file");
    row("config.json", Content::Config, "");
}

void tst_FileKinds::names() {
    QFETCH(QString, name);
    QFETCH(int, content);
    QFETCH(QString, says);
    const QString found =
        QString::fromStdString(nameContradicts(name.toStdString(), static_cast<Content>(content)));
    QVERIFY2(says.isEmpty() ? found.isEmpty() : found.contains(says), qPrintable(found));
}

namespace {

const char* const kSmol = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' "
                          "%}{{ '<|im_start|>system\nYou are a "
                          "helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% "
                          "endif %}{{'<|im_start|>' + message['role'] + "
                          "'\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if "
                          "add_generation_prompt %}{{ '<|im_start|>assistant\n' "
                          "}}{% endif %}";
const char* const kPlain =
    R"({% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %})";
// The parts of Qwen2.5's that matter: tools, a system turn of the chat, and a default one.
const char* const kQwen =
    R"({%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] }}
    {%- else %}
        {{- 'You are Qwen, created by Alibaba Cloud. You are a helpful assistant.' }}
    {%- endif %}
    {{- "<|im_end|>\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}
    {%- else %}
        {{- '<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %})";
const char* const kLlama3 = "{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + "
                            "'<|end_header_id|>\n\n'+ message['content'] | trim + "
                            "'<|eot_id|>' }}{% endfor %}";

QString changed(const char* from, const char* what, const char* to) {
    QString text(from);
    if (!text.contains(what))
        qFatal("nothing to change");
    return text.replace(what, to);
}

} // namespace

void tst_FileKinds::templates_data() {
    QTest::addColumn<QString>("jinja");
    QTest::addColumn<QString>("before"); // "-": refused, and `says` is in the sentence
    QTest::addColumn<QString>("says");
    const auto known = [](const char* name, const QString& jinja, const char* before) {
        QTest::newRow(name) << jinja << QString(before) << QString();
    };
    const auto refused = [](const char* name, const QString& jinja, const char* says) {
        QTest::newRow(name) << jinja << QString("-") << QString(says);
    };
    known("SmolLM2", kSmol,
          "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
          "Face<|im_end|>\n<|im_start|>");
    known("SmolLM2 with escapes", QString(kSmol).replace("\n", "\\n"),
          "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
          "Face<|im_end|>\n<|im_start|>");
    known("another system turn", changed(kSmol, "named SmolLM, trained by Hugging Face", "of somebody else"),
          "<|im_start|>system\nYou are a helpful AI assistant of somebody else<|im_end|>\n<|im_start|>");
    known("no system turn", kPlain, "<|im_start|>");
    known("double quotation marks", QString(kPlain).replace("'", "\""), "<|im_start|>");
    known("Qwen2.5", kQwen,
          "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful "
          "assistant.<|im_end|>\n<|im_start|>");
    refused("none", "", "is missing");
    refused("Llama 3 without an answer", kLlama3, "does not begin the model's turn");
    refused("no family's marks", "{{ messages }}", "no family that is known");
    refused("trimmed", changed(kPlain, "message['content'] +", "message['content'] | trim +"), "another way");
    refused("a separator", changed(kPlain, "message['role'] + '\\n'", "message['role'] + ': '"),
            "another way");
    refused("no line break at the end", changed(kPlain, "'<|im_end|>' + '\\n'", "'<|im_end|>'"),
            "another way");
    refused("a token in front", "{{ bos_token }}" + QString(kPlain), "bos_token");
    refused("the answer begins thinking",
            changed(kPlain, "<|im_start|>assistant\\n'", "<|im_start|>assistant\\n<think>\\n'"),
            "more than its name");
    refused("no answer", changed(kPlain, "{{ '<|im_start|>assistant\\n' }}", ""), "does not begin");
    refused("two system turns", QString(kSmol) + "{{ '<|im_start|>system\nOther.<|im_end|>\n' }}", "several");
    refused("a system turn put together",
            QString(kPlain) + "{{ '<|im_start|>system\\nToday is ' + date + '<|im_end|>\\n' }}",
            "put together");
}

void tst_FileKinds::templates() {
    QFETCH(QString, jinja);
    QFETCH(QString, before);
    QFETCH(QString, says);
    const Result<ChatTemplate> chat = readChatTemplate(jinja.toStdString());
    if (before == "-") {
        QVERIFY(!chat);
        QCOMPARE(chat.error().code, ErrorCode::Unsupported);
        QVERIFY2(QString::fromStdString(chat.error().message).contains(says), chat.error().message.c_str());
        return;
    }
    QVERIFY2(chat, chat ? "" : chat.error().message.c_str());
    QCOMPARE(QString::fromStdString(chat->before), before);
    QCOMPARE(chat->turn, std::string("user\n"));
    QCOMPARE(chat->after, std::string("<|im_end|>\n<|im_start|>assistant\n"));
}

QTEST_APPLESS_MAIN(tst_FileKinds)
#include "tst_FileKinds.moc"
