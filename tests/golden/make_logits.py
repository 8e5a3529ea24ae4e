#!/usr/bin/env python3
"""Golden logits of the default model, from an implementation that shares no code with Fovea.

Transformers (torch, f32, eager attention) runs the weights that its own GGUF loader unpacks. Token ids come from llama.cpp's
tokenizer: the one Transformers rebuilds from this file ignores the single-digit rule. Ids, not text, are compared with.

  make_logits.py MODEL.gguf        needs torch, transformers, accelerate, gguf, llama-cpp-python, numpy

Writes beside itself:
  logits.json          ids [T]; log-sum-exp of the logits [T]; the chosen columns; for every 16th position the 20 best (id, logit)
  logits_columns.f32   [T x columns] little-endian f32: the logits of the chosen vocabulary columns at every position
"""
import json
import os
import pathlib
import sys

import numpy
import torch
import transformers
from llama_cpp import Llama

HERE = pathlib.Path(__file__).parent

TEXT = """The lighthouse keeper's log, 14 November 1987.
Wind from the north-west, force 7, rising. At 06:45 the fishing boat Marie-Claire (registration BR-40219) was seen two miles
off the point, heading for harbour. Visibility 3 km, falling. The barometer stands at 983.4 hPa, down 11 since midnight.

I have kept this light for twenty-two years, and I still count the seconds between the flashes, though the machine does not
need me to. Four short, one long, then nine seconds of dark. My predecessor, old Tanguy, used to say that a light is a
promise made to people you will never meet. He also said that the tea here is undrinkable, which is true: the cistern tastes
of iron and gulls.

>>> def flashes(n, dark=9.0):
...     pattern = [0.5] * 4 + [2.0]
...     return sum(pattern) * n + dark * (n - 1)
...
>>> flashes(100)
1291.0

Le gardien écrit aussi en français : « La mer n'est jamais la même deux fois. » Und manchmal auf Deutsch: Größe, Übung, Straße.
数字は 12345 です。 Привет, маяк! مرحبا 👋🏽 done.

At 09:10 the Marie-Claire called on channel 16. Her engine had stopped; she was drifting towards the rocks that the charts
call Les Sœurs and that everyone here calls the Teeth. I gave her position to the coast guard: 48°28'N, 5°05'W. The lifeboat
from Molène would need fifty minutes. Fifty minutes is a long time when the wind is rising and the Teeth are one mile away.

So I did what Tanguy would have done. I switched the light to steady, which is forbidden, and I sounded the horn, four short
and one long, and I read to them over the radio, because a voice is also a kind of light. I read the tide tables, then the
recipe on the flour bag, and then, when I had nothing else, this log from the beginning. The skipper answered every page with
one word: "Again." At 09:58 the lifeboat had a line aboard. At 10:30 both boats were in the lee of the island, and the Marie-
Claire's skipper asked me over channel 16 what the name of the cook was who could not make tea. I told him: Tanguy.
"""


def main() -> None:
    path = os.path.realpath(sys.argv[1])
    vocabulary = Llama(path, vocab_only=True, verbose=False)
    ids = vocabulary.tokenize(TEXT.encode(), add_bos=False, special=False)
    del vocabulary
    torch.set_num_threads(1)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        os.path.dirname(path), gguf_file=os.path.basename(path), dtype=torch.float32, attn_implementation="eager")
    model.eval()
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].to(torch.float32).numpy()
    width = logits.shape[1]
    columns = sorted(numpy.random.default_rng(17).choice(width, 64, replace=False).tolist())
    lse = torch.logsumexp(torch.from_numpy(logits).double(), 1).numpy()
    tops = []
    for position in range(0, len(ids), 16):
        order = numpy.argsort(-logits[position], kind="stable")[:20]
        tops.append({"position": position, "ids": order.tolist(),
                     "logits": [float(f"{v:.7g}") for v in logits[position][order]]})
    document = {
        "made_by": f"make_logits.py, torch {torch.__version__}, transformers {transformers.__version__}, f32, eager",
        "model": "SmolLM2-135M-Instruct.Q4_1.gguf", "vocabulary": width, "ids": ids,
        "log_sum_exp": [float(f"{v:.9g}") for v in lse], "columns": columns, "tops": tops}
    (HERE / "logits.json").write_text(json.dumps(document, separators=(",", ":")).replace(',"', ',\n"') + "\n")
    logits[:, columns].astype("<f4").tofile(HERE / "logits_columns.f32")
    print(f"{len(ids)} tokens, vocabulary {width}, largest logit {logits.max():.2f}")


if __name__ == "__main__":
    main()
