"""
Reads datagrams for people: one table of formats, from which frames are decoded and a dissector for
Wireshark is made.
"""
