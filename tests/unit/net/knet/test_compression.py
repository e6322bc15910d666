"""Models of compression: what is refused in words, and what of hostile data."""

import bz2
import lzma
import zlib
from collections.abc import Callable
from functools import partial

import pytest

from corosync_tw.errors import MalformedFrame
from corosync_tw.net.knet import compression
from corosync_tw.net.knet.compression import CompressionError, compressor, decompress
from corosync_tw.net.knet.params import CompressParams
from corosync_tw.net.knet.wire import FRAME_LEN_BYTES_MAX

BOMB = bytes(100_000_000)


def test_nothing_is_compressed_by_none() -> None:
    assert compressor(CompressParams()) is None


OF_PACKAGES = {"lz4": "lz4", "lz4hc": "lz4", "zstd": "zstd"}


def model(name: str, *values: object) -> object:
    """A parameter that is about a model, which may be a package's."""
    marks = [pytest.mark.needs(OF_PACKAGES[name])] if name in OF_PACKAGES else []
    return pytest.param(*values, marks=marks)


def zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor().compress(data)


def lz4(data: bytes) -> bytes:
    import lz4.block

    return lz4.block.compress(data[: 2 * FRAME_LEN_BYTES_MAX], store_size=False)


@pytest.mark.parametrize(
    "name", [model(name, name) for name in compression.MODELS if name != "lzo2"]
)
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
    ("number", "compress", "data"),
    [
        (0, bytes, b"x"),
        (4, bytes, b"x"),
        (99, bytes, b"x"),
        (1, bytes, b""),
        (1, zlib.compress, BOMB),
        (1, zlib.compress, b""),
        (5, partial(lzma.compress, check=lzma.CHECK_NONE), BOMB),
        (6, bz2.compress, BOMB),
        model("zstd", 7, zstd, BOMB),
        model("lz4", 2, lz4, BOMB),
        *((number, bytes, b"\xff" * 40) for number in (1, 2, 3, 5, 6, 7)),
    ],
)
def test_hostile_data_is_refused(
    number: int, compress: Callable[[bytes], bytes], data: bytes
) -> None:
    with pytest.raises(MalformedFrame):
        decompress(number, compress(data))
