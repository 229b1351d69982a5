"""Profiles of training processes: asked for over the fabric that their own profilers listen to."""
