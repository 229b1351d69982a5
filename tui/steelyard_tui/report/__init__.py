"""The report: gathered once, written as a page, as Markdown or as JSON."""
