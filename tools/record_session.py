#!/usr/bin/env python3
"""Records a terminal session as a picture for the README: runs commands on a pseudo-terminal and keeps what they show.

    record_session.py OUT.svg

It types into `ogas chat` as a person does; only the home folder is shortened to ~. Needs: build/release/ogas, rich
"""
import os
import pathlib
import pty
import re
import select
import sys
import time

from rich.console import Console
from rich.text import Text

COLUMNS = 100
SESSION = [
    (["build/release/ogas", "run", "Why is the sky blue?", "--seed", "1", "-n", "60"], "ogas run \"Why is the sky blue?\"", []),
    (["build/release/ogas", "chat", "--seed", "1", "-n", "40"], "ogas chat",
     ["What do bees do?", "/set max_tokens 30", "And why does it matter to us?", "\x04"]),
    (["build/release/ogas", "inspect"], "ogas inspect", []),
]


def play(command, lines):
    """The program's output while `lines` are typed, each after the answer to the one before."""
    pid, master = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS=str(COLUMNS))
        os.execv(command[0], command)
    output, waiting = b"", list(lines)
    while True:
        quiet = not select.select([master], [], [], 2.0)[0]
        if quiet and waiting:
            line = waiting.pop(0)
            os.write(master, line.encode() if line == "\x04" else line.encode() + b"\r")
            continue
        if quiet:
            continue
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not chunk:
            break
        output += chunk
    os.waitpid(pid, 0)
    return output.decode(errors="replace").replace(os.path.expanduser("~"), "~")


def shown(output):
    """What is left on the screen: no cursor movements, and of lines drawn over the last state."""
    output = re.sub(r"\x1b\[(\d*)C", lambda match: " " * int(match[1] or 1), output)
    output = re.sub(r"\x1b\[\?2004[hl]|\x1b\[\?1[hl]|\x1b[=>]|\x1b\[[0-9;]*[ABDHJ]|\x07", "", output).replace("\r\n", "\n")
    lines = []
    for line in output.split("\n"):
        line = re.split(r"\r\x1b\[K", line)[-1]
        line = line.split("\r")[-1]
        while "\b" in line:
            line = re.sub(r".?\x08", "", line, count=1)
        lines.append(re.sub(r"\x1b\[K", "", line))
    return "\n".join(lines).rstrip() + "\n"


def main():
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True, color_system="truecolor")
    for command, as_typed, lines in SESSION:
        console.print(Text.assemble(("$ ", "bold green"), (as_typed, "bold")))
        console.print(Text.from_ansi(shown(play(command, lines))))
        time.sleep(0.2)
    svg = console.export_svg(title="ogas")
    # Any monospaced font will do; rich would have the reader's browser fetch one.
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.S)
    svg = re.sub(r"<!--.*?-->\s*", "", svg)
    pathlib.Path(sys.argv[1]).write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")


if __name__ == "__main__":
    main()
