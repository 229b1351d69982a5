"""The SQL editor: Textual's own, in our colours."""

from rich.style import Style
from textual.widgets import TextArea
from textual.widgets.text_area import TextAreaTheme

from steelyard_tui.present.tones import GROUNDS

_THEME = TextAreaTheme(
    name="steelyard",
    base_style=Style(color="#c9d1d9", bgcolor=GROUNDS["plain"]),
    gutter_style=Style(color="#484f58", bgcolor=GROUNDS["plain"]),
    cursor_style=Style(color=GROUNDS["plain"], bgcolor="#9ecbff"),
    cursor_line_style=Style(bgcolor=GROUNDS["bar"]),
    cursor_line_gutter_style=Style(color="#9da7b1", bgcolor=GROUNDS["bar"]),
    bracket_matching_style=Style(bgcolor="#30363d"),
    selection_style=Style(bgcolor="#264f78"),
    syntax_styles={
        "string": Style(color="#a5d6ff"),
        "comment": Style(color="#7d8590", italic=True),
        "keyword": Style(color="#ff9b8e"),
        "keyword.operator": Style(color="#ff9b8e"),
        "operator": Style(color="#c9d1d9"),
        "number": Style(color="#79c0ff"),
        "float": Style(color="#79c0ff"),
        "boolean": Style(color="#79c0ff"),
        "function": Style(color="#d2a8ff"),
        "function.call": Style(color="#d2a8ff"),
        "type": Style(color="#f0e442"),
    },
)


def make_editor(text: str) -> TextArea:
    """An editor of SQL with this text."""
    editor = TextArea.code_editor(
        text, language="sql", theme="css", tab_behavior="focus", show_line_numbers=False, soft_wrap=True, id="editor"
    )
    editor.register_theme(_THEME)
    editor.theme = "steelyard"
    editor.cursor_blink = False
    editor.highlight_cursor_line = False
    return editor
