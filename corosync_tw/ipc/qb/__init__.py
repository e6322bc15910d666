"""The server of C clients: libqb's handshake, its two transports, its flow control."""
