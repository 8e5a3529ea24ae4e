#include "ui/lesson/TakeAway.h"
#include "core/lesson/Answer.h"
#include "core/lesson/Filled.h"
#include <QCoreApplication>
#include <QStringList>

namespace fovea::ui {

namespace {

QString tr(const char* text) {
    return QCoreApplication::translate("TakeAway", text);
}

QString tagged(const char* tag, const QString& text) {
    return text.isEmpty() ? QString()
                          : QStringLiteral("<%1>%2</%1>\n").arg(QLatin1String(tag), text.toHtmlEscaped());
}

} // namespace

TakeAwayStep takeAwayStep(const lesson::LessonStep& step, const lesson::Scene& scene, const QString& said,
                          bool right) {
    const auto words = [&](const lesson::Paragraph& paragraph) {
        return QString::fromStdString(lesson::plainText(lesson::fill(paragraph, scene)));
    };
    TakeAwayStep seen;
    seen.title = QString::fromStdString(step.title);
    QStringList say;
    for (const lesson::Paragraph& paragraph : step.say)
        say << words(paragraph);
    seen.say = say.join(QLatin1Char(' '));
    if (step.question && !said.isEmpty()) {
        seen.question = words(step.question->ask);
        seen.because = words(step.question->because);
        seen.said = said;
        seen.right = right;
        if (const Result<lesson::Answer> answer = lesson::answerOf(*step.question, scene))
            seen.counted = QString::fromStdString(answer->truth.shown());
    }
    if (step.effect && (!step.question || !said.isEmpty()))
        if (const Result<bool> shown = lesson::showsEffect(*step.effect, scene))
            seen.finding = words(*shown ? step.effect->shown : step.effect->absent);
    return seen;
}

QString takeAwayHtml(const QString& title, const QString& provenance,
                     const std::vector<TakeAwayStep>& steps) {
    QString page =
        QStringLiteral("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%1</title>\n"
                       "<style>body{font:16px/1.5 sans-serif;max-width:44em;margin:2em auto;padding:0 1em;"
                       "color:#171A1F;background:#FBFBFC}img{max-width:100%;border:1px solid #D5D9DF}"
                       "h2{margin-bottom:0}.said{border-left:3px solid #7A828E;padding-left:1em}"
                       "footer{color:#4B5260;font-size:14px}</style></head><body>\n")
            .arg(title.toHtmlEscaped());
    page += tagged("h1", title);
    int asked = 0, right = 0;
    for (const TakeAwayStep& step : steps) {
        page += tagged("h2", step.title) + tagged("p", step.say);
        if (!step.said.isEmpty()) {
            ++asked;
            right += step.right ? 1 : 0;
            page += QStringLiteral("<div class=\"said\">\n") + tagged("p", step.question) +
                    tagged("p", tr("Your answer: %1. Counted: %2.").arg(step.said, step.counted)) +
                    tagged("p", step.because) + QStringLiteral("</div>\n");
        }
        page += tagged("p", step.finding);
        if (!step.picture.isEmpty())
            page += QStringLiteral("<p><img alt=\"%1\" src=\"data:image/png;base64,%2\"></p>\n")
                        .arg(tr("The map in this step").toHtmlEscaped(),
                             QString::fromLatin1(step.picture.toBase64()));
    }
    if (asked > 0)
        page += tagged("p", tr("%1 of %2 answers were as counted.").arg(right).arg(asked));
    return page + QStringLiteral("<footer>") + tagged("p", provenance) +
           QStringLiteral("</footer></body></html>\n");
}

} // namespace fovea::ui
