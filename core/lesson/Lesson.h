#pragma once
#include "core/lesson/LessonText.h"
#include "core/policy/AttentionPolicy.h"
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::lesson {

enum class StepKind : std::uint8_t {
    See,     ///< something to look at
    Predict, ///< a question before anything is shown; the answer is compared with the count
    Try,     ///< one gesture in the window, which is awaited
    Check,   ///< a question about what was learned
    Open,    ///< the end: this state is left open to explore
};
[[nodiscard]] std::string_view stepKindName(StepKind kind); ///< "see", ...

/// What the map shows during a step.
enum class MapWish : std::uint8_t { Full, Hybrid, Difference, Kept };
[[nodiscard]] std::string_view mapWishName(MapWish wish); ///< "full", ...

/// A register of N names with a number each, of which some are asked for: see RecallCase.h.
struct RecallText {
    int pairs = 0; ///< N; 0: the largest that full attention answers without a mistake
    int asked = 8; ///< how many are asked for
    bool operator==(const RecallText&) const = default;
};

/// The text of a lesson.
struct LessonSource {
    std::shared_ptr<const std::string> bytes; ///< null: `recall`
    std::string sample;                       ///< the sample it comes from; empty: the lesson's own
    std::optional<RecallText> recall;
    std::size_t tokens = 0; ///< T it is cut to; 0 only of a recall text: all
};

/// What the window shows. Whatever a step does not set stays as the step before left it.
struct LessonState {
    std::string policy = "full"; ///< a name of Lesson::policies, or "full"
    int layer = 0, head = 0;
    std::optional<Term> query; ///< the pinned token; empty: none
    std::size_t tokens = 0;    ///< T
    MapWish map = MapWish::Full;
    bool operator==(const LessonState&) const = default;
};

/// What the learner is to do; one of these is set.
struct Gesture {
    std::string param; ///< ParamSpec key: set it to `value`
    std::string value; ///< as on the command line
    int query = -1;    ///< pin this token
    bool cell = false; ///< choose `layer` and `head`
    int layer = 0, head = 0;
    std::optional<MapWish> map;
};

/// One of the answers to choose from. It stands for a value, or for a range: those from `from` on that are
/// below `below`, either of which may be left out.
struct Choice {
    Paragraph say;
    std::optional<Term> value; ///< empty: a range
    std::optional<double> from, below;
};

/// A question whose answer is computed. With choices the right one is that whose value is nearest to the
/// answer, or whose range holds it; without, a number is typed, and right is what lies within `within`
/// (relative) of it.
struct Question {
    Paragraph ask;
    Term answer;
    std::vector<Choice> choices;
    double within = 0;
    Paragraph because; ///< shown after every answer: the count behind it
};

/// A finding that depends on the model: `shown` is said if `of` is more than `times` times `over`, else
/// `absent`.
struct Effect {
    Term of, over;
    double times = 1;
    Paragraph shown, absent;
};

/// A short film from real numbers: what it shows, frame by frame (Story.h).
struct Animation {
    enum class Kind : std::uint8_t {
        Row,    ///< the row of one query is filled key by key
        Window, ///< the reader moves on, and its keys with it
        Tiles,  ///< the tiles of the map that are computed, one after the other; the others are skipped
        Routed, ///< the keys that a router chose for one query
        Growth, ///< the text becomes longer, and with it the pairs of full attention
    };
    Kind kind = Kind::Row;
    Term from;              ///< Row and Routed: the query; Window: the first one; Growth: tokens of a step
    std::optional<Term> to; ///< Window: the last query; Growth: tokens at the end
};
[[nodiscard]] std::string_view animationName(Animation::Kind kind); ///< "row", ...

struct LessonStep {
    StepKind kind = StepKind::See;
    std::string title;
    std::vector<Paragraph> say;
    LessonState state;
    std::optional<Question> question; ///< Predict and Check
    std::optional<Gesture> gesture;   ///< Try
    std::optional<Effect> effect;
    std::string focus;               ///< object name of the widget to look at; empty: none
    std::vector<std::string> params; ///< keys of the parameters that the step needs; empty: those of `focus`
                                     ///< and `gesture`
    std::optional<Animation> animate;
};

struct Lesson {
    std::string id, title;
    int minutes = 0;
    std::string why; ///< one sentence
    LessonSource text;
    std::map<std::string, AttentionPolicy> policies; ///< "full" is always there
    std::vector<LessonStep> steps;

    [[nodiscard]] const AttentionPolicy* policy(std::string_view name) const;
};

} // namespace fovea::lesson
