"""Trainings known by nothing but their logs, and their comparison."""
