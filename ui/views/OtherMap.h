#pragma once
#include "ui/plot/MapCanvas.h"
#include "ui/plot/TileCache.h"
#include "ui/views/View.h"
#include <QWidget>
#include <memory>

class QLabel;

namespace fovea::ui {

class MapTip;

/// The map of arm A where it has a text or a model of its own (Request::other), beside arm B's. It shows the
/// same layer and head of its own run. Pointer and pins are joined with the selection, which counts arm B's
/// tokens, through the alignment of the tokens. Where the tokens agree one to one, both maps show the same
/// part; else each has its own. Object names: map.other, map.other.title, map.other.canvas.
class OtherMap : public QWidget {
    Q_OBJECT
public:
    using Pair = SelectionModel::Pair;
    OtherMap(ViewContext context, QWidget* parent);

    /// How the map of arm B is shown, which this one follows.
    struct Look {
        MapQuantity quantity = MapQuantity::Hybrid; ///< or Kept
        Pooling pooling = Pooling::Max;
        bool logarithmic = true, keptOverlay = false;
        bool plain = true; ///< single heads and tokens, nothing left out; else there is no map of A
    };
    /// `b`: arm B's snapshot, whose Snapshot::other is shown. The old picture stays until a new one is ready.
    void show(const SnapshotPtr& b, const Look& look);
    /// Shows the same part as the map of arm B, where the tokens agree.
    void follow(const MapViewport& view);
    [[nodiscard]] MapCanvas& canvas() { return *m_canvas; }
    [[nodiscard]] const TileCache& tiles() const { return *m_tiles; }
    [[nodiscard]] SnapshotPtr shownSnapshot() const; ///< arm A's; null: none
    /// Whether every tile in sight is of the newest run.
    [[nodiscard]] bool settled() const { return m_tiles->settled(); }

signals:
    void viewportMoved(const fovea::ui::MapViewport& view); ///< by the user; only where the tokens agree
    void message(const QString& sentence);

private:
    [[nodiscard]] bool agrees() const; ///< the tokens, one to one
    [[nodiscard]] Pair toA(Pair b) const;
    [[nodiscard]] Pair toB(Pair a) const;
    [[nodiscard]] int tokenOfA(int tokenOfB) const; ///< -1: it has no partner
    [[nodiscard]] QString emptySentence() const;
    void rebuild();
    void showMarks();
    void showTitle();
    void wantTiles();
    void pin(Pair pair, Qt::KeyboardModifiers modifiers);

    ViewContext m_context;
    SnapshotPtr m_b; ///< what is shown is of its `other`
    Look m_look;
    Pair m_pointed; ///< the cell under the pointer, which may have no partner
    bool m_following = false;
    TileCache* m_tiles;
    QLabel* m_title;
    MapCanvas* m_canvas;
    MapTip* m_tip = nullptr; ///< from the first map on
};

/// "A: text other.txt, T 312; aligned by equal words, 280 of 312".
[[nodiscard]] QString otherTitle(const Snapshot& b);

/// Why there is no map of B minus A of this layer, as a sentence; empty: there is one. `plain`: as
/// OtherMap::Look.
[[nodiscard]] QString whyNoDifference(const SnapshotPtr& b, int layer, bool plain);

} // namespace fovea::ui
