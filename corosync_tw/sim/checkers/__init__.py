"""
Rules of extended virtual synchrony and of the ring, each checked over what nodes did.

Source: Moser, Amir, Melliar-Smith, Agarwal, "Extended virtual synchrony", ICDCS 1994, section 2.1
(numbers 1.1 to 7.2);
Totem95 section 4.
"""
