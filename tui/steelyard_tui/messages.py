"""What threads tell the screens. Newer figures replace older ones that still wait in the queue."""

from textual.message import Message

from steelyard_tui.state import LinkState, Page


class PageArrived(Message):
    """A page of the view that is watched."""

    def __init__(self, page: Page, generation: int) -> None:
        super().__init__()
        self.page = page
        self.generation = generation

    def can_replace(self, message: Message) -> bool:
        """Only the newest page matters."""
        return isinstance(message, PageArrived)


class LinkChanged(Message):
    """The link to the collector came, went or was refused."""

    def __init__(self, state: LinkState, generation: int) -> None:
        super().__init__()
        self.state = state
        self.generation = generation


class Goto(Message):
    """Another screen is wanted.

    Args:
        screen: its name.
        filter_text: for a table: what to filter by; None leaves it as it is.
        device: for the device screen: the row of `devices`.
        job: for the job screen: its id.
    """

    def __init__(
        self,
        screen: str,
        *,
        filter_text: str | None = None,
        device: dict[str, object] | None = None,
        job: str | None = None,
    ) -> None:
        super().__init__()
        self.job = job
        self.screen = screen
        self.filter_text = filter_text
        self.device = device


class Back(Message):
    """The screen before is wanted."""
