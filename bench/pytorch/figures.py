"""What the programs here have measured, for compare.py."""

import json
import os


class Figures:
    """Figures and settings as JSON in the file `path`, if there is one. It is whole after every figure, so that a run that is stopped
    leaves those it has made."""

    def __init__(self, path=None, **settings):
        self.path, self.content = path, {**settings, "figures": []}

    def add(self, **figure):
        self.content["figures"].append(figure)
        if self.path:
            with open(self.path + ".new", "w") as file:
                json.dump(self.content, file, indent=2)
            os.replace(self.path + ".new", self.path)


def reason(error):
    """An error in one line; those without a text have at least a name."""
    return (str(error).strip() or repr(error)).splitlines()[0][:120]
