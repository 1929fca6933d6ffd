"""Processes: messages between them, children, pool, sandbox, background tasks."""
