"""Models of compression: what is refused in words, and what of hostile data."""

import bz2
import lzma
import zlib

import lz4.block
import pytest
import zstandard

from corosync_tw.errors import MalformedFrame
from corosync_tw.net.knet import compression
from corosync_tw.net.knet.compression import CompressionError, compressor, decompress
from corosync_tw.net.knet.params import CompressParams
from corosync_tw.net.knet.wire import FRAME_LEN_BYTES_MAX

BOMB = bytes(100_000_000)


def test_nothing_is_compressed_by_none() -> None:
    assert compressor(CompressParams()) is None


@pytest.mark.parametrize("name", [name for name in compression.MODELS if name != "lzo2"])
def test_what_is_compressed_comes_back(name: str) -> None:
    found = compressor(CompressParams(name, 5))
    assert found is not None
    frame = b"frame" * 13000
    assert decompress(found.number, memoryview(found.compress(frame))) == frame


@pytest.mark.parametrize(
    ("model", "words"),
    [("lzo2", "GPL"), ("lzo", "unknown compression model 'lzo': use one of none, zlib")],
)
def test_models_that_are_not_there(model: str, words: str) -> None:
    with pytest.raises(CompressionError, match=words):
        compressor(CompressParams(model))


def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(compression.PACKAGES, "zstd", "no_such_package.at_all")
    with pytest.raises(CompressionError, match="zstd needs the Python package no_such_package"):
        compressor(CompressParams("zstd"))
    with pytest.raises(MalformedFrame, match="not installed"):
        decompress(compression.MODELS["zstd"], b"x")


@pytest.mark.parametrize(
    ("number", "data"),
    [
        (0, b"x"),
        (4, b"x"),
        (99, b"x"),
        (1, b""),
        (1, zlib.compress(BOMB)),
        (1, zlib.compress(b"")),
        (5, lzma.compress(BOMB, check=lzma.CHECK_NONE)),
        (6, bz2.compress(BOMB)),
        (7, zstandard.ZstdCompressor().compress(BOMB)),
        (2, lz4.block.compress(BOMB[: 2 * FRAME_LEN_BYTES_MAX], store_size=False)),
        *((number, b"\xff" * 40) for number in (1, 2, 3, 5, 6, 7)),
    ],
)
def test_hostile_data_is_refused(number: int, data: bytes) -> None:
    with pytest.raises(MalformedFrame):
        decompress(number, data)
