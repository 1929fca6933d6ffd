"""Survival analysis: outcomes with their times, Cox models of what a network sees."""
