"""Batch prediction: a folder or table of images through a model, a job of the queue."""
