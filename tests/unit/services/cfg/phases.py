"""What members say of a change of keys, and what an engine says and wants thereupon."""

from corosync_tw.services.cfg.wire import CryptoPhase, encode_crypto_reconfig

ACTIVATE, CLEANUP = CryptoPhase


def say(engine, phase, *nodeids):
    for nodeid in nodeids:
        engine.on_crypto_reconfig(nodeid, 1, encode_crypto_reconfig(phase), False)


def sent(bus):
    messages, bus.ordinary[:] = bus.ordinary[:], []
    return [message for _, message in messages]


def emitted(bus):
    effects, bus.effects[:] = bus.effects[:], []
    return effects
