"""Ground floor: errors, settings, files and locks, other processes, the audit log."""
