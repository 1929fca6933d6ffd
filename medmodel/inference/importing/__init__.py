"""Foreign models made into runs: looked at, laid open as one graph, converted."""
