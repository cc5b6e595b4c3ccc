"""Reports on the disk: the page and the plain data, written together; the plain data, read with care."""

from pathlib import Path

from pydantic import ValidationError

from neuro_deploy.errors import ModelFileError
from neuro_deploy.files import parse_json, read_text, reason, remedy, write_all_atomically
from neuro_deploy.report.model import FORMAT, FORMAT_VERSION, Report


def save(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write ``report.html`` and ``report.json``, both or none.

    Args:
        report: what they say.
        folder: where.

    Returns:
        Their paths.

    Raises:
        OutputError: one cannot be written; none has changed.
    """
    from neuro_deploy.report.html import render

    page, data = folder / "report.html", folder / "report.json"
    write_all_atomically({page: render(report).encode(), data: (report.model_dump_json(indent=1) + "\n").encode()})
    return page, data


def load(path: Path) -> Report:
    """Read a ``report.json``.

    Raises:
        ModelFileError: it is missing, damaged, of another version, or no report at all.
    """
    try:
        values = parse_json(read_text(path))
    except FileNotFoundError as error:
        raise ModelFileError(f"{path}: no such file: neuro-deploy report CONFIG writes runs/CONFIG/report.json") from error
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({reason(error)}): {remedy(error, 'name a report.json')}") from error
    except ValueError as error:
        raise ModelFileError(f"{path}: no JSON, or damaged: make the report again") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ModelFileError(f"{path}: JSON, but not a report of this program: name a report.json")
    if values.get("format_version") != FORMAT_VERSION:
        raise ModelFileError(
            f"{path}: format_version {values.get('format_version')!r}, this program reads {FORMAT_VERSION}: make the report again"
        )
    try:
        return Report.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ModelFileError(f"{path}: {place}: {first['msg'].lower()}: damaged, make the report again") from error
