# SPDX-License-Identifier: Apache-2.0
"""A page of docs/ as its reader types it: its configuration in a file, its commands in one shell."""
import os
import re
import subprocess

import product
from report import PATIENCE_S

END = "\x1e"


class Page:
    """Blocks marked conf are the configuration, blocks without a mark are commands. replace: words that differ here,
    such as ports that somebody else may have."""

    def __init__(self, name, replace=()):
        with open(os.path.join(product.ROOT, "docs", name), encoding="utf-8") as page:
            text = page.read()
        for old, new in replace:
            text = text.replace(old, new)
        blocks = re.findall(r"```(\w*)\n(.*?)```\n", text, re.S)
        self.commands = [line for kind, block in blocks if kind == "" for line in block.splitlines() if line.strip()]
        self.configuration = next(block for kind, block in blocks if kind == "conf")
        self.place = product.new_directory()

    def typed(self, configuration_file):
        """Type all commands into one shell. @return (command, status, output) of each that ended"""
        with open(os.path.join(self.place, configuration_file), "w", encoding="utf-8") as out:
            out.write(self.configuration)
        script = "".join(f"{command}\nprintf '{END}%s{END}' $?\n" for command in self.commands)
        path = f"{os.path.dirname(product.COUNTERSIGN)}:{os.environ['PATH']}"
        done = subprocess.run(["bash", "--norc"], input=script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S,
                              check=False, cwd=self.place, env=dict(os.environ, PATH=path))
        pieces = done.stdout.split(END)
        return list(zip(self.commands, map(int, pieces[1::2]), pieces[0::2]))
