"""A report as Markdown: all of its words and tables, without the pictures."""

from collections.abc import Iterator

from steelyard_tui.report.build import title_of
from steelyard_tui.report.document import NUMBERS, Document, Section, Table
from steelyard_tui.report.words import cell_text

_ESCAPED = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_{}[]<>|#~"})


def as_markdown(document: Document) -> str:
    """The whole document."""
    return "\n".join(_lines(document)).rstrip() + "\n"


def escaped(text: str) -> str:
    """Data as it stands: nothing in it is markup, and it stays on its line."""
    return " ".join(text.translate(_ESCAPED).split())


def _lines(document: Document) -> Iterator[str]:
    yield f"# {escaped(title_of(document))}"
    yield ""
    yield f"Made {document.made_at:%Y-%m-%d %H:%M} UTC by Steelyard {document.version}."
    if document.warning:
        yield f"\n**{escaped(document.warning)}**"
    for fault in document.faults:
        yield f"\nLeft out by the collector: {escaped(fault)}"
    for origin, facts in document.facts.items():
        yield ""
        yield f"{escaped(origin)}: " + "; ".join(f"{escaped(fact.value)} {escaped(fact.title)}" for fact in facts)
    for section in document.sections:
        yield from _section(section)


def _section(section: Section) -> Iterator[str]:
    yield f"\n## {escaped(section.title)}"
    if section.lead:
        yield f"\n{escaped(' '.join(section.lead))}"
    for table in section.tables:
        yield from _table(table)
    if section.notes:
        yield ""
        yield from (f"- {escaped(note)}" for note in section.notes)


def _table(table: Table) -> Iterator[str]:
    yield f"\n### {escaped(table.caption)}\n"
    if not table.rows:
        yield escaped(table.empty)
        return
    yield f"| {' | '.join(escaped(column.title) for column in table.columns)} |"
    yield f"| {' | '.join('---:' if column.unit in NUMBERS else '---' for column in table.columns)} |"
    for row in table.rows[: table.most]:
        yield f"| {' | '.join(escaped(cell_text(row, column)) for column in table.columns)} |"
    if len(table.rows) > table.most:
        yield f"\nand {len(table.rows) - table.most} more; `--format json` has all"
    yield from (f"\n{escaped(note)}" for note in table.notes)
