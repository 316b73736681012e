#!/usr/bin/env python3
"""Looks at reports in a browser, at the widths of a telephone, a tablet and a desk:

    tools/check_layout.py FILE.html...

For each file and width it says what reaches beyond the page (tables scroll in boxes of their own, which may), which texts of a chart
overlap or leave their chart, and how many tables have to be scrolled, with everything unfolded. Status 1 if anything but the last was
found, 2 if there is no browser that works: chromium, chromium-browser or google-chrome, or what BROWSER names."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

WIDTHS = (400, 900, 1600)

# Runs within the report, in a frame of the width, and hands its findings to the page around it.
LOOK = """<script>
addEventListener('load', () => {
  document.querySelectorAll('details').forEach(one => one.open = true);
  const width = document.documentElement.clientWidth;
  const box = one => one.getBoundingClientRect();
  const name = one => one.tagName.toLowerCase() + ' "' + one.textContent.trim().slice(0, 30) + '"';
  const beyond = [], charts = [];
  for (const one of document.querySelectorAll('body *')) {
    if (one.parentElement.closest('.scroll, svg')) continue;
    if (box(one).width > 0 && box(one).right > width + 1) beyond.push(name(one));
  }
  for (const chart of document.querySelectorAll('figure svg')) {
    const outer = box(chart), texts = [...chart.querySelectorAll('text')];
    const boxes = texts.map(box);
    boxes.forEach((a, i) => {
      const inside = a.left >= outer.left - 1 && a.right <= outer.right + 1 && a.top >= outer.top - 1 && a.bottom <= outer.bottom + 1;
      if (!inside) charts.push(name(texts[i]) + ' leaves its chart');
      for (let j = i + 1; j < boxes.length; ++j) {
        const b = boxes[j];
        if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)
          charts.push(name(texts[i]) + ' overlaps ' + name(texts[j]));
      }
    });
  }
  const tables = [...document.querySelectorAll('.scroll')];
  const scrolled = tables.filter(one => one.scrollWidth > one.clientWidth + 1).length;
  parent.postMessage(JSON.stringify({beyond, charts, scrolled, tables: tables.length}), '*');
});
</script>"""

FRAME = """<!DOCTYPE html><title>nothing</title><body style="margin:0">
<script>onmessage = message => document.title = message.data</script>
<iframe src="report.html" style="border:0;width:{width}px;height:900px"></iframe>"""


def findings(browser, report, width):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "report.html"), "w", encoding="utf-8") as file:
            file.write(report.replace("</body>", LOOK + "</body>"))
        frame = os.path.join(folder, "frame.html")
        with open(frame, "w", encoding="utf-8") as file:
            file.write(FRAME.format(width=width))
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", "--allow-file-access-from-files"]
        size = f"--window-size={max(WIDTHS) + 100},1000"
        profile = f"--user-data-dir={os.path.join(folder, 'profile')}"
        page = subprocess.run(
            [browser, *options, size, profile, "--dump-dom", "file://" + frame], capture_output=True, text=True, check=False
        ).stdout
    title = re.search(r"<title>(.*?)</title>", page, re.DOTALL)
    if title is None or title.group(1) == "nothing":
        print(f"check_layout: {browser} did not show the page", file=sys.stderr)
        sys.exit(2)
    return json.loads(html.unescape(title.group(1)))


def main(files):
    wanted = [os.environ["BROWSER"]] if "BROWSER" in os.environ else ["chromium", "chromium-browser", "google-chrome"]
    browser = next((path for path in map(shutil.which, wanted) if path), None)
    if browser is None:
        print("check_layout: no browser was found (" + ", ".join(wanted) + ")", file=sys.stderr)
        return 2
    bad = False
    for name in files:
        with open(name, encoding="utf-8") as file:
            report = file.read()
        for width in WIDTHS:
            found = findings(browser, report, width)
            faults = ["beyond the page: " + one for one in found["beyond"]] + found["charts"]
            bad = bad or bool(faults)
            print(f"{name} at {width}: {len(faults) or 'no'} faults, {found['scrolled']} of {found['tables']} tables are scrolled")
            for fault in faults[:20]:
                print("  " + fault)
    return 1 if bad else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(__doc__)
        sys.exit(2)
    sys.exit(main(sys.argv[1:]))
