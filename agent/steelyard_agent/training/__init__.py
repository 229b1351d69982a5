"""What training processes tell of their steps: received, checked, and made into rows."""
