#include "tests/support/TinySnapshot.h"
#include "ui/plot/MapRaster.h"
#include "ui/plot/TileCache.h"
#include <QSignalSpy>
#include <QTest>
#include <cmath>
#include <deque>
#include <limits>

using namespace fovea;
using namespace fovea::ui;

namespace {

/// A fetch that waits until the test says so, and counts.
struct Queue {
    struct Job {
        TileCache::Work work;
        TileCache::Done done;
    };
    std::deque<Job> jobs;
    int started = 0;
    TileCache::Fetch fetch() {
        return [this](TileCache::Work work, TileCache::Done done) {
            ++started;
            jobs.push_back({std::move(work), std::move(done)});
        };
    }
    TileKey finishFirst() {
        Job job = std::move(jobs.front());
        jobs.pop_front();
        auto tile = job.work({});
        const TileKey key = tile ? (*tile)->key : TileKey{};
        job.done(std::move(tile));
        return key;
    }
    void finishAll() {
        while (!jobs.empty())
            finishFirst();
    }
};

TileKey key(MapQuantity quantity, std::uint32_t row = 0, std::uint32_t col = 0, int level = 0) {
    return {1, 1, quantity, Pooling::Max, level, row, col};
}

} // namespace

class tst_TileCache : public QObject {
    Q_OBJECT
private slots:
    void tilesArriveAndAreTheRealOnes() {
        Queue queue;
        TileCache cache(queue.fetch());
        const auto snapshot = test::tinySnapshot();
        cache.setSnapshot(snapshot);
        QSignalSpy arrived(&cache, &TileCache::tileArrived);
        cache.want({key(MapQuantity::Full), key(MapQuantity::Hybrid)});
        QVERIFY(!cache.settled());
        QVERIFY(!cache.find(key(MapQuantity::Full)).tile);
        queue.finishAll();
        QCOMPARE(arrived.size(), 2);
        QVERIFY(cache.settled());
        const auto found = cache.find(key(MapQuantity::Hybrid));
        QVERIFY(found.tile && found.current);
        const MapTile made = makeTile(key(MapQuantity::Hybrid), *snapshot->tileSource(1), 1);
        QVERIFY(found.tile->value == made.value);
        QVERIFY(found.tile->state == made.state);
    }

    void theRunsOwnPictureStandsInAtOnce() {
        Queue queue;
        TileCache cache(queue.fetch());
        test::TinyOptions options;
        options.tokens = 600;
        const auto snapshot = test::tinySnapshot(options);
        cache.setSnapshot(snapshot);
        const LayerActivations& layer = *snapshot->full->layers[1];
        QCOMPARE(pictureLevelOf(layer), 4); // at most 64 cells a side
        const TilePtr tile = cache.find(key(MapQuantity::Full, 0, 0, 4)).tile;
        QVERIFY(tile);
        const MapTile exact = makeTile(key(MapQuantity::Full, 0, 0, 4), *snapshot->tileSource(1), 1);
        for (std::size_t i = 0; i < exact.value.size(); ++i)
            QVERIFY(std::abs(exact.value[i] - tile->value[i]) < 1e-5F);
        QVERIFY(!cache.find(key(MapQuantity::Hybrid, 0, 0, 4)).tile);
        QVERIFY(!cache.find(key(MapQuantity::Full, 0, 0, 3)).tile);
        // The map shows it wherever nothing better is there, and the exact tile where it is.
        MapLayer content;
        content.layer = content.head = 1;
        content.tokens = 600;
        content.pictureLevel = 4;
        const TileLookup tiles = [&](const TileKey& wanted) { return cache.find(wanted).tile; };
        const auto shown = [&] { return sampleCells(content, 500, 1, 20, 1, tiles); };
        QVERIFY(shown().look[0] == CellLook::Attended);
        QCOMPARE(shown().value[0], layer.picture.top[layer.picture.at(1, 500 / 16, 20 / 16)]);
        cache.want({key(MapQuantity::Full, 1, 0)});
        queue.finishAll();
        QCOMPARE(shown().value[0],
                 makeTile(key(MapQuantity::Full, 1, 0), *snapshot->tileSource(1), 1).value[244 * kTile + 20]);
    }

    void theNewestListChoosesTheNextFetch() {
        Queue queue;
        TileCache cache(queue.fetch());
        test::TinyOptions options;
        options.tokens = 600;
        cache.setSnapshot(test::tinySnapshot(options));
        cache.want(
            {key(MapQuantity::Full, 0, 0), key(MapQuantity::Full, 1, 0), key(MapQuantity::Full, 1, 1)});
        QCOMPARE(queue.started, 2); // at most two at a time
        cache.want({key(MapQuantity::Full, 2, 2), key(MapQuantity::Full, 2, 1)});
        queue.finishFirst();
        queue.finishFirst(); // of the old list
        QVERIFY((queue.finishFirst() == key(MapQuantity::Full, 2, 2)));
        QVERIFY((queue.finishFirst() == key(MapQuantity::Full, 2, 1)));
        QVERIFY(queue.jobs.empty());
        QVERIFY(!cache.find(key(MapQuantity::Full, 1, 1)).tile); // no longer wanted, never made
    }

    void anOldTileStaysUntilTheNewOneArrives() {
        Queue queue;
        TileCache cache(queue.fetch());
        test::TinyOptions options;
        cache.setSnapshot(test::tinySnapshot(options));
        cache.want({key(MapQuantity::Hybrid), key(MapQuantity::Full)});
        queue.finishAll();
        const TilePtr old = cache.find(key(MapQuantity::Hybrid)).tile;

        const auto first = cache.snapshot();
        options.policy.local.window = 3;
        auto next = std::make_shared<Snapshot>(*test::tinySnapshot(options));
        next->full = first->full; // the same full run
        cache.setSnapshot(next);
        QVERIFY(!cache.settled());
        auto found = cache.find(key(MapQuantity::Hybrid));
        QCOMPARE(found.tile, old);
        QVERIFY(!found.current);
        QVERIFY(cache.find(key(MapQuantity::Full)).current); // the full run is the same
        QCOMPARE(queue.jobs.size(), std::size_t{1});
        queue.finishAll();
        found = cache.find(key(MapQuantity::Hybrid));
        QVERIFY(found.current);
        QVERIFY(found.tile->state != old->state);
        QVERIFY(cache.settled());
    }

    /// Each arm's tile belongs to that arm's policy, the difference to both.
    void armsAreMadeAgainOnlyWithTheirOwnPolicy() {
        Queue queue;
        TileCache cache(queue.fetch());
        test::TinyOptions options;
        const auto first = test::tinySnapshot(options);
        const auto with = [&](std::int64_t b, std::int64_t a, std::uint64_t generation) {
            test::TinyOptions other = options;
            other.generation = generation;
            other.policy.local.window = a;
            const auto armA = test::tinySnapshot(other);
            other.policy.local.window = b;
            const auto snapshot = test::tinySnapshot(other);
            snapshot->full = first->full;
            auto request = std::make_shared<Request>(*snapshot->request);
            request->against = armA->request->policy;
            snapshot->request = request;
            auto against = std::make_shared<AgainstResult>();
            against->policy = armA->request->policy;
            against->visible = armA->visible;
            snapshot->against = against;
            return snapshot;
        };
        TileKey ofA = key(MapQuantity::Hybrid), ofB = ofA;
        ofA.arm = MapArm::A;
        const TileKey difference = key(MapQuantity::ArmDifference);
        const auto start = with(12, 30, 1);
        cache.setSnapshot(start);
        cache.want({ofA, ofB, difference});
        queue.finishAll();
        QVERIFY(cache.settled());
        for (const TileKey& one : {ofA, ofB, difference})
            QVERIFY(cache.find(one).tile->value == makeTile(one, *start->tileSource(1), 1).value);
        QVERIFY(cache.find(ofA).tile->value != cache.find(ofB).tile->value);
        const TilePtr a = cache.find(ofA).tile, b = cache.find(ofB).tile;

        const auto newB = with(5, 30, 2);
        queue.started = 0;
        cache.setSnapshot(newB);
        QVERIFY(cache.find(ofA).current && !cache.find(ofB).current && !cache.find(difference).current);
        queue.finishAll();
        QCOMPARE(queue.started, 2);
        QCOMPARE(cache.find(ofA).tile, a);
        QVERIFY(cache.find(difference).tile->value == makeTile(difference, *newB->tileSource(1), 1).value);

        const auto newA = with(5, 20, 3);
        queue.started = 0;
        cache.setSnapshot(newA);
        QVERIFY(!cache.find(ofA).current && cache.find(ofB).current);
        QCOMPARE(cache.find(ofA).tile, a); // stays until the new one is there
        queue.finishAll();
        QCOMPARE(queue.started, 2);
        QVERIFY(cache.find(ofA).tile != a && cache.find(ofB).tile != b);
        QVERIFY(cache.find(ofA).tile->value == makeTile(ofA, *newA->tileSource(1), 1).value);
        // Until arm A's layer is there nothing of it can be made.
        auto waiting = std::make_shared<Snapshot>(*with(5, 9, 4));
        auto none = std::make_shared<AgainstResult>(*waiting->against);
        none->visible.reset();
        waiting->against = none;
        cache.setSnapshot(waiting);
        QVERIFY(!cache.possible(ofA) && !cache.possible(difference) && cache.possible(ofB));
    }

    void anEqualPolicyNeedsNoNewTile() {
        Queue queue;
        TileCache cache(queue.fetch());
        cache.setSnapshot(test::tinySnapshot());
        cache.want({key(MapQuantity::Hybrid)});
        queue.finishAll();
        const auto first = cache.snapshot();
        auto next = std::make_shared<Snapshot>(*test::tinySnapshot()); // other pointers, equal policy
        next->full = first->full;
        cache.setSnapshot(next);
        QVERIFY(queue.jobs.empty());
        QVERIFY(cache.find(key(MapQuantity::Hybrid)).current);
    }

    void whileTheHybridIsMissingTheOldTileStays() {
        Queue queue;
        TileCache cache(queue.fetch());
        cache.setSnapshot(test::tinySnapshot());
        cache.want({key(MapQuantity::Hybrid)});
        queue.finishAll();
        const auto first = cache.snapshot();
        auto next = std::make_shared<Snapshot>(*first);
        auto request = std::make_shared<Request>(*first->request);
        request->policy.local.window = 5;
        next->request = request;
        next->visible = nullptr;
        cache.setSnapshot(next);
        QVERIFY(queue.jobs.empty()); // nothing to ask yet
        QVERIFY(cache.find(key(MapQuantity::Hybrid)).tile);
        QVERIFY(!cache.find(key(MapQuantity::Hybrid)).current);
        QVERIFY(!cache.settled());
    }

    void anotherTextDropsItsTiles() {
        Queue queue;
        TileCache cache(queue.fetch());
        test::TinyOptions options;
        cache.setSnapshot(test::tinySnapshot(options));
        cache.want({key(MapQuantity::Full)});
        queue.finishAll();
        QVERIFY(cache.bytes() > 0);
        options.seed = 2;
        cache.setSnapshot(test::tinySnapshot(options));
        QVERIFY(!cache.find(key(MapQuantity::Full)).tile);
        QCOMPARE(cache.bytes(), std::size_t{0});
    }

    void aTileThatComesLateForAnotherTextIsDropped() {
        Queue queue;
        TileCache cache(queue.fetch());
        test::TinyOptions options;
        cache.setSnapshot(test::tinySnapshot(options));
        cache.want({key(MapQuantity::Full)});
        options.seed = 2;
        cache.setSnapshot(test::tinySnapshot(options));
        queue.finishFirst();
        QVERIFY(!cache.find(key(MapQuantity::Full)).tile);
        queue.finishAll(); // asked again, for the new text
        QVERIFY(cache.find(key(MapQuantity::Full)).current);
    }

    /// A layer that reads everything is no exception: what its rectangle does not cover is not known yet.
    void aRectangleOfFullAttentionIsNotTheWholeLayer() {
        Queue queue;
        TileCache cache(queue.fetch());
        test::TinyOptions options;
        options.tokens = 200;
        options.policy = *presetPolicy("full");
        const auto whole = test::tinySnapshot(options);
        QVERIFY(whole->visible->plan->asModel);
        auto part = std::make_shared<Snapshot>(*whole);
        auto visible = std::make_shared<VisibleLayer>(*whole->visible);
        visible->plan = std::make_shared<const AttentionPlan>(
            makePlan(visible->plan->policy, whole->model->shape, 1, whole->facts, nullptr, {64, 128})
                .value());
        QVERIFY(visible->plan->asModel);
        for (std::size_t i = 0; i < visible->lse.size(); ++i)
            if (i / 4 < 64 || i / 4 >= 128)
                visible->lse[i] = std::numeric_limits<float>::quiet_NaN();
        part->visible = visible;
        cache.setSnapshot(part);
        cache.want({key(MapQuantity::Hybrid)});
        queue.finishAll();
        QVERIFY(!cache.settled());
        cache.setSnapshot(whole);
        queue.finishAll();
        const auto found = cache.find(key(MapQuantity::Hybrid));
        QVERIFY(found.current);
        for (std::size_t i = 0; i < 200; ++i)
            QVERIFY(!std::isnan(found.tile->value[i * kTile]));
    }

    void rowsOfANewPolicyAreNotPutBetweenOldOnes() {
        Queue queue;
        TileCache cache(queue.fetch());
        test::TinyOptions options;
        options.tokens = 200;
        cache.setSnapshot(test::tinySnapshot(options));
        cache.want({key(MapQuantity::Hybrid)});
        queue.finishAll();
        const TilePtr old = cache.find(key(MapQuantity::Hybrid)).tile;
        const auto first = cache.snapshot();
        options.policy.local.window = 3;
        const auto whole = test::tinySnapshot(options);
        // The same hybrid, of rows 64 to 128 only: what a held slider brings first.
        auto part = std::make_shared<Snapshot>(*whole);
        part->full = first->full;
        auto visible = std::make_shared<VisibleLayer>(*whole->visible);
        auto plan = std::make_shared<AttentionPlan>(*visible->plan);
        for (auto& head : plan->heads) {
            auto rows = std::make_shared<HeadPlan>(*head);
            rows->rows = {64, 128};
            head = rows;
        }
        visible->plan = plan;
        visible->head = 1;
        visible->fidelity.reset();
        part->visible = visible;
        cache.setSnapshot(part);
        queue.finishAll();
        auto found = cache.find(key(MapQuantity::Hybrid));
        QCOMPARE(found.tile, old);
        QVERIFY(!found.current);
        QVERIFY(!cache.settled());
        // Then the whole layer.
        auto complete = std::make_shared<Snapshot>(*whole);
        complete->full = first->full;
        cache.setSnapshot(complete);
        queue.finishAll();
        found = cache.find(key(MapQuantity::Hybrid));
        QVERIFY(found.current);
        QVERIFY(found.tile->value == makeTile(key(MapQuantity::Hybrid), *whole->tileSource(1), 1).value);
        QVERIFY(cache.settled());
    }

    void aPictureIsOfOnePolicy() {
        Queue queue;
        TileCache cache(queue.fetch());
        test::TinyOptions options;
        options.tokens = 600;
        const std::vector<MapKey> keys = {key(MapQuantity::Hybrid, 0, 0), key(MapQuantity::Hybrid, 1, 0),
                                          key(MapQuantity::Hybrid, 1, 1)};
        const auto first = test::tinySnapshot(options);
        cache.setSnapshot(first);
        cache.want(keys);
        queue.finishAll();
        const auto under = [&](std::int64_t window) {
            options.policy.local.window = window;
            auto next = test::tinySnapshot(options);
            next->full = first->full;
            return next;
        };
        const auto shown = [&] {
            std::vector<TilePtr> tiles;
            for (const MapKey& k : keys)
                tiles.push_back(cache.find(k).tile);
            return tiles;
        };
        const auto isOf = [&](const Snapshot& snapshot) {
            return std::all_of(keys.begin(), keys.end(), [&](const MapKey& k) {
                return cache.find(k).tile->state == makeTile(k, *snapshot.tileSource(1), 1).state;
            });
        };
        const std::vector<TilePtr> old = shown();
        const auto second = under(3);
        cache.setSnapshot(second);
        queue.finishFirst();
        QVERIFY(shown() == old);
        const auto third = under(40);
        cache.setSnapshot(third); // the slider goes on: what was begun is finished all the same
        cache.setSnapshot(under(60));
        queue.finishFirst();
        QVERIFY(shown() == old);
        queue.finishFirst();
        QVERIFY(isOf(*second)); // all three at once
        queue.finishAll();
        QVERIFY(isOf(*cache.snapshot()));
        QVERIFY(cache.settled());
        QVERIFY(!isOf(*third)); // it was overtaken
    }

    void theBudgetDropsTheLeastRecentlyUsedButNothingInSight() {
        Queue queue;
        test::TinyOptions options;
        options.tokens = 1000;
        TileCache probe(queue.fetch());
        probe.setSnapshot(test::tinySnapshot(options));
        probe.want({key(MapQuantity::Full)});
        queue.finishAll();
        const std::size_t one = probe.bytes();

        TileCache cache(queue.fetch(), nullptr, 3 * one);
        cache.setSnapshot(probe.snapshot());
        for (std::uint32_t col = 0; col < 3; ++col) {
            cache.want({key(MapQuantity::Full, 3, col)});
            queue.finishAll();
        }
        QVERIFY(cache.find(key(MapQuantity::Full, 3, 0)).tile); // used: now the youngest
        cache.want({key(MapQuantity::Full, 3, 3)});
        queue.finishAll();
        QVERIFY(!cache.find(key(MapQuantity::Full, 3, 1)).tile);
        QVERIFY(cache.find(key(MapQuantity::Full, 3, 0)).tile);
        QVERIFY(cache.bytes() <= 3 * one);
        cache.want({key(MapQuantity::Full, 0, 0), key(MapQuantity::Full, 1, 0), key(MapQuantity::Full, 1, 1),
                    key(MapQuantity::Full, 2, 0), key(MapQuantity::Full, 2, 1)});
        queue.finishAll();
        QVERIFY(cache.settled()); // all five stay although only three fit
    }

    void aCancelledFetchIsAskedAgain() {
        Queue queue;
        TileCache cache(queue.fetch());
        test::TinyOptions options;
        options.tokens = 600;
        cache.setSnapshot(test::tinySnapshot(options));
        cache.want(
            {key(MapQuantity::Full, 0, 0), key(MapQuantity::Full, 1, 0), key(MapQuantity::Full, 1, 1)});
        QCOMPARE(queue.started, 2);
        const Queue::Job job = std::move(queue.jobs.front());
        queue.jobs.pop_front();
        job.done(fail(ErrorCode::Cancelled, "cancelled"));
        QCOMPARE(queue.started, 3);
        queue.finishAll();
        QVERIFY(cache.settled());
    }

    void aTileThatCannotBeMadeIsNotAskedForEver() {
        int asked = 0;
        TileCache cache([&](TileCache::Work, TileCache::Done done) {
            ++asked;
            done(fail(ErrorCode::OutOfMemory, "no memory"));
        });
        cache.setSnapshot(test::tinySnapshot());
        cache.want({key(MapQuantity::Full)});
        QCOMPARE(asked, 1);
        cache.want({key(MapQuantity::Full)});
        QCOMPARE(asked, 1);
    }
};

QTEST_MAIN(tst_TileCache)
#include "tst_TileCache.moc"
