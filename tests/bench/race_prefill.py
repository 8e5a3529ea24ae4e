#!/usr/bin/env python3
"""Prefill of the same GGUF file by Fovea and by llama.cpp, interleaved in one run, logits for every position on both sides.

  race_prefill.py BENCH_PREFILL MODEL.gguf [--tokens 512,2048] [--threads 2] [--rounds 7] [--precision bf16,f32] [--flash off,on]

BENCH_PREFILL is the program built from bench_prefill.cpp (preset bench). Needs llama-cpp-python built with native flags; it
runs with n_ubatch 512, flash attention off and on, through llama_decode itself (no copy to Python). Prints medians, the
spread (max - min over median), the ratio against the faster of llama.cpp's two ways, and the share of the multiply-add peak
that is measured before each round of ours.
"""
import argparse
import json
import statistics
import subprocess
import time

import llama_cpp


class Peer:
    """llama.cpp with every position's logits asked for."""

    def __init__(self, path, tokens, threads, flash):
        model_params = llama_cpp.llama_model_default_params()
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), model_params)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = tokens
        params.n_batch = tokens
        params.n_ubatch = 512
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = 1 if flash else 0
        params.no_perf = True
        if hasattr(params, "n_outputs_max"):
            params.n_outputs_max = tokens
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        assert self.context, "llama.cpp made no context"
        self.batch = llama_cpp.llama_batch_init(tokens, 0, 1)
        self.batch.n_tokens = tokens
        vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        for i in range(tokens):
            self.batch.token[i] = (i * 7919 + 17) % min(49152, vocabulary)
            self.batch.pos[i] = i
            self.batch.n_seq_id[i] = 1
            self.batch.seq_id[i][0] = 0
            self.batch.logits[i] = 1

    def close(self):
        llama_cpp.llama_batch_free(self.batch)
        llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)

    def run(self):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        start = time.perf_counter()
        assert llama_cpp.llama_decode(self.context, self.batch) == 0
        llama_cpp.llama_synchronize(self.context)
        return time.perf_counter() - start


class Ours:
    def __init__(self, program, path, precision, tokens, threads):
        self.process = subprocess.Popen([program, path, precision, str(tokens), str(threads)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.last = {}
        self.shares = []

    def run(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.last = json.loads(self.process.stdout.readline())
        self.shares.append(self.last["gflops"] / self.last["peak_gflops"])
        return self.last["seconds"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--tokens", default="512,2048")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--precision", default="bf16,f32")
    parser.add_argument("--flash", default="off,on", help="llama.cpp's flash attention: off, on or both")
    args = parser.parse_args()
    llama_cpp.llama_backend_init()
    silence = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(silence, None)
    print("llama.cpp:", llama_cpp.__version__, llama_cpp.llama_print_system_info().decode())
    for tokens in map(int, args.tokens.split(",")):
        runners = {f"fovea {p}": Ours(args.program, args.model, p, tokens, args.threads)
                   for p in args.precision.split(",")}
        ours = list(runners)
        for flash in args.flash.split(","):
            runners[f"llama.cpp flash {flash}"] = Peer(args.model, tokens, args.threads, flash == "on")
        for name, runner in list(runners.items()):
            try:
                runner.run()  # first-call costs apart
            except (BrokenPipeError, json.JSONDecodeError):  # it has said why
                print(json.dumps({"tokens": tokens, "runner": name, "not_run": "refused on this machine"}), flush=True)
                ours.remove(name)
                del runners[name]
        seconds = {name: [] for name in runners}
        for _ in range(args.rounds):
            for name, runner in runners.items():
                seconds[name].append(runner.run())
        best_peer = min(statistics.median(s) for name, s in seconds.items() if name not in ours)
        for name, times in seconds.items():
            median = statistics.median(times)
            row = {"tokens": tokens, "threads": args.threads, "runner": name, "rounds": args.rounds, "seconds": round(median, 4),
                   "spread": round((max(times) - min(times)) / median, 3), "tokens_per_second": round(tokens / median, 1)}
            if name in ours:
                row["times_llama_cpp"] = round(best_peer / median, 2)
                row["share_of_peak"] = round(statistics.median(runners[name].shares[1:]), 2)  # without the first call
                row["attention_share"] = round(runners[name].last["attention_seconds"] / runners[name].last["seconds"], 3)
                row["logits_share"] = round(runners[name].last["logits_seconds"] / runners[name].last["seconds"], 3)
            print(json.dumps(row), flush=True)
        for runner in runners.values():
            runner.close()


if __name__ == "__main__":
    main()
