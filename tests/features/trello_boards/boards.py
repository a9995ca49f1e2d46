"""A small board in the shape that "Export as JSON" writes."""

import json
from typing import Any

BOARD = "5f0000000000000000000b01"
DOING, DONE, OLD = (f"5f000000000000000000010{number}" for number in range(3))
MATE, BOY = "5f0000000000000000000201", "5f0000000000000000000202"
FIRST, SECOND, THIRD = (f"5f10000000000000000003{number:02}" for number in range(3))


def make_card(card_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": card_id,
        "badges": {"comments": 0, "due": None},
        "closed": False,
        "dueComplete": False,
        "dateLastActivity": "2020-07-20T08:00:00.000Z",
        "desc": "",
        "due": None,
        "idBoard": BOARD,
        "idChecklists": [],
        "idList": DOING,
        "idMembers": [],
        "idShort": int(card_id[-2:]) + 1,
        "idLabels": [],
        "labels": [],
        "name": f"Card {card_id[-2:]}",
        "pos": 16383.75,
        "shortLink": f"short{card_id[-2:]}",
        "shortUrl": f"https://trello.com/c/short{card_id[-2:]}",
        "start": None,
        "url": f"https://trello.com/c/short{card_id[-2:]}/1-card",
        "attachments": [],
        "customFieldItems": [],
    } | fields


def make_action(action_id: int, kind: str, card_id: str, **data: Any) -> dict[str, Any]:
    card = {"id": card_id, "name": "x", "idShort": 1, "shortLink": f"short{card_id[-2:]}"}
    return {
        "id": f"5f200000000000000000{action_id:04}",
        "idMemberCreator": MATE,
        "data": {"card": card, "board": {"id": BOARD}} | data,
        "type": kind,
        "date": "2020-07-05T08:00:00.000Z",
        "memberCreator": {"id": MATE, "fullName": "The Mate", "username": "mate"},
    }


def make_board(**fields: Any) -> dict[str, Any]:
    """Three cards; of the first all is told that may be, the second is done, and the third archived."""
    green = {"id": "l1", "name": "Lamp", "color": "green", "uses": 1}
    nameless = {"id": "l2", "name": "", "color": "sky_dark", "uses": 1}
    full = make_card(
        FIRST,
        name="  Trim the wick ",
        desc="With *care*",
        due="2020-08-01T10:00:00.000Z",
        start="2020-07-20T00:00:00.000Z",
        idMembers=[MATE, BOY, "gone"],
        labels=[green, nameless],
        attachments=[
            {"id": "a1", "name": "wick [new].png", "url": "https://trello.com/1/a(1).png", "bytes": 1}
        ],
        customFieldItems=[
            {"id": "i1", "idCustomField": "f1", "value": {"number": "3"}, "idValue": None},
            {"id": "i2", "idCustomField": "f2", "value": None, "idValue": "o2"},
            {"id": "i3", "idCustomField": "gone", "value": {"text": "x"}},
        ],
    )
    return {
        "id": BOARD,
        "name": "Light house",
        "desc": "All that shines",
        "closed": False,
        "shortLink": "lightHse",
        "url": "https://trello.com/b/lightHse/light-house",
        "limits": {"cards": {"openPerBoard": {"status": "ok"}}},
        "labelNames": {"green": "Lamp"},
        "cards": [
            full,
            make_card(SECOND, idList=DONE, dateCompleted="2020-07-19T08:00:00.000Z"),
            make_card(THIRD, idList=OLD, closed=True, desc=None),
        ],
        "actions": [
            make_action(3, "commentCard", FIRST, text="Aye, aye", dateLastEdited="2020-07-06T08:00:00.000Z"),
            make_action(2, "updateCard", FIRST, old={"pos": 1}),
            make_action(1, "copyCommentCard", SECOND, text="Aye"),
            make_action(0, "createCard", FIRST),
        ],
        "labels": [green, nameless, {"id": "l3", "name": None, "color": None}],
        "lists": [
            {"id": DOING, "name": "In progress", "closed": False, "pos": 1},
            {"id": DONE, "name": "Done!", "closed": False, "pos": 2},
            {"id": OLD, "name": "Ideas", "closed": False, "pos": 3},
        ],
        "members": [
            {"id": MATE, "fullName": "The Mate", "username": "mate"},
            {"id": BOY, "fullName": "The Boy", "username": ""},
        ],
        "customFields": [
            {"id": "f1", "name": "Lamps", "type": "number"},
            {
                "id": "f2",
                "name": "Watch",
                "type": "list",
                "options": [{"id": "o2", "value": {"text": "Dog"}}],
            },
        ],
        "checklists": [
            {
                "id": "c1",
                "idCard": FIRST,
                "name": "Tools",
                "checkItems": [
                    {"id": "k1", "name": "Scissors", "state": "complete"},
                    {"id": "k2", "name": "Oil", "state": "incomplete"},
                ],
            }
        ],
    } | fields


def encode(board: Any) -> bytes:
    return json.dumps(board).encode()
