"""Models that draw by the transitions of a Markov chain which they learned."""
