#pragma once
#include "core/base/RowRange.h"
#include "core/lesson/Scene.h"
#include <string>
#include <vector>

namespace fovea::lesson {

/// One picture of a story: what it says, and what lights up in text and map.
struct Frame {
    std::string say;
    int query = -1;           ///< the row it is about; -1: none
    int key = -1;             ///< the key of that row; -1: none
    RowRange queries, keys;   ///< a tile of the map; empty: none
    int shown = 0;            ///< so many bars are known
    std::vector<double> bars; ///< Row: the share of each key so far; Growth: of tokens and of pairs
};

/// The frames of a step's animation, each from a plan or a row of the scene; nothing in them is made up.
///
/// Row: key by key the score of the query with the key, its share among the keys so far (the softmax, summed
/// as it goes on), and at the end what is mixed by these weights. Window: row by row the keys that are read,
/// and the one that is lost. Tiles: only the tiles of 64 queries x 64 keys that are computed; each says how
/// many were skipped before it. Routed: the keys that the router chose for one
/// query, each with its distance, that of the largest weight first. Growth: the text becomes longer in equal
/// steps; its tokens and the pairs of full attention, each as a share of what they are at the end.
struct Story {
    Animation::Kind kind = Animation::Kind::Row;
    std::vector<Frame> frames;      ///< never empty
    std::vector<std::string> words; ///< of each bar; Row: the word of the key
};

/// How long a frame stands at speed 1, in ms: long enough to read its line, or to see it move.
[[nodiscard]] int frameMs(Animation::Kind kind);

/// Errors: BadValue when a run is missing, a token is outside the text, a policy routes nothing for the
/// query, or there would be more than 400 frames. Cost: a plan or a row.
[[nodiscard]] Result<Story> makeStory(const Animation& animation, const Scene& scene);

} // namespace fovea::lesson
