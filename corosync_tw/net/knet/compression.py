"""
Models of compression, by the names and numbers that libknet gives them.

A frame is compressed as a whole, and sent as it is when that makes it no shorter; each packet says
of which model it is, so nodes may use different ones. What decompresses to more than a frame is
refused before it takes memory.

Source: libknet 1.25 compress.c and its modules.
Deviation: lzo2 is not there: its Python packages are under the GPL.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, NamedTuple

from corosync_tw.corotypes import Buffer
from corosync_tw.errors import MalformedFrame
from corosync_tw.net.knet.params import CompressParams
from corosync_tw.net.knet.wire import FRAME_LEN_BYTES_MAX

NONE: Final = "none"
# Number on the wire of each model.
MODELS: Final = {
    "zlib": 1,
    "lz4": 2,
    "lz4hc": 3,
    "lzo2": 4,
    "lzma": 5,
    "bzip2": 6,
    "zstd": 7,
}
# Models that the standard library lacks, and the package that has them.
PACKAGES: Final = {"lz4": "lz4.block", "lz4hc": "lz4.block", "zstd": "zstandard"}
_LZO2: Final = "lzo2"
_LZMA_MEMORY_BYTES_MAX: Final = 128 * 1024 * 1024


class CompressionError(ValueError):
    """A model that cannot be used, in words for who configured it."""


class Compressor(NamedTuple):
    """
    One model at one level.

    :ivar number: of the model, on the wire.
    :ivar threshold_bytes: frames that are not longer are left alone.
    """

    number: int
    threshold_bytes: int
    compress: Callable[[bytes], bytes]


Decompress = Callable[[Buffer], bytes]


def compressor(params: CompressParams) -> Compressor | None:
    """
    Make what compresses as configured; None for nothing.

    :raises CompressionError: no such model, or its package is not installed.
    """
    if params.model == NONE:
        return None
    check_model(params.model)
    compress = _COMPRESS[params.model](params.level)
    return Compressor(MODELS[params.model], params.threshold_bytes, compress)


def check_model(model: str) -> None:
    """
    Find out whether a model can be used here.

    :raises CompressionError: it cannot.
    """
    if model == NONE:
        return
    if model == _LZO2:
        raise CompressionError(
            "compression model lzo2 is not supported: its Python packages are under the GPL; use "
            "lz4, which is as fast"
        )
    if model not in MODELS:
        known = ", ".join((NONE, *(name for name in MODELS if name != _LZO2)))
        raise CompressionError(f"unknown compression model {model!r}: use one of {known}")
    if model in PACKAGES:
        try:
            import_module(PACKAGES[model])
        except ImportError as error:
            package = PACKAGES[model].partition(".")[0]
            raise CompressionError(
                f"compression model {model} needs the Python package {package}: {error}"
            ) from error


def decompress(number: int, data: Buffer) -> bytes:
    """
    Give the frame that was compressed by a model.

    :raises MalformedFrame: no such model here, damaged, or longer than a frame.
    """
    make = _DECOMPRESS.get(number)
    if make is None:
        raise MalformedFrame("compressed by a model that is not known here")
    try:
        frame = make(data)
    except ImportError as error:
        raise MalformedFrame("compressed by a model that is not installed here") from error
    # Each model's package has errors of its own, some of them bare Exceptions.
    except Exception as error:
        raise MalformedFrame("what cannot be decompressed") from error
    if not 0 < len(frame) <= FRAME_LEN_BYTES_MAX:
        raise MalformedFrame("a compressed frame is too long, or empty")
    return frame


def _lz4_block() -> Any:
    return import_module(PACKAGES["lz4"])


def _zstandard() -> Any:
    return import_module(PACKAGES["zstd"])


def _zlib_compress(level: int) -> Callable[[bytes], bytes]:
    return lambda frame: zlib.compress(frame, level)


def _lz4_compress(level: int) -> Callable[[bytes], bytes]:
    block = _lz4_block()
    acceleration = max(1, level)
    return lambda frame: bytes(
        block.compress(frame, mode="fast", acceleration=acceleration, store_size=False)
    )


def _lz4hc_compress(level: int) -> Callable[[bytes], bytes]:
    block = _lz4_block()
    return lambda frame: bytes(
        block.compress(frame, mode="high_compression", compression=level, store_size=False)
    )


def _lzma_compress(level: int) -> Callable[[bytes], bytes]:
    return lambda frame: lzma.compress(frame, check=lzma.CHECK_NONE, preset=level)


def _bzip2_compress(level: int) -> Callable[[bytes], bytes]:
    return lambda frame: bz2.compress(frame, level)


def _zstd_compress(level: int) -> Callable[[bytes], bytes]:
    context = _zstandard().ZstdCompressor(level=level)
    return lambda frame: bytes(context.compress(frame))


def _zlib_decompress(data: Buffer) -> bytes:
    return zlib.decompressobj().decompress(data, FRAME_LEN_BYTES_MAX + 1)


def _lz4_decompress(data: Buffer) -> bytes:
    return bytes(_lz4_block().decompress(data, uncompressed_size=FRAME_LEN_BYTES_MAX))


def _lzma_decompress(data: Buffer) -> bytes:
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY_BYTES_MAX)
    return decompressor.decompress(data, FRAME_LEN_BYTES_MAX + 1)


def _bzip2_decompress(data: Buffer) -> bytes:
    return bz2.BZ2Decompressor().decompress(data, FRAME_LEN_BYTES_MAX + 1)


def _zstd_decompress(data: Buffer) -> bytes:
    context = _zstandard().ZstdDecompressor()
    with context.stream_reader(data) as reader:
        return bytes(reader.read(FRAME_LEN_BYTES_MAX + 1))


_COMPRESS: Final = {
    "zlib": _zlib_compress,
    "lz4": _lz4_compress,
    "lz4hc": _lz4hc_compress,
    "lzma": _lzma_compress,
    "bzip2": _bzip2_compress,
    "zstd": _zstd_compress,
}
_DECOMPRESS: Final[dict[int, Decompress]] = {
    MODELS["zlib"]: _zlib_decompress,
    MODELS["lz4"]: _lz4_decompress,
    MODELS["lz4hc"]: _lz4_decompress,
    MODELS["lzma"]: _lzma_decompress,
    MODELS["bzip2"]: _bzip2_decompress,
    MODELS["zstd"]: _zstd_decompress,
}
