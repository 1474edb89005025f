"""Models trained by a variational bound."""
