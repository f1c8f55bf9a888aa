"""One cell of the CSV files that we write for people: `;` between cells, `"` around what needs it."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With these a spreadsheet takes a text for a formula."""

_QUOTED = ('"', ";", "\n", "\r")


def cell(text: str) -> str:
    """Write a text so that a spreadsheet neither splits it nor computes it."""
    if text.startswith(_FORMULA):
        text = f"'{text}"
    if any(each in text for each in _QUOTED):
        return '"' + text.replace('"', '""') + '"'
    return text
