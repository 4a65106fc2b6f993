"""How the Meraki Dashboard API declines a question, and how it cuts a list into pages.

It must not know what the rows mean. Source: Meraki Dashboard API v1.73.0 (perPage, startingAfter, endingBefore, Link).
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from aiohttp import web
from multidict import MultiMapping

Row = Mapping[str, Any]

PAGING = frozenset({"perPage", "startingAfter", "endingBefore"})
DEFAULT_PER_PAGE = 1000


def declined(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response({"errors": [text]}, status=status, headers=headers)


def complaint(query: MultiMapping[str], known: AbstractSet[str], *, most_per_page: int = 1000) -> web.Response | None:
    """Say what is wrong with a query, if anything is.

    Stricter than Meraki, which passes over a name that it does not know: a misspelt filter is to be seen.
    """
    if unknown := set(query) - known:
        return declined(400, f"Unknown parameters: {sorted(unknown)}")
    per_page = query.get("perPage", str(DEFAULT_PER_PAGE))
    if not (per_page.isascii() and per_page.isdecimal() and 3 <= int(per_page[:9]) <= most_per_page):
        return declined(400, f"'perPage' must be between 3 and {most_per_page}")
    return None


def page(
    request: web.Request, rows: Sequence[Row], token: Callable[[Row], str], *, most_per_page: int = 1_000_000
) -> web.Response:
    """Cut one page out of rows that stand in the order of their tokens; links name the others.

    :param most_per_page: rows on a page, even where more are asked for.
    """
    query = request.query
    per_page = min(most_per_page, int(query.get("perPage", str(DEFAULT_PER_PAGE))))
    if "endingBefore" in query:
        left = [row for row in rows if token(row) < query["endingBefore"]]
        shown = left[-per_page:]
    else:
        left = [row for row in rows if token(row) > query.get("startingAfter", "")]
        shown = left[:per_page]
    bare = request.url.without_query_params("startingAfter", "endingBefore")
    links = [f"<{bare.update_query(startingAfter='')}>; rel=first"]
    if shown and shown[0] is not rows[0]:
        links.append(f"<{bare.update_query(endingBefore=token(shown[0]))}>; rel=prev")
    if shown and shown[-1] is not rows[-1]:
        links.append(f"<{bare.update_query(startingAfter=token(shown[-1]))}>; rel=next")
    return web.json_response(shown, headers={"Link": ", ".join(links)})
