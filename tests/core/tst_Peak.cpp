#include "core/kernels/Peak.h"
#include <QTest>

using namespace fovea;

class TestPeak : public QObject {
    Q_OBJECT

private slots:
    void everyInstructionSet_hasALimit() {
        for (const Isa isa : availableIsas()) {
            const Peak peak = measurePeak(isa, 1);
            qInfo("%s: %.1f GF/s f32, %.1f bf16, %.1f GB/s", isaName(isa).data(), peak.fmaGflops,
                  peak.bf16Gflops, peak.readGBs);
            QCOMPARE(peak.threads, 1);
            QVERIFY(peak.fmaGflops > 0.01 && peak.fmaGflops < 1e5); // no loop was dropped by the compiler
            QVERIFY(peak.readGBs > 0.01 && peak.readGBs < 1e4);
            QVERIFY(peak.bf16Gflops == 0 || isa == Isa::Avx512);
        }
    }
};

QTEST_APPLESS_MAIN(TestPeak)
#include "tst_Peak.moc"
