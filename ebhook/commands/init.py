"""``init``: the hooks, the .ebextensions and ebhook.toml into an application."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ebhook.aws.bundle import SETTINGS, BundleFile, FileState, bundle_files
from ebhook.aws.bundle_checks import warnings
from ebhook.commands.context import Options, finish
from ebhook.errors import Exit, SettingsFailed, UsageFailed
from ebhook.next_command import ebhook, then
from ebhook.report.tables import table

WORDS = {
    FileState.NEW: "new",
    FileState.SAME: "unchanged",
    FileState.DIFFERS: "differs",
    FileState.KEPT: "yours, left as it is",
}


def init(
    options: Options,
    *,
    folder: Path,
    cloudwatch: bool,
    overwrite: bool,
    dry_run: bool,
    check: bool = False,
) -> Exit:
    """0 when all is in place; 1 when a file differs and was left as it is.

    Args:
        check: write nothing; 1 also for a file that is not there yet, and for a warning.
    """
    dry_run = dry_run or check
    if not folder.is_dir():
        raise UsageFailed(
            f"There is no folder {folder}.", next=then("See: ", ebhook("init", words=["--help"]))
        )
    found = bundle_files(folder, cloudwatch=cloudwatch)
    if not dry_run:
        _write([f for f in found if f.state is FileState.NEW or (overwrite and _differs(f))])
    complaints = warnings(folder)
    left = [f for f in found if _differs(f) and (dry_run or not overwrite)]
    code = Exit.FINDINGS if left else Exit.OK
    if check and (complaints or any(f.state is FileState.NEW for f in found)):
        code = Exit.FINDINGS
    files = [{"file": f.name, "state": f.state.value} for f in found]
    document = {"files": files, "warnings": complaints, "exit_code": int(code)}
    parts = [table(("file", ""), [(f.name, _word(f, overwrite, dry_run)) for f in found])]
    for file in found:
        if _differs(file) or (dry_run and file.state is FileState.NEW):
            parts.append(str(file.diff))
    parts += [f"warning: {complaint}" for complaint in complaints]
    if left:
        typed = options.commands.typed
        overwritten = replace(options.commands.again(), words=(*typed.words, "--overwrite"))
        take = then("What differs was left as it is. To take ebhook's: ", overwritten)
        parts.append(options.commands.text(take))
    elif not dry_run and any(f.state is FileState.NEW for f in found):
        look = then(
            f"Say in {SETTINGS} which databases there are, commit, and look: ", ebhook("doctor")
        )
        parts.append(options.commands.text(look))
    finish(options, document, "\n\n".join(parts))
    return code


def _differs(file: BundleFile) -> bool:
    return file.state is FileState.DIFFERS


def _word(file: BundleFile, overwrite: bool, dry_run: bool) -> str:
    if dry_run and file.state is FileState.NEW:
        return "would be new"
    if _differs(file) and overwrite:
        return "would be overwritten" if dry_run else "overwritten"
    return WORDS[file.state]


def _write(files: list[BundleFile]) -> None:
    for file in files:
        try:
            file.write()
        except OSError as error:
            raise SettingsFailed(
                f"{file.path}: {error.strerror}.",
                "The files before it are in place.",
                then("Mend it, then again: ", ebhook("init")),
            ) from None
