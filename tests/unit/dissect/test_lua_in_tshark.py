"""The dissector for Wireshark, run by tshark over a stock ring and over what is not in it."""

import shutil
import subprocess

import pytest

from corosync_tw.corotypes import RingId
from corosync_tw.dissect.decode import dissect
from corosync_tw.dissect.fields import Fixed, Repeated
from corosync_tw.dissect.lua import PREFIX, literal, script
from corosync_tw.dissect.table import LAYOUTS
from corosync_tw.prng import generator
from corosync_tw.totem import wire
from corosync_tw.totem.claims import Row, encode_claims
from corosync_tw.totem.messages import MembJoin
from tests.unit.dissect.making import ethernet, pcap
from tests.unit.net.knet.test_golden import GOLDEN
from tests.unit.totem import capture
from tests.unit.totem.byteswap import swap_frame
from tests.unit.totem.wire_helpers import encode

SEPARATOR, AGGREGATOR = "|", ";"


def payloads():
    """A stock ring, the other byte order, recovery, claims, knet, and damaged frames."""
    stock = capture.frames()
    found = [*stock, *map(swap_frame, stock[::40])]
    inner = next(frame for frame in stock if frame[3] == 1)
    carrier = wire.encode_mcast_header(2, 2, 9, RingId(1, 8), 0, encapsulated=1)
    rows = (Row(1, 0, frozenset({1, 2}), frozenset({1, 9}), frozenset({9}), frozenset()),)
    found += [
        carrier + inner,
        carrier * 9,
        encode(MembJoin(1, 1, (1, 2), (3,), 8)) + encode_claims(rows, 1000),
        b"\xa7\0\5\1" + bytes(range(60)),
        b"nothing of ours",
        *GOLDEN.values(),
    ]
    random = generator(20, "tshark")
    for frame in (*stock[::30], *found[-12:]):
        damaged = bytearray(frame[: random.randrange(1, len(frame) + 1)])
        damaged[random.randrange(len(damaged))] = random.randrange(256)
        found.append(bytes(damaged))
    # One packet of knet is as long as a datagram may be, and its zeros say nothing.
    return [payload[:3000] for payload in found]


def names():
    """All fields but text, which tshark escapes in its own way."""
    for name, layout in LAYOUTS.items():
        for part in layout.parts:
            for one in getattr(part, "fields", ()):
                if not one.name or (one.code.endswith("s") and not one.hexadecimal):
                    continue
                if isinstance(part, Fixed):
                    yield f"{name}.{one.name}"
                elif len([field for field in part.fields if field.name]) == 1:
                    yield f"{name}.{part.name}"
                else:
                    yield f"{name}.{part.name}.{one.name}"
        yield f"{name}.data"


def flat(layer):
    """(name, value) of the fields of a layer."""
    lists = {part.name: part for part in layer.layout.parts if isinstance(part, Repeated)}
    for key, value in layer.values.items():
        entries = value if key in lists else [value]
        for entry in entries:
            pairs = entry.items() if isinstance(entry, dict) else [("", entry)]
            for inner, number in pairs:
                yield f"{layer.layout.name}.{key}{'.' * bool(inner)}{inner}", number


def expected(payload, wanted):
    found = {name: [] for name in wanted}
    for layer in dissect(payload):
        for name, value in flat(layer):
            if name in found and value != b"":
                found[name].append(value.hex() if isinstance(value, bytes) else value)
    return found


def number_or_bytes(text, example):
    return text.replace(":", "") if isinstance(example, str) else int(text, 0)


@pytest.fixture(scope="module")
def tshark():
    found = shutil.which("tshark")
    assert found, "tshark is missing: `make deps` installs it"
    return found


def test_tshark_reads_the_numbers_that_sniff_reads(tshark, tmp_path):
    (tmp_path / "corosync_tw.lua").write_text(script())
    frames = payloads()
    (tmp_path / "all.pcap").write_bytes(pcap(map(ethernet, frames)))
    wanted = sorted(set(names()))
    command = [tshark, "-n", "-r", "all.pcap", "-X", "lua_script:corosync_tw.lua", "-T", "fields"]
    command += ["-E", f"separator={SEPARATOR}", "-E", f"aggregator={AGGREGATOR}"]
    for name in ["kind", *wanted]:
        command += ["-e", f"{PREFIX}.{name}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "ua" not in done.stderr.replace("dangerous", ""), done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(frames)
    for payload, row in zip(frames, lines, strict=True):
        cells = row.split(SEPARATOR)[1:]
        should = expected(payload, wanted)
        for name, cell in zip(wanted, cells, strict=True):
            texts = cell.split(AGGREGATOR) if cell else []
            values = should[name]
            assert len(texts) == len(values), (name, payload.hex())
            shown = [number_or_bytes(t, v) for t, v in zip(texts, values, strict=True)]
            assert shown == values, (name, payload.hex())


def test_text_cannot_leave_its_quotes():
    assert literal('a"]]\n\\') == '"a\\034\\093\\093\\010\\092"'
    assert literal({1: True, "x": [1, 2]}) == '{[1] = true, ["x"] = {1, 2}}'
