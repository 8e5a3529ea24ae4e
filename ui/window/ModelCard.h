#pragma once
#include "core/engine/Request.h"
#include "ui/window/Sheet.h"
#include <cstddef>

namespace fovea::ui {

/// Shows what is known of a model file before and after loading: family, shape, tensor types, context,
/// tokenizer and memory, each with a tick or a reason. If the model cannot be loaded, the card stays open and
/// names the first thing that is not supported.
class ModelCard : public Sheet {
    Q_OBJECT
public:
    explicit ModelCard(QWidget* over);
    /// `tokens` of the current text, 0 while unknown. `hashNote` stands for a hash that is not known.
    void showModel(const Model& model, Precision precision, std::size_t tokens, const QString& hashNote);
    void showFault(const QString& path, const QString& sentence);
};

/// "SmolLM2-135M-Instruct Q4_1": for the top bar and titles.
[[nodiscard]] QString modelTitle(const Model& model);

} // namespace fovea::ui
