// Templates of other families than ChatML, cut to the parts that matter (ChatML: tst_FileKinds).
#include "core/text/ChatTemplate.h"
#include <QtTest>

using namespace fovea;

class tst_ChatTemplates : public QObject {
    Q_OBJECT
private slots:
    void families_data();
    void families();
};

namespace {

const char* const kLlama3 =
    R"({% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %})";
const char* const kLlama32 =
    R"({{- bos_token }}{%- if not date_string is defined %}{%- set date_string = "26 Jul 2024" %}{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\n\n" }}{{- "Cutting Knowledge Date: December 2023\n" }}{{- "Today Date: " + date_string + "\n\n" }}{{- system_message }}{{- "<|eot_id|>" }}
{%- for message in messages %}{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %})";
const char* const kGemma =
    R"({{ bos_token }}{% for message in messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %})";
const char* const kPhi3 =
    R"({% for message in messages %}{% if message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %})";
const char* const kPhi4Mini =
    R"({% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %})";
const char* const kPhi4 =
    R"({% for message in messages %}{% if (message['role'] == 'user') %}{{'<|im_start|>user<|im_sep|>' + message['content'] + '<|im_end|>'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %})";
const char* const kMistral =
    R"({{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token }}{% endif %}{% endfor %})";

QString changed(const char* from, const char* what, const char* to) {
    QString text(from);
    if (!text.contains(what))
        qFatal("nothing to change");
    return text.replace(what, to);
}

} // namespace

void tst_ChatTemplates::families_data() {
    QTest::addColumn<QString>("jinja");
    QTest::addColumn<QString>("whole"); // with TEXT as the text; "-": refused, and `says` is in the sentence
    QTest::addColumn<QString>("says");
    QTest::addColumn<bool>("trims");
    const auto known = [](const char* name, const QString& jinja, const char* whole, bool trims) {
        QTest::newRow(name) << jinja << QString(whole) << QString() << trims;
    };
    const auto refused = [](const char* name, const QString& jinja, const char* says) {
        QTest::newRow(name) << jinja << QString("-") << QString(says) << false;
    };
    known("Llama 3", kLlama3,
          "<|start_header_id|>user<|end_header_id|>\n\nTEXT<|eot_id|><|start_header_id|>assistant<|end_"
          "header_id|>\n\n",
          true);
    known("Llama 3.2", kLlama32,
          "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: "
          "26 Jul "
          "2024\n\n<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nTEXT<|eot_id|><|start_header_id|>"
          "assistant"
          "<|end_header_id|>\n\n",
          true);
    known("Gemma", kGemma, "<start_of_turn>user\nTEXT<end_of_turn>\n<start_of_turn>model\n", true);
    known("Phi-3", kPhi3, "<|user|>\nTEXT<|end|>\n<|assistant|>\n", false);
    known("Phi-4 mini", kPhi4Mini, "<|user|>TEXT<|end|><|assistant|>", false);
    known("Phi-4", kPhi4, "<|im_start|>user<|im_sep|>TEXT<|im_end|><|im_start|>assistant<|im_sep|>", false);
    known("Mistral", kMistral, "[INST] TEXT [/INST]", false);
    known("Mistral, close",
          changed(kMistral, "'[INST] ' + message['content'] + ' [/INST]'",
                  "\"[INST]\" + message[\"content\"] + \"[/INST]\""),
          "[INST]TEXT[/INST]", false);
    refused("Llama 3 without trim", changed(kLlama3, " | trim", ""), "in another way than Llama 3");
    refused("Llama 3.2 without a date", changed(kLlama32, "\"26 Jul 2024\"", "today"), "put together");
    refused("Gemma thinking", changed(kGemma, "<start_of_turn>model\\n'", "<start_of_turn>model\\n<think>'"),
            "more than its name");
    refused("Phi-3 without an answer", changed(kPhi3, "<|assistant|>\\n", "<|assistant|>"), "does not begin");
    refused("Phi-4 of another form", changed(kPhi4, "user<|im_sep|>'", "user<|im_sep|>\\n'"),
            "another way than Phi-4");
    refused("Mistral in two ways", QString(kMistral) + "{{ '[INST]' }}", "in several ways");
    refused("Llama 2", QString(kMistral) + "{{ '<<SYS>>' }}", "not Mistral's first form");
}

void tst_ChatTemplates::families() {
    QFETCH(QString, jinja);
    QFETCH(QString, whole);
    QFETCH(QString, says);
    QFETCH(bool, trims);
    const auto chat = readChatTemplate(jinja.toStdString());
    if (whole == "-") {
        QVERIFY(!chat.has_value());
        QCOMPARE(chat.error().code, ErrorCode::Unsupported);
        QVERIFY2(QString::fromStdString(chat.error().message).contains(says), chat.error().message.c_str());
        return;
    }
    QVERIFY2(chat.has_value(), chat ? "" : chat.error().message.c_str());
    QCOMPARE(QString::fromStdString(chat->before + chat->turn + "TEXT" + chat->after), whole);
    QCOMPARE(chat->trims, trims);
    for (const std::string& mark : chat->marks)
        QVERIFY2(whole.contains(QString::fromStdString(mark)), mark.c_str());
}

QTEST_APPLESS_MAIN(tst_ChatTemplates)
#include "tst_ChatTemplates.moc"
