"""The Totem protocol core: fed bytes and time, polled for effects; standard library only."""
