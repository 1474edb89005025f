"""Several sets of samples of one model against held-out clouds, under CD."""

from torch import Tensor

from pcgen import metrics, ops

__all__ = ["DRAWS", "NONE", "Judge"]

DRAWS = 6  # sets of samples of each: one set's 1-NNA is off by three points as often as not
NONE = {"draws": "", "one_nna_cd_mean": "", "one_nna_cd_least": "", "one_nna_cd_most": "", "z_u_cd_mean": ""}


class Judge:
    """What several sets of clouds score on average.

    Args:
        test: held-out clouds, (R, N, 3).
        train: the training clouds, (T, N, 3).
    """

    def __init__(self, test: Tensor, train: Tensor) -> None:
        self.test, self.train = test, train
        self.between = ops.chamfer_matrix(test, test)
        self.near = ops.chamfer_matrix(test, train).amin(1)

    def __call__(self, sets: list[Tensor], learned: bool = True) -> dict[str, object]:
        """1-NNA's mean, least and most over sets (S, N, 3), fractions; Z_U's mean, where the sets were learned.

        Args:
            sets: of samples.
            learned: whether they come of a model; Z_U of training clouds themselves says nothing.
        """
        found, scores = [], []
        for clouds in sets:
            inside, across = ops.chamfer_matrix(clouds, clouds), ops.chamfer_matrix(clouds, self.test)
            found.append(metrics.one_nna(across, inside, self.between).accuracy)
            if learned:
                scores.append(metrics.z_u(ops.chamfer_matrix(clouds, self.train).amin(1), self.near))
        means = {"draws": len(sets), "one_nna_cd_mean": round(sum(found) / len(found), 5)}
        means |= {"one_nna_cd_least": round(min(found), 5), "one_nna_cd_most": round(max(found), 5)}
        return {**means, "z_u_cd_mean": round(sum(scores) / len(scores), 4) if learned else ""}
