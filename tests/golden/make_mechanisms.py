#!/usr/bin/env python3
"""Golden choices of the routing mechanisms: tests/golden/mechanisms.json.

    python3 make_mechanisms.py        # plain Python, no packages; about a minute

Every mechanism restated from its paper on a small random layer (4 query heads, 2 key-value heads of 16), one query and
one key at a time in double precision; nothing here comes from the program. What each restatement follows, and where it
deviates from the published code, stands beside it. q, k and v are draws of SplitMix64, so both sides make the same ones.
Not compared with packages: reformer-pytorch and routing-transformer sort buckets over the whole text (the causal forms
here do not), H2O's, SnapKV's and Quest's code is bound to their models. FlexPrefill's and XAttention's block selection
was written after reading their code (bytedance/FlexPrefill, mit-han-lab/x-attention).
"""
import json
import math
import os

M64 = (1 << 64) - 1
HEADS, KV, D, LAYER = 4, 2, 16, 1
SCALE = 1 / math.sqrt(D)


def mix(x):
    x = (x + 0x9E3779B97F4A7C15) & M64
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & M64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & M64
    return x ^ (x >> 31)


def chain(first, *rest):
    state = mix(first)
    for r in rest:
        state = mix(state ^ (r & M64))
    return state


def unit(draw):
    return (draw >> 40) / 2.0 ** 24


class Layer:
    def __init__(self, T, seed, spiked=False):
        self.T, state = T, seed

        def table(width):
            nonlocal state
            rows = []
            for _ in range(T):
                row = []
                for _ in range(width):
                    state = mix(state)
                    row.append(4 * unit(state) - 2)
                rows.append(row)
            return rows
        self.q, self.k, self.v = table(HEADS * D), table(KV * D), table(KV * D)
        self.ids, self.norm = [], []
        for t in range(T):
            state = mix(state)
            self.ids.append((state >> 33) % 11)
            self.norm.append(1 + unit(state))
        if spiked:  # few keys that stand out: pooling hides them
            for t in range(13, T, 97):
                self.k[t] = [4 * x for x in self.k[t]]

    def query(self, h, i):
        return self.q[i][h * D:(h + 1) * D]

    def key(self, g, j):
        return self.k[j][g * D:(g + 1) * D]

    def value(self, g, j):
        return self.v[j][g * D:(g + 1) * D]

    def logit(self, h, i, j):
        return SCALE * dot(self.query(h, i), self.key(h // 2, j))

    def row(self, h, i, keys=None):
        """softmax of one row over `keys` (all up to i)"""
        keys = list(range(i + 1)) if keys is None else keys
        s = [self.logit(h, i, j) for j in keys]
        m = max(s)
        e = [math.exp(x - m) for x in s]
        z = sum(e)
        return {j: x / z for j, x in zip(keys, e)}


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


class Case:
    """Local and always parts, phase and border."""

    def __init__(self, layer, W=0, S=0, chunk=0, phase="all"):
        self.L, self.T, self.W, self.S, self.chunk, self.phase = layer, layer.T, W, S, chunk, phase
        self.P = self.T - self.T // 4

    def full(self, i):
        return {"all": False, "prefill": i >= self.P, "decode": i < self.P}[self.phase]

    def held(self, i):
        """keys that local and always read"""
        own = {j for j in range(max(0, i - self.W + 1), i + 1)} if self.W else set()
        if self.chunk:
            own |= set(range(i // self.chunk * self.chunk, i + 1))
        return own | set(range(min(self.S, i + 1)))

    def candidates(self, i):
        if self.full(i):
            return []
        held = self.held(i)
        return [j for j in range(i + 1) if j not in held]


def best(scored, count):
    """(score, place) pairs: highest first, ties to the later"""
    return sorted(scored, reverse=True)[:count]


def group(g):
    return [2 * g, 2 * g + 1]


# --- pages and blocks ------------------------------------------------------------------------------------------------
def page_score(L, kind, heads, i, p, page):
    """Statistics over keys of the page that are <= i. MoBA (2502.13189): mean; Quest (2406.10774): the bound."""
    total = 0
    keys = range(p * page, min((p + 1) * page, i + 1))
    for h in heads:
        q = L.query(h, i)
        ks = [L.key(h // 2, j) for j in keys]
        for c in range(D):
            column = [k[c] for k in ks]
            if kind == "mean":
                total += q[c] * sum(column) / len(column)
            else:
                total += max(q[c] * min(column), q[c] * max(column))
    return SCALE * total / len(heads)


def choose_pages(case, anchor, score, page, budget, mass=None, skip=()):
    """Pages with candidates of `anchor`, by count (of keys) or coverage of mass (score is a log of mean weight unless mass)."""
    kind, amount = budget
    open_keys = {}
    for j in case.candidates(anchor):
        if j // page not in skip:
            open_keys.setdefault(j // page, []).append(j)
    scored = [(score[p], p) for p in open_keys]
    if kind == "count":
        return [p for _, p in best(scored, -(-amount // page))]
    seen = {p: min(page, anchor + 1 - p * page) for p in score}
    weight = {p: (score[p] if mass else math.exp(score[p]) * seen[p]) for p in score}
    total = sum(weight.values())
    held = sum(weight[p] * (1 - len(open_keys.get(p, [])) / seen[p]) for p in score)
    chosen = []
    for _, p in best(scored, len(scored)):
        if held >= amount * total:
            break
        chosen.append(p)
        held += weight[p] * len(open_keys[p]) / seen[p]
    return chosen


def pages(case, kind, budget, page, heads):
    def rows(i):
        score = {p: page_score(case.L, kind, heads, i, p, page) for p in range(i // page + 1)}
        chosen = choose_pages(case, i, score, page, budget)
        return [j for j in case.candidates(i) if j // page in chosen]
    return rows


def blocks(case, mass_of, budget, page, block, is_mass):
    """The block's first query that routes chooses; pages from its own on are read anyway."""
    def rows(i):
        if case.full(i):
            return []
        anchor = next(a for a in range(i // block * block, i + 1) if not case.full(a))
        score = {p: mass_of(anchor, p) for p in range(anchor // page + 1)}
        own = anchor // page
        chosen = choose_pages(case, anchor, score, page, budget, is_mass, skip=(own,))
        return [j for j in case.candidates(i) if j // page in chosen or j // page >= own]
    return rows


def block_pool(case, page, block, h):
    """softmax over key blocks of mean(Q block).mean(K block) (2407.02490), keys up to the block's last query"""
    L, cache = case.L, {}

    def mass(anchor, p):
        b = anchor // block
        if b not in cache:
            last = min((b + 1) * block, L.T)
            qs = [L.query(h, i) for i in range(b * block, last)]
            q = [sum(c) / len(qs) for c in zip(*qs)]
            s = []
            for n in range((last - 1) // page + 1):
                ks = [L.key(h // 2, j) for j in range(n * page, min((n + 1) * page, last))]
                s.append(SCALE * dot(q, [sum(c) / len(ks) for c in zip(*ks)]))
            e = [math.exp(x - max(s)) for x in s]
            cache[b] = [x / sum(e) for x in e]
        return cache[b][p]
    return mass


def antidiagonal(case, page, block, stride, h):
    """2503.16428 and its code: q reversed inside a stride, k not; sums / (sqrt(d) stride), softmax per reduced row."""
    L, cache = case.L, {}

    def mass(anchor, p):
        b = anchor // block
        if b not in cache:
            last = min((b + 1) * block, L.T)
            total = [0.0] * ((last - 1) // page + 1)
            cells = range(b * block // stride, -(-last // stride))
            for c in cells:
                s = []
                for kc in range(c + 1):
                    x = 0
                    for n in range(stride):
                        i, j = c * stride + stride - 1 - n, kc * stride + n
                        if i < last and j < last:
                            x += L.logit(h, i, j)
                    s.append(x / stride)
                e = [math.exp(x - max(s)) for x in s]
                for kc, x in enumerate(e):
                    total[kc * stride // page] += x / sum(e) / len(cells)
            cache[b] = total
        return cache[b][p]
    return mass


# --- the prompt's border -----------------------------------------------------------------------------------------------
def recent_window(case, observe, pool, budget, heads):
    """SnapKV (2404.14469): mean of p over the last rows of the prompt, mean-pooled; one set,
    whose capacity holds the observed rows."""
    L, P = case.L, case.P
    first = P - observe
    mean = [0.0] * P
    for h in heads:
        for i in range(first, P):
            for j, p in L.row(h, i).items():
                mean[j] += p / observe / len(heads)
    score = [sum(mean[n] for n in range(j - pool // 2, j + pool // 2 + 1) if 0 <= n < first) / pool for j in range(first)]

    observed = len([j for j in range(first, P) if j >= case.S])
    chosen = {j for _, j in best([(score[j], j) for j in range(case.S, first)], max(0, budget - observed))}
    return lambda i: [j for j in case.candidates(i) if j in chosen or j >= first]


def vertical_slash(case, observe, columns, diagonals, heads):
    """MInference (2407.02490): the first 30 columns and the nearest 100 diagonals count as best."""
    L, P, T = case.L, case.P, case.T
    col, dia = [0.0] * T, [0.0] * T
    for h in heads:
        for i in range(P - observe, P):
            for j, p in L.row(h, i).items():
                col[j] += p
                dia[i - j] += p
    inf = float("inf")
    kept = {j for _, j in best([(inf if j < 30 else col[j], j) for j in range(T)], columns)}
    slash = {o for _, o in best([(inf if o < 100 else dia[o], o) for o in range(T)], diagonals)}
    return lambda i: [j for j in case.candidates(i) if j in kept or i - j in slash]


def flexprefill(case, page, gamma, h, least=512, tau=0.1):
    """2502.20766, get_active_blocks of its code, on blocks of `page`."""
    L, P = case.L, case.P
    nb = -(-P // page)
    first = (nb - 1) * page
    col, dia = [0.0] * P, [0.0] * P
    for i in range(first, P):
        for j, p in L.row(h, i).items():
            col[j] += p / (P - first)
            dia[i - j] += p / (P - first)

    def pool(x):
        return [sum(x[b * page:(b + 1) * page]) for b in range(nb)]

    def cover(x, target):
        mass, n = 0, 0
        for v in sorted(x, reverse=True):
            if mass >= target:
                break
            mass += v
            n += 1
        return n

    def mean(rows):
        return [sum(c) / len(rows) for c in zip(*rows)]
    mq = [mean([L.query(h, i) for i in range(b * page, min(P, (b + 1) * page))]) for b in range(nb)]
    mk = [mean([L.key(h // 2, i) for i in range(b * page, min(P, (b + 1) * page))]) for b in range(nb)]

    def soft(b):
        s = [SCALE * dot(mq[b], mk[c]) for c in range(b + 1)]
        e = [math.exp(x - max(s)) for x in s]
        return [x / sum(e) for x in e]
    a, c = soft(nb - 1), pool(col)
    js = sum((x / 2 * math.log(2 * x / (x + y)) if x else 0) + (y / 2 * math.log(2 * y / (x + y)) if y else 0) for x, y in zip(a, c))
    aware = math.sqrt(max(js, 0)) < tau
    low = min(nb, -(-least // page))
    nc = low if aware else min(nb, max(low, cover(col, gamma) // page + 1))
    nd = low if aware else min(nb, max(low, cover(dia, gamma) // page + 1))
    inf = float("inf")
    pc, pd = pool(col), pool(dia)
    pc[0] = pd[0] = inf
    cols = {n for _, n in best([(x, n) for n, x in enumerate(pc)], nc)}
    dias = {n for _, n in best([(x, n) for n, x in enumerate(pd)], nd)}
    kept = {(b, x) for b in range(nb) for x in range(b + 1) if x in cols or b - x in dias or x == b}
    if aware:
        flat = [(x, (b, n)) for b in range(nb) for n, x in enumerate(soft(b))]
        flat.sort(reverse=True)
        mass = 0
        for x, place in flat:
            if mass >= gamma * nb:
                break
            mass += x
            kept.add(place)
    return (lambda i: [j for j in case.candidates(i) if (i // page, j // page) in kept]), aware


# --- following the rows ------------------------------------------------------------------------------------------------
def evicting(case, signal, budget, heads, evict=True):
    """H2O (2306.14048), TOVA (2401.06104), VATP (2406.12335): one row after the other, p^ over what the row reads."""
    L, gone, score, out = case.L, set(), {}, {}
    kvs = sorted({h // 2 for h in heads})
    for i in range(case.T):
        def value(j):
            if j == i:
                return float("inf")
            s = score.get(j, 0.0)
            if signal == "observed":
                s /= i - j
            if signal == "value_attention":
                s *= sum(abs(x) for g in kvs for x in L.value(g, j))
            return s
        c = [j for j in case.candidates(i) if j not in gone]
        chosen = {j for _, j in best([(value(j), j) for j in c], budget)}
        if evict:
            gone |= {j for j in c if j not in chosen and j != i}
        reads = [j for j in range(i + 1) if j not in gone] if case.full(i) else sorted(case.held(i) | chosen)
        reads = reads or [i]
        if signal == "last_row":
            score = {}
        for h in heads:
            for j, p in L.row(h, i, reads).items():
                score[j] = score.get(j, 0.0) + (p / len(heads) if signal == "last_row" else p)
        out[i] = sorted(chosen)
    return lambda i: out[i]


# --- content -----------------------------------------------------------------------------------------------------------
def lsh(case, seed, rounds, size, h, T):
    """Reformer (2001.04451): argmax [xR; -xR]; the newest keys of the bucket, united over rounds; buckets from i + 1."""
    L, memo = case.L, {}
    columns = 2
    while columns * 2 <= T // size:
        columns *= 2
    columns //= 2

    def normal(r, c, d):
        key = (r, c, d)
        if key not in memo:
            s = chain(seed, LAYER, h // 2, r, c * D + d)
            u, w = ((s >> 11) + 0.5) * 2.0 ** -53, (mix(s) >> 11) * 2.0 ** -53
            memo[key] = math.sqrt(-2 * math.log(u)) * math.cos(2 * math.pi * w)
        return memo[key]

    def bucket(x, r, n):
        if n == 1:
            return 0
        y = [sum(x[d] * normal(r, c, d) for d in range(D)) for c in range(n // 2)]
        y += [-v for v in y]
        return max(range(n), key=lambda b: y[b])

    def rows(i):
        n = 2  # x and -x at least
        while n * 2 <= (i + 1) // size:
            n *= 2
        if size >= len(case.candidates(i)):
            n = 1
        found = set()
        for r in range(rounds):
            b = bucket(L.query(h, i), r, n)
            same = [j for j in case.candidates(i) if bucket(L.key(h // 2, j), r, n) == b]
            found |= set(same[-size:])
        return sorted(found)
    return rows


def centroid(case, size, h):
    """Routing Transformer (2003.05997) with online spherical k-means: a cluster per `size` keys, means of directions."""
    L = case.L

    def direction(x):
        m = sum(x) / D
        y = [v - m for v in x]
        n = math.sqrt(dot(y, y))
        return [v / n for v in y]
    sums, cluster, mine = [], [], []

    def nearest(x):
        return max(range(len(sums)), key=lambda c: (dot(sums[c], x) / math.sqrt(dot(sums[c], sums[c])), -c))
    for t in range(case.T):
        x = direction(L.key(h // 2, t))
        if len(sums) < 1 + t // size:
            sums.append([0.0] * D)
            c = len(sums) - 1
        else:
            c = nearest(x)
        cluster.append(c)
        sums[c] = [a + b for a, b in zip(sums[c], x)]
        mine.append(nearest(direction(L.query(h, t))))
    return lambda i: [j for j in case.candidates(i) if cluster[j] == mine[i]][-size:]


def rounded(x, bits):
    levels = 2 ** (bits - 1) - 1
    step = max(abs(v) for v in x) / levels
    return [round(v / step) for v in x], step


def top(case, score, budget):
    return lambda i: sorted(j for _, j in best([(score(i, j), j) for j in case.candidates(i)], budget))


def indexer(case, bits, budget):
    """DSA (2512.02556): sum of ReLU(q.k) over heads, weights 1, 8 bits."""
    L = case.L
    ks = [[rounded(L.key(g, j), bits) for j in range(case.T)] for g in range(KV)]
    qs = [[rounded(L.query(h, i), bits) for i in range(case.T)] for h in range(HEADS)]

    def score(i, j):
        return sum(max(0.0, qs[h][i][1] * ks[h // 2][j][1] * dot(qs[h][i][0], ks[h // 2][j][0])) for h in range(HEADS))
    return top(case, score, budget)


def key_distinct(case, budget, g):
    """KeyDiff (2504.15364): minus the cosine to the mean of the directions so far."""
    L = case.L
    dirs = []
    for j in range(case.T):
        k = L.key(g, j)
        n = math.sqrt(dot(k, k))
        dirs.append([x / n for x in k])

    def score(i, j):
        m = [sum(c) for c in zip(*dirs[:i + 1])]
        return -dot(dirs[j], m) / math.sqrt(dot(m, m))
    return top(case, score, budget)


def random_blocks(case, seed, r, page, block, h):
    """Big Bird (2007.14062), causal: r earlier blocks that the block's first query does not read already."""
    def rows(i):
        b = i // block
        scored = []
        for kb in range(b * block // page):
            if any(j // page == kb for j in case.candidates(b * block)):
                scored.append((unit(chain(seed, LAYER, h, b, kb)), kb))
        chosen = {kb for _, kb in best(scored, r)}
        return [j for j in case.candidates(i) if j // page in chosen]
    return rows


# --- queries ------------------------------------------------------------------------------------------------------------
def query_sparsity(L, seed, h, i):
    """Informer (2012.07436): max - mean over 5 ceil(ln(i + 1)) sampled keys."""
    n = min(i + 1, 5 * math.ceil(math.log(i + 1)) + (i == 0))
    state = chain(seed, LAYER, h, i)
    s = [L.logit(h, i, mix(state ^ m) % (i + 1)) for m in range(n)]
    return max(s) - sum(s) / n


def row_entropy(L, h, i):
    return -sum(p * math.log(p) for p in L.row(h, i).values() if p > 0)


def local_deficit(case, h, i):
    held = case.held(i)
    return sum(p for j, p in case.L.row(h, i).items() if j not in held)


def dynamic(case, every, budget, deficit):
    """Dynamic budgets: w <- 0.9 w + 0.1 x at probe rows, shares by largest remainder, at most four budgets."""
    def at(i):
        w = [1.0] * HEADS
        for probe in range(every - 1, i, every):
            for h in range(HEADS):
                x = local_deficit(case, h, probe) if deficit else row_entropy(case.L, h, probe)
                w[h] = 0.9 * w[h] + 0.1 * x
        if budget >= i + 1:
            return [budget] * HEADS
        total = budget * HEADS
        share = [total * x / sum(w) for x in w]
        assert max(share) <= 4 * budget
        keys = [math.floor(s) for s in share]
        for h in sorted(range(HEADS), key=lambda h: -(share[h] - keys[h]))[:total - sum(keys)]:
            keys[h] += 1
        return keys
    return at


# --- writing ------------------------------------------------------------------------------------------------------------
def runs(keys):
    out = []
    for j in keys:
        if out and out[-1][1] == j:
            out[-1][1] = j + 1
        else:
            out.append([j, j + 1])
    return out


cases = []


def add(name, T, policy, units, step, **more):
    """units: one function per unit, query -> keys; every `step`-th row and the last are kept"""
    queries = sorted(set(range(0, T, step)) | {T - 1})
    cases.append({"name": name, "T": T, "policy": policy, "rows": queries,
                  "units": [[runs(f(i)) for i in queries] for f in units], **more})
    print(name)


def main():
    L = Layer(96, 7)
    heads = range(HEADS)
    base = {"local.window": 4, "always.sinks": 2}
    c = Case(L, 4, 2)
    paged = {"routed.granularity": "page", "routed.page": 8}
    add("page_mean count", 96, {**base, "routed.signal": "page_mean", **paged, "routed.count": 20},
        [pages(c, "mean", ("count", 20), 8, [h]) for h in heads], 7)
    add("page_mean top_p", 96, {**base, "routed.signal": "page_mean", **paged, "routed.top_p": 0.7},
        [pages(c, "mean", ("top_p", 0.7), 8, [h]) for h in heads], 7)
    add("page_mean share layer", 96, {**base, "routed.signal": "page_mean", **paged, "routed.count": 16, "routed.share": "layer"},
        [pages(c, "mean", ("count", 16), 8, list(heads))], 7)
    add("page_bound count", 96, {**base, "routed.signal": "page_bound", **paged, "routed.count": 20},
        [pages(c, "bound", ("count", 20), 8, [h]) for h in heads], 7)
    m = Case(L, 0, 0, chunk=16)
    add("moba", 96, {"local.window": 0, "always.sinks": 0, "local.chunk": 16, "routed.signal": "page_mean",
                     "routed.granularity": "page", "routed.page": 16, "routed.count": 32},
        [pages(m, "mean", ("count", 32), 16, [h]) for h in heads], 7)
    blocked = {"routed.granularity": "block", "routed.page": 8, "routed.query_block": 16}
    add("page_bound block", 96, {**base, "routed.signal": "page_bound", **blocked, "routed.count": 16},
        [blocks(c, lambda a, p, h=h: page_score(L, "bound", [h], a, p, 8), ("count", 16), 8, 16, False) for h in heads], 7)
    add("block_pool count", 96, {**base, "routed.signal": "block_pool", **blocked, "routed.count": 24},
        [blocks(c, block_pool(c, 8, 16, h), ("count", 24), 8, 16, True) for h in heads], 7)
    pre = Case(L, 4, 2, phase="prefill")
    add("antidiagonal top_p", 96, {**base, "routed.signal": "antidiagonal", **blocked, "routed.top_p": 0.8,
                                   "routed.stride": 4, "routed.phase": "prefill"},
        [blocks(pre, antidiagonal(pre, 8, 16, 4, h), ("top_p", 0.8), 8, 16, True) for h in heads], 7)
    dec = Case(L, 4, 2, phase="decode")
    add("recent_window", 96, {**base, "routed.signal": "recent_window", "routed.observe": 8, "routed.pool": 3,
                              "routed.count": 20, "routed.phase": "decode"},
        [recent_window(dec, 8, 3, 20, group(g)) for g in range(KV)], 3)
    wide = Layer(200, 9)
    v = Case(wide, 1, 0, phase="prefill")
    add("vertical_slash", 200, {"local.window": 1, "always.sinks": 0, "routed.signal": "vertical_slash", "routed.observe": 16,
                                "routed.count": 45, "routed.diagonals": 120, "routed.phase": "prefill"},
        [vertical_slash(v, 16, 45, 120, [h]) for h in heads], 19, seed=9)
    for spiked in (False, True):
        f = Case(Layer(1500, 11, spiked), 1, 0, phase="prefill")
        made = [flexprefill(f, 64, 0.6, h) for h in heads]
        assert all(a != spiked for _, a in made)
        add("flexprefill, columns and diagonals" if spiked else "flexprefill, pooled", 1500, {"local.window": 1, "always.sinks": 0, "routed.signal": "flexprefill", "routed.granularity": "block",
                              "routed.page": 64, "routed.query_block": 64, "routed.top_p": 0.6, "routed.phase": "prefill"},
        [x for x, _ in made], 131, seed=11, spiked=spiked)
    for signal in ("accumulated", "observed", "value_attention"):
        add(signal + " evict", 96, {"local.window": 6, "always.sinks": 2, "routed.signal": signal, "routed.count": 8,
                                    "routed.store": "evict"},
            [evicting(Case(L, 6, 2), signal, 8, group(g)) for g in range(KV)], 5)
    add("accumulated kept", 96, {"local.window": 6, "always.sinks": 2, "routed.signal": "accumulated", "routed.count": 8},
        [evicting(Case(L, 6, 2), "accumulated", 8, group(g), evict=False) for g in range(KV)], 5)
    add("accumulated decode", 96, {"local.window": 6, "always.sinks": 2, "routed.signal": "accumulated", "routed.count": 8,
                                   "routed.store": "evict", "routed.phase": "decode"},
        [evicting(Case(L, 6, 2, phase="decode"), "accumulated", 8, group(g)) for g in range(KV)], 5)
    add("tova", 96, {"local.window": 1, "always.sinks": 0, "routed.signal": "last_row", "routed.count": 11, "routed.store": "evict"},
        [evicting(Case(L, 1, 0), "last_row", 11, list(heads))], 5)
    add("lsh", 96, {**base, "routed.signal": "lsh", "routed.count": 8, "routed.rounds": 3, "routed.seed": 5},
        [lsh(c, 5, 3, 8, h, 96) for h in heads], 7)
    add("centroid", 96, {**base, "routed.signal": "centroid", "routed.count": 12}, [centroid(c, 12, h) for h in heads], 7)
    add("indexer", 96, {**base, "routed.signal": "indexer", "routed.count": 10}, [indexer(c, 8, 10)], 7)
    add("key_distinct", 96, {**base, "routed.signal": "key_distinct", "routed.count": 10}, [key_distinct(c, 10, g) for g in range(KV)], 11)
    add("position", 96, {**base, "routed.signal": "position", "routed.count": 10}, [top(c, lambda i, j: -j, 10)], 11)
    add("hidden_norm", 96, {**base, "routed.signal": "hidden_norm", "routed.count": 10}, [top(c, lambda i, j: L.norm[j], 10)], 11)
    share = [math.log((j + 1) / L.ids[:j + 1].count(L.ids[j])) for j in range(96)]
    add("rarity", 96, {**base, "routed.signal": "rarity", "routed.count": 10}, [top(c, lambda i, j: share[j], 10)], 11)
    add("random blocks", 96, {**base, "routed.signal": "none", "routed.random_blocks": 2, "routed.page": 8, "routed.query_block": 8,
                              "routed.seed": 3}, [random_blocks(c, 3, 2, 8, 8, h) for h in heads], 7)
    add("oracle share group", 96, {**base, "routed.signal": "oracle", "routed.count": 10, "routed.share": "group"},
        [top(c, lambda i, j, g=g, memo={}: memo.setdefault(i, [L.row(h, i) for h in group(g)])[0][j] + memo[i][1][j], 10)
         for g in range(KV)], 7)
    for signal, f in (("query_sparsity", lambda h, i: query_sparsity(L, 1, h, i)), ("row_entropy", lambda h, i: row_entropy(L, h, i)),
                      ("local_deficit", lambda h, i: local_deficit(c, h, i))):
        cases.append({"name": signal, "T": 96, "policy": {**base, "routed.signal": signal, "routed.query_count": 8},
                      "queryScores": [[float("%.6g" % f(h, i)) for i in range(96)] for h in heads]})
    for kind in ("entropy", "deficit"):
        at = dynamic(c, 16, 6, kind == "deficit")
        queries = list(range(0, 96, 9)) + [95]
        cases.append({"name": "dynamic " + kind, "T": 96, "rows": queries,
                      "policy": {**base, "routed.signal": "head_dot", "routed.count": 6, "mix.dynamic": kind, "mix.probe_every": 16},
                      "budgets": [[at(i)[h] for i in queries] for h in heads]})
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mechanisms.json")
    with open(path, "w") as out:
        out.write('{"heads": %d, "kvHeads": %d, "headDim": %d, "layer": %d, "seed": 7, "cases": [\n' % (HEADS, KV, D, LAYER))
        out.write(",\n".join(json.dumps(x, separators=(",", ":")) for x in cases) + "\n]}\n")


main()
