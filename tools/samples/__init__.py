"""Realistic, invented samples of the five systems. Run by tools/make-samples; same seed, same bytes."""
