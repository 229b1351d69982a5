"""A report as one page that needs nothing beside it. Whatever is data is escaped here, and nowhere else."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Final

from steelyard_proto.units import ABSENT
from steelyard_tui.present.figures import chip_name, vendor_glyph
from steelyard_tui.present.glyphs import UNICODE
from steelyard_tui.present.tones import vendor_tone
from steelyard_tui.report.build import title_of, window_of
from steelyard_tui.report.document import NUMBERS, Column, Document, Fact, Row, Section, Table
from steelyard_tui.report.words import cell_text, origin_text

# A table up to so many rows isn't divided between two sheets of paper.
_SHORT: Final = 12
_HEADS: Final = frozenset({"chip", "job", "said"})


def as_page(document: Document, pictures: Mapping[str, str]) -> str:
    """The whole page.

    Args:
        document: the report.
        pictures: SVG elements by the pictures' keys.
    """
    return Template(_file("page.html")).substitute(
        title=escape(title_of(document)),
        style=_file("page.css").rstrip(),
        heading=escape(_heading(document)),
        subtitle=escape(
            f"{window_of(document)[:1].upper()}{window_of(document)[1:]}. Collector {document.collector}. "
            f"Made {document.made_at:%Y-%m-%d %H:%M} UTC."
        ),
        warning=f'<p class="warning" role="note">{escape(document.warning)}</p>' if document.warning else "",
        facts="".join(_facts(origin, facts, len(document.facts)) for origin, facts in document.facts.items()),
        contents="".join(f'<a href="#{s.key}">{escape(s.title)}</a>' for s in document.sections),
        sections="\n".join(_section(section, pictures) for section in document.sections),
        footer=_footer(document),
    )


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _heading(document: Document) -> str:
    return f"How much of one {document.reference} is it?" if document.reference else "What the fleet did"


def _facts(origin: str, facts: Sequence[Fact], origins: int) -> str:
    pairs = "".join(f"<div><dt>{escape(fact.title)}</dt><dd>{escape(fact.value)}</dd></div>" for fact in facts)
    whose = f'<p class="whose">{escape(origin)}</p>' if origins > 1 or origin != "measured" else ""
    return f'{whose}<dl class="facts">{pairs}</dl>'


def _section(section: Section, pictures: Mapping[str, str]) -> str:
    parts = [f'<section id="{section.key}" aria-labelledby="{section.key}-title">', '<div class="start">']
    parts.append(f'<h2 id="{section.key}-title">{escape(section.title)}</h2>')
    if section.lead:
        parts.append(f'<p class="lead">{_prose(" ".join(section.lead))}</p>')
    for picture in section.pictures:
        caption = f"<figcaption>{_prose(picture.caption)}</figcaption>" if picture.caption else ""
        parts.append(f"<figure>{pictures[picture.key]}{caption}</figure>")
    parts.append("</div>")
    parts.extend(_table(table) for table in section.tables)
    if section.notes:
        parts.append(f'<ul class="notes">{"".join(f"<li>{_note(note)}</li>" for note in section.notes)}</ul>')
    return "\n".join([*parts, "</section>"])


def _table(table: Table) -> str:
    if not table.rows:
        return f'<p class="empty">{escape(table.empty)}</p>' if table.empty else ""
    head = "".join(f'<th scope="col"{_class(column)}>{escape(column.title)}</th>' for column in table.columns)
    body = "\n".join(f"<tr>{''.join(_cells(row, table.columns))}</tr>" for row in table.rows[: table.most])
    notes = list(table.notes)
    if len(table.rows) > table.most:
        notes.insert(0, f"And {len(table.rows) - table.most} more; `--format json` has all.")
    kind = "scroll" if len(table.rows) > _SHORT else "scroll short"
    return (
        f'<div class="{kind}"><table id="table-{table.key}"><caption>{escape(table.caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
        + "".join(f'<p class="note">{_prose(note)}</p>' for note in notes)
    )


def _cells(row: Row, columns: Sequence[Column]) -> Iterator[str]:
    """A row's cells; the first that names it is its head."""
    has_head = False
    for column in columns:
        is_head = column.key in _HEADS and not has_head
        has_head = has_head or is_head
        inner = _chip(row) if column.unit == "chip" else _text(cell_text(row, column))
        yield f'<th scope="row"{_class(column)}>{inner}</th>' if is_head else f"<td{_class(column)}>{inner}</td>"


def _class(column: Column) -> str:
    """Numbers to the right, chips on one line, names of any length broken where they must."""
    name = "n" if column.unit in NUMBERS else {"chip": "c", "word": "c", "time": "c", "text": "d"}.get(column.unit, "")
    return f' class="{name}"' if name else ""


def _text(text: str) -> str:
    return f'<span class="absent">{text}</span>' if text == ABSENT else escape(text)


def _chip(row: Row) -> str:
    vendor = row.get("vendor")
    part = row.get("part")
    name = escape(chip_name(row.get("chip"), vendor)) + (f" {escape(str(part))}" if part and part != "package" else "")
    shape = f'<span class="{vendor_tone(vendor)}" aria-hidden="true">{vendor_glyph(vendor, UNICODE)}</span> '
    origin = origin_text(row).strip()
    return (shape if vendor else "") + name + (f'<span class="origin">{escape(origin)}</span>' if origin else "")


def _prose(text: str) -> str:
    """Our own words: what stands in backquotes is code."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if index % 2 else piece for index, piece in enumerate(pieces))


def _note(text: str) -> str:
    title, colon, rest = text.partition(": ")
    return f"<b>{_prose(title)}</b> {_prose(rest)}" if colon and len(title) < 60 else _prose(text)


def _footer(document: Document) -> str:
    lines = [f"Left out by the collector: {fault}" for fault in document.faults]
    lines.append(f"Steelyard {document.version}. The same figures as rows: `steelyard report --format json`.")
    return "".join(f"<p>{_prose(line)}</p>" for line in lines)
