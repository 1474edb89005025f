"""Gaussian mixture variational autoencoder: clusters with learned shapes."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from pcgen.errors import at_least, not_negative, positive
from pcgen.errors import widths as check_widths
from pcgen.models.base import Batch, Recipe
from pcgen.models.inference import in_batches
from pcgen.models.variational.clustering import Clustering
from pcgen.models.variational.mixture import MovedMixture, divergence_of_shares
from pcgen.models.variational.posterior import DiagonalGaussian
from pcgen.nets.parts import Part

__all__ = ["GMVAE"]


class GMVAE(Clustering):
    """A variational autoencoder whose codes come from K clusters, each a Gaussian that depends on a second latent.

        w ~ N(0, I),  p(y) = pi_y,  p(z | w, y) = N(mean_y(w), diag v_y(w)),  p(x | z) as in `vae`
        log p(x) >= E[log p(x | z)]                                             "reconstruction"
                    - E sum_y p(y | z, w) KL(q(z | x) | p(z | w, y))            "kl_z", the conditional prior term
                    - KL(q(w | x) | p(w))                                       "kl_w", the w-prior term
                    - E KL(p(y | z, w) | p(y)),                                 "kl_y", the y-prior term

    with expectations under the Gaussians q(z | x) q(w | x), and the exact p(y | z, w). (The paper writes y, x, z for x,
    z, y.) The weights pi are learned; the paper's are 1 / K. Clusters of shapes differ in size, and equal weights would
    sample the small ones too often.

    The bound has a degenerate optimum where the last term is 0: all clusters have merged into one, and y has no
    information about x. So the training logs "clusters", the effective number of clusters: the exponential of the
    mutual information of row and cluster, which is 1 in that case and at most K. `minimum_information` is the paper's
    remedy. Here clusters start separated, as a mixture fitted to the codes of the linear model that `setup` finds; the
    paper's start is random. Codes of clouds say nothing before training, so there it has the two phases of `vade`:
    "autoencoder" trains encoder and decoder by the reconstruction alone, and "clustering" starts with a mixture fitted
    to their codes.

    Args:
        shape: (dim,) or (points, 3).
        clusters: K.
        code: dimensions of z.
        noise: dimensions of w.
        widths: for vectors, hidden widths of the encoder, and in reverse of the decoder; both are a linear map plus a
            perceptron that starts at zero; () is linear.
        prior_widths: hidden widths of the network from w to the Gaussians of z, of the same kind.
        minimum_information: nats of kl_y, mean over the batch, below which the term has no gradient.
        encoder: for clouds, a part by name and arguments, or a module (B, N, 3) -> (B, 2 code).
        decoder: for clouds, in the same way, (B, code) -> (B, points, 3).
        reconstruction: for clouds, "chamfer" (mean squared), or "emd" (exact; a mean distance, which is squared here).
        scale: standard deviation of the decoder's noise, in the units of x; None is 0.3 for standardised vectors, 0.01
            for clouds.
        lr: Adam's learning rate.

    Logged:
        reconstruction: -log p(x | z) in nats at one sample of z, mean over rows; for clouds the squared error in units
            of the scale, in the first phase at the posterior's mean.
        kl_z: the conditional prior term in nats, mean over rows.
        kl_w: the w-prior term in nats, mean over rows.
        kl_y: the y-prior term in nats, mean over rows, and at least `minimum_information`.
        clusters: effective number of clusters in the batch, from 1, if all have merged, to K.

    Raises:
        ValueError: a shape that is neither, or an argument out of range; in training, one row, or fewer than clusters.

    References:
        Dilokthanakul, Mediano, Garnelo, Lee, Salimbeni, Arulkumaran, Shanahan (2017). Deep Unsupervised Clustering with
        Gaussian Mixture Variational Autoencoders.
        Kingma, Salimans, Jozefowicz, Chen, Sutskever, Welling (2016). Improved Variational Inference with Inverse
        Autoregressive Flow. (The constraint on information.)
    """

    prior: MovedMixture  # type: ignore[assignment]  # Its density is known together with w alone.

    def __init__(
        self,
        shape: Sequence[int],
        clusters: int = 30,
        code: int = 16,
        noise: int = 8,
        widths: Sequence[int] = (256, 256),
        prior_widths: Sequence[int] = (128,),
        minimum_information: float = 0.0,
        encoder: Part | nn.Module = "pointnet",
        decoder: Part | nn.Module = "fully_connected",
        reconstruction: str = "chamfer",
        scale: float | None = None,
        lr: float = 1e-3,
    ) -> None:
        at_least(1, noise=noise)
        super().__init__(
            shape,
            code=code,
            widths=widths,
            encoder=encoder,
            decoder=decoder,
            reconstruction=reconstruction,
            scale=scale,
            statistics=2 * code + 2 * noise,
        )
        positive(lr=lr)
        not_negative(minimum_information=minimum_information)
        check_widths(least=0, prior_widths=prior_widths)
        self.minimum_information = minimum_information
        self.prior = MovedMixture(code, noise, clusters, prior_widths)
        self.optimizer = torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr, fused=True)

    @property
    def recipe(self) -> Recipe:
        recipe = replace(super().recipe, steps=3000, batch_size=64)
        vectors = len(self.shape) == 1
        return recipe if vectors else replace(recipe, phases={"autoencoder": 0.3, "clustering": 0.7})

    @torch.no_grad()
    def setup(self, data: Batch) -> None:
        """Start a model of vectors from the best linear one, and the clusters from the mixture fitted to its codes."""
        super().setup(data)
        if len(self.shape) == 1:
            self._begin(self.codes(data.x))

    @torch.no_grad()
    def enter(self, phase: str, data: Batch) -> None:
        """Start "clustering" of clouds with a posterior of small variance, and clusters fitted to the codes."""
        if phase == "clustering":
            self._begin(self.narrowed(data.x))

    def _begin(self, codes: DiagonalGaussian) -> None:
        self.prior.start(codes, in_batches(self, self.decode, codes.mean))

    def posteriors(self, x: Tensor) -> tuple[DiagonalGaussian, DiagonalGaussian]:
        """q(z | x) and q(w | x) of rows (B, *shape)."""
        z, w = self.encoded(x, x.new_zeros(len(x), 0)).split((2 * self.prior.dim, 2 * self.prior.noise.dim), dim=1)
        return DiagonalGaussian(*z.chunk(2, dim=1)), DiagonalGaussian(*w.chunk(2, dim=1))

    def posterior(self, x: Tensor, y: Tensor) -> DiagonalGaussian:
        return self.posteriors(x)[0]

    def parts(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        code, noise = self.posteriors(x)
        z, components = code.draw(), self.prior.components(noise.draw())
        log_shares = self.prior.joint(components, z).log_softmax(1)
        terms = {
            "reconstruction": self.likelihood.nll(x, self.decode(z)),
            "kl_z": (log_shares.exp() * components.divergences(code)).sum(1),
            "kl_w": noise.kl_from_standard(),
            "kl_y": divergence_of_shares(log_shares, self.prior.weights.log()),
        }
        return terms, log_shares

    def descended(self, parts: dict[str, Tensor]) -> dict[str, Tensor]:
        terms = super().descended(parts)
        return terms | {"kl_y": terms["kl_y"].clamp_min(self.minimum_information)}

    def log_shares(self, x: Tensor) -> Tensor:
        code, noise = self.posteriors(x)
        return self.prior.log_shares(code.mean, noise.mean)

    def log_weights(self, x: Tensor, y: Tensor, draws: int) -> Tensor:
        """log p(x | z_k) p(z_k | w_k) p(w_k) / q(z_k | x) q(w_k | x) of independent samples, (draws, B)."""
        code, noise = (each.repeated(draws) for each in self.posteriors(x))
        z, w = code.draw(), noise.draw()  # (draws * B, ...)
        prior = self.prior.log_prob_given(z, w) + self.prior.noise.log_prob(w)
        nll = self.likelihood.nll(x.repeat(draws, 1), self.decode(z))
        return (prior - nll - code.log_prob(z) - noise.log_prob(w)).view(draws, -1)
