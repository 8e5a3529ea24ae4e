// The default model's logits against tests/golden/make_logits.py, which shares no code with Fovea.
#include "SourceDir.h"
#include "core/model/Forward.h"
#include "tests/support/PlainAttend.h"
#include <QFile>
#include <QtTest>
#include <cmath>
#include <nlohmann/json.hpp>

using namespace fovea;

class tst_Forward : public QObject {
    Q_OBJECT

private slots:
    void initTestCase();
    void f32Logits_agreeWithTransformers();
    void bf16Logits_stayNearF32();
    void logits_doNotDependOnHowRowsAreAsked();
    void bits_areTheSameAtAnyThreadCount_data();
    void bits_areTheSameAtAnyThreadCount();
    void projectOutput_isWhatTheLayerAdds();
    void badIds_areRefused();
    void cancel_stopsBeforeTheNextLayer();

private:
    std::shared_ptr<const Model> load(Precision precision);
    Matrix hiddenOf(const Model& model, std::span<const std::int32_t> ids, int threads = 0);

    std::shared_ptr<const Model> bf16Model() {
        if (!m_bf16)
            m_bf16 = load(Precision::BF16);
        return m_bf16;
    }

    std::shared_ptr<const Model> m_model;
    std::shared_ptr<const Model> m_bf16;
    nlohmann::json m_golden;
    std::vector<std::int32_t> m_ids;
};

void tst_Forward::initTestCase() {
    const auto path = findModel("");
    if (!path)
        QSKIP(path.error().message.c_str());
    m_model = load(Precision::F32);
    QFile file(FOVEA_SOURCE_DIR "/tests/golden/logits.json");
    QVERIFY(file.open(QIODevice::ReadOnly));
    m_golden = nlohmann::json::parse(file.readAll().toStdString());
    m_ids = m_golden["ids"].get<std::vector<std::int32_t>>();
    QVERIFY(m_ids.size() > 500);
}

std::shared_ptr<const Model> tst_Forward::load(Precision precision) {
    LoadOptions options;
    options.precision = precision;
    auto model = loadModel(*findModel(""), options, {});
    if (!model)
        qFatal("%s", model.error().message.c_str());
    return *model;
}

Matrix tst_Forward::hiddenOf(const Model& model, std::span<const std::int32_t> ids, int threads) {
    WorkContext work;
    work.threads = threads;
    auto hidden = forward(model, ids, test::plainAttend(model.shape), work);
    if (!hidden)
        qFatal("%s", hidden.error().message.c_str());
    return std::move(*hidden);
}

void tst_Forward::f32Logits_agreeWithTransformers() {
    const Matrix hidden = hiddenOf(*m_model, m_ids);
    const auto vocabulary = static_cast<std::size_t>(m_model->shape.vocabulary);
    QCOMPARE(vocabulary, m_golden["vocabulary"].get<std::size_t>());
    const auto columns = m_golden["columns"].get<std::vector<std::size_t>>();
    const auto lse = m_golden["log_sum_exp"].get<std::vector<double>>();
    QFile file(FOVEA_SOURCE_DIR "/tests/golden/logits_columns.f32");
    QVERIFY(file.open(QIODevice::ReadOnly));
    const QByteArray bytes = file.readAll();
    QCOMPARE(static_cast<std::size_t>(bytes.size()), m_ids.size() * columns.size() * sizeof(float));
    std::vector<float> expected(m_ids.size() * columns.size());
    std::memcpy(expected.data(), bytes.data(), static_cast<std::size_t>(bytes.size()));

    double worst = 0;
    double worstLse = 0;
    std::size_t compared = 0;
    std::size_t next = 0;
    Matrix logits(64, vocabulary);
    for (std::size_t first = 0; first < m_ids.size(); first += 64) {
        const std::size_t rows = std::min<std::size_t>(64, m_ids.size() - first);
        logitRows(*m_model, hidden.view(), first, logits.view().rowRange(0, rows), 0);
        for (std::size_t r = 0; r < rows; ++r) {
            const float* row = logits.view().row(r);
            const std::size_t token = first + r;
            const auto differ = [&](std::size_t id, double want) {
                worst = std::max(worst, std::abs(static_cast<double>(row[id]) - want));
                ++compared;
            };
            for (std::size_t c = 0; c < columns.size(); ++c)
                differ(columns[c], static_cast<double>(expected[token * columns.size() + c]));
            double sum = 0;
            for (std::size_t id = 0; id < vocabulary; ++id)
                sum += std::exp(static_cast<double>(row[id]));
            worstLse = std::max(worstLse, std::abs(std::log(sum) - lse[token]));
            if (next < m_golden["tops"].size() && m_golden["tops"][next]["position"] == token) {
                const auto& top = m_golden["tops"][next++];
                for (std::size_t i = 0; i < top["ids"].size(); ++i)
                    differ(top["ids"][i], top["logits"][i]);
                const auto best = std::max_element(row, row + vocabulary) - row;
                QCOMPARE(best, top["ids"][0].get<std::ptrdiff_t>());
            }
        }
    }
    QCOMPARE(next, m_golden["tops"].size());
    qInfo("%zu tokens, %zu logits compared: largest difference %.2e, of log-sum-exp %.2e", m_ids.size(),
          compared, worst, worstLse);
    QVERIFY(worst <= 1e-3);
    QVERIFY(worstLse <= 1e-3);
}

void tst_Forward::bf16Logits_stayNearF32() {
    if (const auto available = precisionAvailable(Precision::BF16); !available)
        QSKIP(available.error().message.c_str());
    const auto bf16 = bf16Model();
    const std::span<const std::int32_t> ids(m_ids.data(), 200);
    const Matrix exact = hiddenOf(*m_model, ids);
    const Matrix rounded = hiddenOf(*bf16, ids);
    const auto vocabulary = static_cast<std::size_t>(m_model->shape.vocabulary);
    Matrix a(ids.size(), vocabulary);
    Matrix b(ids.size(), vocabulary);
    logitRows(*m_model, exact.view(), 0, a.view(), 0);
    logitRows(*bf16, rounded.view(), 0, b.view(), 0);
    double kl = 0;
    std::size_t sameBest = 0;
    for (std::size_t t = 0; t < ids.size(); ++t) {
        const float* p = a.view().row(t);
        const float* q = b.view().row(t);
        double sumP = 0;
        double sumQ = 0;
        for (std::size_t i = 0; i < vocabulary; ++i) {
            sumP += std::exp(static_cast<double>(p[i]));
            sumQ += std::exp(static_cast<double>(q[i]));
        }
        for (std::size_t i = 0; i < vocabulary; ++i) {
            const double logP = static_cast<double>(p[i]) - std::log(sumP);
            kl += std::exp(logP) * (logP - static_cast<double>(q[i]) + std::log(sumQ));
        }
        sameBest +=
            std::max_element(p, p + vocabulary) - p == std::max_element(q, q + vocabulary) - q ? 1U : 0U;
    }
    kl /= static_cast<double>(ids.size());
    qInfo("bf16 against f32: mean KL %.2e, same best token %zu of %zu", kl, sameBest, ids.size());
    QVERIFY(kl < 5e-3);
    QVERIFY(sameBest * 100 >= ids.size() * 93);
}

void tst_Forward::logits_doNotDependOnHowRowsAreAsked() {
    const Matrix hidden = hiddenOf(*m_model, std::span(m_ids).subspan(0, 150));
    const auto vocabulary = static_cast<std::size_t>(m_model->shape.vocabulary);
    Matrix whole(150, vocabulary);
    Matrix part(1, vocabulary);
    logitRows(*m_model, hidden.view(), 0, whole.view(), 0);
    for (const std::size_t row : {std::size_t{0}, std::size_t{77}, std::size_t{149}}) {
        logitRows(*m_model, hidden.view(), row, part.view(), 0);
        for (std::size_t i = 0; i < vocabulary; ++i)
            QVERIFY(std::abs(part.view()(0, i) - whole.view()(row, i)) < 1e-4F);
    }
}

void tst_Forward::bits_areTheSameAtAnyThreadCount_data() {
    QTest::addColumn<int>("precision");
    QTest::addColumn<int>("tokens");
    for (const int tokens : {1, 128, 300}) {
        QTest::addRow("f32 T=%d", tokens) << static_cast<int>(Precision::F32) << tokens;
        QTest::addRow("bf16 T=%d", tokens) << static_cast<int>(Precision::BF16) << tokens;
    }
}

void tst_Forward::bits_areTheSameAtAnyThreadCount() {
    QFETCH(int, precision);
    QFETCH(int, tokens);
    const auto asked = static_cast<Precision>(precision);
    if (const auto available = precisionAvailable(asked); !available)
        QSKIP(available.error().message.c_str());
    const auto model = asked == Precision::F32 ? m_model : bf16Model();
    const std::span<const std::int32_t> ids(m_ids.data(), static_cast<std::size_t>(tokens));
    const Matrix one = hiddenOf(*model, ids, 1);
    const auto vocabulary = static_cast<std::size_t>(model->shape.vocabulary);
    Matrix logitsOfOne(1, vocabulary);
    logitRows(*model, one.view(), one.rows() - 1, logitsOfOne.view(), 1);
    for (const int threads : {2, 3}) {
        const Matrix many = hiddenOf(*model, ids, threads);
        QCOMPARE(std::memcmp(one.view().data, many.view().data, one.bytes()), 0);
        Matrix logits(1, vocabulary);
        logitRows(*model, many.view(), many.rows() - 1, logits.view(), threads);
        QCOMPARE(std::memcmp(logits.view().data, logitsOfOne.view().data, logits.bytes()), 0);
    }
}

void tst_Forward::projectOutput_isWhatTheLayerAdds() {
    // With an attention that returns zeros for layer 0 the residual stream differs by exactly the projection.
    const std::span<const std::int32_t> ids(m_ids.data(), 40);
    const auto attend = test::plainAttend(m_model->shape);
    Matrix before(ids.size(), static_cast<std::size_t>(m_model->shape.width));
    Matrix o(ids.size(), static_cast<std::size_t>(m_model->shape.heads * m_model->shape.headDim));
    WorkContext work;
    const auto keep = [&](const LayerInput& in, MatrixView out) -> Result<> {
        FOVEA_TRY(attend(in, out));
        if (in.layer == 0) {
            std::copy_n(in.x.data, before.rows() * before.cols(), before.view().data);
            std::copy_n(out.data, o.rows() * o.cols(), o.view().data);
        }
        work.cancel.cancel();
        return {};
    };
    QCOMPARE(forward(*m_model, ids, keep, work).error().code, ErrorCode::Cancelled);
    Matrix y(before.rows(), before.cols());
    projectOutput(*m_model, 0, o.view(), y.view(), 0);
    double size = 0;
    for (std::size_t i = 0; i < y.rows() * y.cols(); ++i)
        size = std::max(size, std::abs(static_cast<double>(y.view().data[i])));
    QVERIFY(size > 1e-3);
    // Linear: twice the input gives twice the output.
    for (std::size_t i = 0; i < o.rows() * o.cols(); ++i)
        o.view().data[i] *= 2;
    Matrix twice(before.rows(), before.cols());
    projectOutput(*m_model, 0, o.view(), twice.view(), 1);
    for (std::size_t i = 0; i < y.rows() * y.cols(); ++i)
        QCOMPARE(twice.view().data[i], 2 * y.view().data[i]);
}

void tst_Forward::badIds_areRefused() {
    const auto attend = test::plainAttend(m_model->shape);
    const std::vector<std::int32_t> tooLarge{1, 49152};
    const auto result = forward(*m_model, tooLarge, attend, {});
    QVERIFY(!result);
    QCOMPARE(result.error().code, ErrorCode::BadValue);
    QVERIFY(result.error().message.find("token 1 has the id 49152; 0 to 49151") != std::string::npos);
    const std::vector<std::int32_t> negative{-1};
    QCOMPARE(forward(*m_model, negative, attend, {}).error().code, ErrorCode::BadValue);
    QCOMPARE(forward(*m_model, {}, attend, {}).error().code, ErrorCode::BadValue);
}

void tst_Forward::cancel_stopsBeforeTheNextLayer() {
    WorkContext work;
    int layers = 0;
    const auto attend = [&](const LayerInput& in, MatrixView) -> Result<> {
        ++layers;
        if (in.layer == 2)
            work.cancel.cancel();
        return {};
    };
    const auto result = forward(*m_model, std::span(m_ids).subspan(0, 10), attend, work);
    QVERIFY(!result);
    QCOMPARE(result.error().code, ErrorCode::Cancelled);
    QCOMPARE(layers, 3);
}

QTEST_GUILESS_MAIN(tst_Forward)
#include "tst_Forward.moc"
