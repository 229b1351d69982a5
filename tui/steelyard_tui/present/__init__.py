"""From rows of a view to the cells and lines on screen; plain Python."""
