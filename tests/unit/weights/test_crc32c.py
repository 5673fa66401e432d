import pytest

from restore_cli.weights.crc32c import crc32c, masked

# RFC 3720, appendix B.4, and the usual check value.
KNOWN = [
    (b"", 0),
    (b"123456789", 0xE3069283),
    (bytes(32), 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
    (bytes(range(31, -1, -1)), 0x113FDB5C),
]


def bitwise(data):
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


@pytest.mark.parametrize(("data", "expected"), KNOWN)
def test_values(data, expected):
    assert crc32c(data) == expected


@pytest.mark.parametrize("size", [1, 511, 512, 513, 1024, 5000])
def test_any_length(size, rng):
    data = rng.bytes(size)
    assert crc32c(memoryview(data)) == bitwise(data)


def test_the_mask_can_be_undone():
    crc = 0xE3069283
    turned = (masked(crc) - 0xA282EAD8) & 0xFFFFFFFF
    assert (turned >> 17 | turned << 15) & 0xFFFFFFFF == crc
