"""Write the table of models, read from MODELS, into the README; with --check only say whether it is up to date."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


def main() -> None:
    command = [sys.executable, "-c", "from pcgen.cli import main; main()", "models", "--markdown"]
    table = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    text = README.read_text(encoding="utf-8")
    new = re.sub(r"(?s)(?<=<!-- models -->\n).*(?=<!-- /models -->)", lambda _: table, text)
    if "--check" in sys.argv[1:]:
        if new != text:
            sys.exit(f"{README}: its table of models is not that of MODELS; run python {Path(__file__).name}")
    else:
        README.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
