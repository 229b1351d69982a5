"""The actions of a screen as things to choose from."""

from steelyard_tui.actions import actions_of
from steelyard_tui.screens.pick import Choice


def action_choices(scope: str) -> list[Choice]:
    """Every action of one kind of screen, with its key."""
    wanted = (action for action in actions_of(scope) if action.name not in ("app.palette",))
    return [Choice(action.name, f"{action.help}  ({action.key_text})") for action in wanted]
