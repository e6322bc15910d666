"""The twistd service: options and the wiring of all parts."""
