"""Models of whole clouds: the autoencoder, and what an autoencoder makes of a model of vectors."""
