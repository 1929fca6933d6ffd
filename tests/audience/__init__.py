"""The audience address."""
