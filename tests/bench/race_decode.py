#!/usr/bin/env python3
"""Decoding of the same GGUF file by Fovea and by llama.cpp, one token at a time from a cache, interleaved round by round.

  race_decode.py FOVEA MODEL.gguf [--depth 512,2048] [--threads 2] [--rounds 5] [--flash off,on]

FOVEA is the program itself (`fovea bench --case decode-N`: full attention, f32 keys and values, f32 activations, weights as the
file stores them, logits included). llama.cpp (llama-cpp-python built with native flags) keeps f16 keys and values and rounds
activations to 8 bits: the work is the same, the precision of Fovea's is higher. Prints medians, spread and the ratio against the
faster of llama.cpp's two ways.
"""
import argparse
import json
import os
import statistics
import subprocess
import time

import llama_cpp

STEPS = 8


class Peer:
    def __init__(self, path, depth, threads, flash):
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = depth + 64
        params.n_batch = params.n_ubatch = 512
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = 1 if flash else 0
        params.no_perf = True
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        assert self.context, "llama.cpp made no context"
        self.vocabulary = min(49152, llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model)))
        self.depth = depth
        self.memory = llama_cpp.llama_get_memory(self.context)
        for first in range(0, depth, 512):
            self.decode(range(first, min(first + 512, depth)))

    def decode(self, positions):
        batch = llama_cpp.llama_batch_init(len(positions), 0, 1)
        batch.n_tokens = len(positions)
        for i, position in enumerate(positions):
            batch.token[i] = (position * 7919 + 17) % self.vocabulary
            batch.pos[i] = position
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = 1 if i + 1 == len(positions) else 0
        assert llama_cpp.llama_decode(self.context, batch) == 0
        llama_cpp.llama_synchronize(self.context)
        llama_cpp.llama_batch_free(batch)

    def run(self):
        times = []
        for n in range(STEPS):
            start = time.perf_counter()
            self.decode([self.depth + n])
            times.append(time.perf_counter() - start)
        llama_cpp.llama_memory_seq_rm(self.memory, 0, self.depth, -1)
        return statistics.median(times)


class Ours:
    def __init__(self, program, path, depth, threads):
        self.command = [program, "bench", "--json", "--quiet", "--rounds", "1", "--model", path, "--threads", str(threads),
                        "--case", f"decode-{depth}"]
        self.last = {}

    def run(self):
        env = dict(os.environ)
        env.pop("OMP_WAIT_POLICY", None)
        done = subprocess.run(self.command, capture_output=True, check=True, env=env)
        self.last = json.loads(done.stdout)["cases"][0]
        return self.last["seconds"]["median"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--depth", default="512,2048")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--flash", default="off,on")
    args = parser.parse_args()
    llama_cpp.llama_backend_init()
    silence = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(silence, None)
    print("llama.cpp:", llama_cpp.__version__, llama_cpp.llama_print_system_info().decode())
    for depth in map(int, args.depth.split(",")):
        runners = {"fovea": Ours(args.program, args.model, depth, args.threads)}
        for flash in args.flash.split(","):
            runners[f"llama.cpp flash {flash}"] = Peer(args.model, depth, args.threads, flash == "on")
        seconds = {name: [] for name in runners}
        for _ in range(args.rounds):
            for name, runner in runners.items():
                seconds[name].append(runner.run())
        best_peer = min(statistics.median(s) for name, s in seconds.items() if name != "fovea")
        for name, times in seconds.items():
            median = statistics.median(times)
            row = {"depth": depth, "threads": args.threads, "runner": name, "rounds": args.rounds, "seconds": round(median, 5),
                   "spread": round((max(times) - min(times)) / median, 3), "tokens_per_second": round(1 / median, 1)}
            if name == "fovea":
                row["times_llama_cpp"] = round(best_peer / median, 2)
                row["read_gb_s"] = round(runners[name].last["read_gb_s"], 1)
                row["share_of_bandwidth"] = round(runners[name].last["share_of_bandwidth"], 2)
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
