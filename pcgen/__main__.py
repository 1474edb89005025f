"""`python -m pcgen`, and `torchrun -m pcgen`: the command line."""

from pcgen.cli import main

if __name__ == "__main__":
    main()
