"""Presenter mode: its steps, the answer of a model, phones in the room."""
