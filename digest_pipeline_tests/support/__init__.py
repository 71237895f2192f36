"""Stand-ins and generators shared by the tests; nothing here reaches beyond loopback."""
