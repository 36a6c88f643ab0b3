"""The demo's board: what a person sees of three instances at work."""

from __future__ import annotations

from ebhook.report.board import Board


def test_a_board_tells_who_is_at_work_where() -> None:
    """Who has a lock and how far it is; whom others wait for; what a killed instance left, and who goes
    on with it."""
    board = Board(("acme", "birch"), ("i-1", "i-2"))

    board.tell("i-1", {"event": "LockTaken", "tenant": "acme"})
    board.tell(
        "i-1",
        {"event": "RevisionStarted", "tenant": "acme", "number": 2, "of": 5, "revision": "a002"},
    )
    board.tell("i-2", {"event": "PutBack", "tenant": "acme"})

    assert board.holds("i-1") == ["acme"]
    head, acme, birch = board.lines(2.53)
    assert head.split() == ["2.5", "s", "i-1", "i-2"]
    assert "▶ 2 of 5: a002" in acme
    assert acme.endswith("· i-1 has it")
    assert birch == "birch"

    board.end("i-1", "killed")
    board.tell("i-2", {"event": "LockTakenOver", "tenant": "acme", "holder": "i-1:412 (v512)"})

    assert board.holds("i-1") == []
    assert board.lines(3)[1].endswith("▶ after i-1")
    assert "✗ killed here" in board.lines(3)[1]

    board.tell(
        "i-2", {"event": "TenantDone", "tenant": "acme", "outcome": "upgraded", "seconds": 1.26}
    )

    assert board.done["i-2"] == {"upgraded": 1}
    assert board.lines(4)[1].endswith("✓ upgraded 1.3 s")


def test_a_board_fits_a_terminal() -> None:
    """Three instances and a long revision in 80 columns."""
    board = Board(("juniper",), ("i-0a1", "i-0b2", "i-0c3"))
    for name in ("i-0a1", "i-0b2", "i-0c3"):
        event = {"event": "RevisionStarted", "tenant": "juniper", "number": 10, "of": 14}
        board.tell(name, {**event, "revision": "018dbaded67e_and_more"})

    assert max(map(len, board.lines(125))) <= 80
