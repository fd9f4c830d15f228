"""What HTTP and WebSocket share: their settings, origins and hosts, handshakes, problem documents."""
