# SPDX-License-Identifier: Apache-2.0
"""Programs over gSOAP's wsse plugin, compiled where they are needed."""
import os
import shutil
import subprocess

SHARE = "/usr/share/gsoap"


def is_here():
    return bool(shutil.which("soapcpp2")) and subprocess.run(["pkg-config", "--exists", "gsoapssl"], check=False).returncode == 0


def build(place, header, source, *flags):
    """Generate the serializers of header in place (a new directory) and compile source with them. @return the program"""
    os.mkdir(place)
    own, libraries = (subprocess.run(["pkg-config", what, "gsoapssl"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
                      for what in ("--cflags", "--libs"))
    plugin = [os.path.join(SHARE, name) for name in ("plugin/wsseapi.c", "plugin/smdevp.c", "plugin/mecevp.c", "custom/struct_timeval.c")]
    program = os.path.join(place, "peer")
    for command in (["soapcpp2", "-c", "-C", "-w", "-x", "-L", "-I", os.path.join(SHARE, "import"), "-I", SHARE, header],
                    ["cc", "-w", *flags, *own, "-I.", "-I", os.path.join(SHARE, "plugin"), source, "soapC.c", "soapClient.c",
                     *plugin, *libraries, "-lssl", "-lcrypto", "-lz", "-o", program]):
        done = subprocess.run(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]}: {done.stdout[-2000:]}")
    return program
