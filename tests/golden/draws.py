"""Random numbers of the golden scripts: SplitMix64 of some whole numbers, restated from the algorithm, so that no script
rests on the program."""
import struct

MASK = (1 << 64) - 1


def mix(x: int) -> int:
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def draw(*numbers: int) -> int:
    state = mix(numbers[0])
    for n in numbers[1:]:
        state = mix(state ^ n)
    return state


def f32(x: float) -> float:
    return struct.unpack("f", struct.pack("f", x))[0]


def table(rows: int, cols: int, salt: int, spread: float):
    return [[f32(spread * (2 * (draw(99, salt, r, c) >> 40) / 2**24 - 1)) for c in range(cols)] for r in range(rows)]
