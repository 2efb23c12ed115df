# SPDX-License-Identifier: Apache-2.0
"""What a message costs in instructions: the same in every run, whatever else the machine does."""
import re
import shutil
import subprocess

FEW_AND_MANY = (2, 6)  # messages: what a program does once falls out of the difference


def per_message(program, certificate, message, env=None):
    """@return instructions of one message; None: there is no valgrind, or the program does not verify the message"""
    counts = []
    for messages in FEW_AND_MANY if shutil.which("valgrind") else ():
        done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, certificate, message, str(-messages)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=env)
        found = re.search(r"Collected : (\d+)", done.stdout)
        if done.returncode != 0 or not found:
            return None
        counts.append(int(found.group(1)))
    return (counts[1] - counts[0]) // (FEW_AND_MANY[1] - FEW_AND_MANY[0]) if counts else None
