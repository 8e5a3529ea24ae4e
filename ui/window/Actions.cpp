#include "ui/window/Actions.h"
#include "ui/plot/NumberText.h"
#include <QStringList>
#include <array>

namespace fovea::ui {

namespace {

constexpr std::string_view kWindow = kWindowPlace;

constexpr std::array kActions = {
    ActionSpec{"file.open", "File", "&Open…", "Ctrl+O", kWindow,
               "Open a text, a model (GGUF or safetensors), a policy or a session"},
    ActionSpec{"file.paste", "File", "&Paste as text", "Ctrl+V", kWindow,
               "Replace the text by the clipboard's"},
    ActionSpec{"file.save", "File", "&Save session", "Ctrl+S", kWindow, "Text, model and policy in one file",
               true},
    ActionSpec{"file.saveAs", "File", "Save session &as…", "Ctrl+Shift+S", kWindow,
               "Save the session under another name"},
    ActionSpec{"file.savePolicy", "File", "Save po&licy…", "", kWindow,
               "The policy as JSON, for the command line too"},
    ActionSpec{"file.export", "File", "&Export view…", "Ctrl+E", kWindow,
               "The view as PNG, SVG or PDF, with legend and provenance", true},
    ActionSpec{"file.exportNumbers", "File", "Export map &numbers…", "Ctrl+Shift+E", kWindow,
               "The visible part of the map as CSV"},
    ActionSpec{"file.report", "File", "Save &report…", "", kWindow,
               "One HTML file that opens offline: figures, maps, text, losses, policy"},
    ActionSpec{"file.quit", "File", "&Quit", "Ctrl+Q", kWindow, "Close the window", true},

    ActionSpec{"edit.undo", "Edit", "&Undo", "Ctrl+Z", kWindow, "Undo the last change of text or parameters"},
    ActionSpec{"edit.redo", "Edit", "&Redo", "Ctrl+Shift+Z", kWindow, "Do it again"},
    ActionSpec{"edit.text", "Edit", "Edit &text", "F2", kWindow, "Type into the text", true},
    ActionSpec{"edit.find", "Edit", "&Find in the text…", "Ctrl+F", kWindow,
               "A word, #412, id:284 or an expression, and what the pinned query reads of it", true},
    ActionSpec{"edit.findNext", "Edit", "Find &next", "F3", kWindow, "Pins the next match"},
    ActionSpec{"edit.findPrevious", "Edit", "Find pre&vious", "Shift+F3", kWindow, "Pins the match before"},
    ActionSpec{"edit.goTo", "Edit", "&Go to token…", "Ctrl+G", kWindow, "By its position in the text"},
    ActionSpec{"edit.copyOptions", "Edit", "&Copy as command line", "", kWindow,
               "The policy as options of fovea analyze"},
    ActionSpec{"edit.back", "Edit", "One level &back", "Esc", kWindow,
               "Closes the card, then clears hover, pair, pins"},

    ActionSpec{"view.layerUp", "View", "&Previous layer", "PgUp", kWindow, "The layer above"},
    ActionSpec{"view.layerDown", "View", "&Next layer", "PgDown", kWindow, "The layer below"},
    ActionSpec{"view.headLeft", "View", "Previous &head", "[ Ctrl+PgUp", kWindow, "The head to the left"},
    ActionSpec{"view.headRight", "View", "Next h&ead", "] Ctrl+PgDown", kWindow, "The head to the right"},
    ActionSpec{"view.headBefore", "View", "Previous head by &rank", "{", kWindow,
               "By the metric of the heads panel, the most telling first"},
    ActionSpec{"view.headAfter", "View", "Next head by ran&k", "}", kWindow,
               "The head after it by that metric"},
    ActionSpec{"view.themeSystem", "View", "&System theme", "", kWindow, "As the desktop", true, "theme"},
    ActionSpec{"view.themeLight", "View", "&Light theme", "", kWindow, "Dark on light", false, "theme"},
    ActionSpec{"view.themeDark", "View", "&Dark theme", "", kWindow, "Light on dark", false, "theme"},
    ActionSpec{"view.projector", "View", "&Projector", "F8", kWindow,
               "Light, with type and lines 1.5 times as large; again: back", true},
    ActionSpec{"view.table", "View", "Ta&ble of the map", "Ctrl+T", kWindow,
               "The strongest links in sight as a table, to be read, sorted and copied; again: closes it",
               true},
    ActionSpec{"view.explore", "View", "E&xplore", "Ctrl+1", kWindow,
               "The map large, over the text, with panels around it", true, "workspace"},
    ActionSpec{"view.tune", "View", "T&une", "Ctrl+2", kWindow,
               "The curve of cost against fidelity large, beside the map", false, "workspace"},
    ActionSpec{"view.nextDock", "View", "Next &panel", "F6", kWindow, "Moves the focus to the next panel"},
    ActionSpec{"view.previousDock", "View", "Pre&vious panel", "Shift+F6", kWindow,
               "Moves the focus to the previous panel"},
    ActionSpec{"view.fullScreen", "View", "&Full screen", "F11", kWindow, "Full screen and back"},
    ActionSpec{"view.reset", "View", "&Reset layout", "", kWindow,
               "All panels where they were on the first launch"},

    ActionSpec{"run.again", "Run", "&Run", "Ctrl+R", kWindow, "Run the request again, as after a cancel"},
    ActionSpec{"run.cancel", "Run", "&Cancel newest job", "Ctrl+.", kWindow,
               "Stops within 100 ms; the picture stays"},
    ActionSpec{"run.generate", "Run", "Continue the te&xt", "Ctrl+Shift+G", kWindow,
               "A and B write on from the end of the text, each with its own cache"},
    ActionSpec{"run.f32", "Run", "Precision &f32", "", kWindow, "The reference", true, "precision"},
    ActionSpec{"run.bf16", "Run", "Precision &bf16", "", kWindow,
               "Dense layers and attention in bf16 with f32 sums", false, "precision"},
    ActionSpec{"run.native", "Run", "Model's own &windows", "", kWindow,
               "Layers that were trained with a window keep it, in full attention too", true, "windows"},
    ActionSpec{"run.opened", "Run", "&Opened up: every layer global", "", kWindow,
               "A change of the model: each layer may read the whole text", false, "windows"},

    ActionSpec{"help.palette", "Help", "&Command palette…", "Ctrl+K Ctrl+Shift+P", kWindow,
               "Finds commands, parameters, presets, heads, tokens and files by name"},
    ActionSpec{"compare.pin", "Compare", "&Pin this run", "Ctrl+D", kWindow,
               "Keeps the present policy with its figures, to be chosen as A or B"},
    ActionSpec{"compare.exchange", "Compare", "E&xchange A and B", "", kWindow,
               "What is B becomes A, and what was A becomes B (X in the map)"},
    ActionSpec{"compare.freeze", "Compare", "A is the pre&sent policy", "", kWindow,
               "Further changes of B show beside the policy as it is now", true},
    ActionSpec{"compare.full", "Compare", "A is &full attention", "", kWindow,
               "Compare with full attention again"},
    ActionSpec{"compare.otherText", "Compare", "A is another &text…", "", kWindow,
               "Two texts under one policy, side by side", true},
    ActionSpec{"compare.otherModel", "Compare", "A is another &model…", "", kWindow,
               "Two models on one text, side by side"},

    ActionSpec{"help.keys", "Help", "&Keyboard", "?", kWindow, "All keys on one sheet"},
    ActionSpec{"map.mode", "", "Mode", "M", "map", "A, B, their difference, kept keys"},
    ActionSpec{"map.exchange", "", "Exchange A and B", "X", "map",
               "What is B becomes A, and what was A becomes B"},
    ActionSpec{"map.lookAtA", "", "Look at A", "C", "map", "Shows A as long as the key is held"},
    ActionSpec{"map.kept", "", "Kept mask", "K", "map", "Lays the kept mask over the mode"},
    ActionSpec{"map.pooling", "", "Pooling", "P", "map", "Maximum or mass when a pixel holds several cells"},
    ActionSpec{"map.scale", "", "Scale", "L", "map", "Logarithmic or linear"},
    ActionSpec{"map.unit", "", "Tokens, words, sentences", "G", "map", "What a cell of the map stands for"},
    ActionSpec{"map.sinks", "", "Sinks", "I", "map", "As other keys, in a strip of their own, or left out"},
    ActionSpec{"map.hide", "", "Leave out", "H", "map",
               "The chosen tokens, or those that were added to the text; again: shows them"},
    ActionSpec{"map.fit", "", "Fit", "F", "map", "Fits the pinned cell; again: the whole text"},
    ActionSpec{"map.zoom", "", "Zoom", "W S", "map", "In and out, at the middle; the wheel: at the pointer"},
    ActionSpec{"map.pan", "", "Pan", "A D Q E", "map",
               "To earlier and later keys, to earlier and later queries"},
    ActionSpec{"map.move", "", "Move", "Up Down Left Right", "map",
               "Moves the selection: query up and down, key left and right"},
    ActionSpec{"map.pin", "", "Pin", "Return", "map", "Pins the cell under the cursor"},
    ActionSpec{"text.move", "", "Move", "Left Right Home End", "text",
               "Moves the pin; with Shift adds to it"},
    ActionSpec{"text.done", "", "Done", "Ctrl+Return", "text", "Ends editing and runs the new text"},
    ActionSpec{"generate.previous", "", "Previous step", ", Left", "generate",
               "The generated token before; every number shows that step"},
    ActionSpec{"generate.next", "", "Next step", ". Right", "generate", "The next generated token"},
    ActionSpec{"generate.ends", "", "First, last step", "Home End", "generate",
               "The first and the last generated token"},
    ActionSpec{"generate.play", "", "Play", "Space", "generate", "Four steps a second; again: stops"},
    ActionSpec{"heads.move", "", "Move", "Up Down Left Right", "heads", "Chooses the layer and the head"},
    ActionSpec{"heads.set", "", "Add to the set", "Shift+Return", "heads",
               "The map combines the chosen heads; again: takes it out"},

    ActionSpec{"help.about", "Help", "&About Fovea", "", kWindow, "Version and licence"},
};

} // namespace

std::span<const ActionSpec> actionSpecs() {
    return kActions;
}

std::vector<QString> keysOf(const ActionSpec& action) {
    std::vector<QString> result;
    const QString keys = text(action.keys);
    for (const QString& key : keys.split(QLatin1Char(' '), Qt::SkipEmptyParts))
        result.push_back(key);
    return result;
}

} // namespace fovea::ui
