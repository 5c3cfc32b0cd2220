"""The gate: is it a drawing? Linear discriminant analysis, in closed form, over means and deviations of early channels (texture, edges,
noise: what a photograph has and a drawing lacks), calibrated by a logistic curve, then moved so that photographs are safe."""
import torch
from torch.nn import functional as F

SHRINK = 0.1  # covariance towards its diagonal
SHIFT = -2.0  # of the logit


def fit(drawings, photographs):
    """Rows of features [n, 544]. To the weight [544] and the bias of the gate's logit."""
    a, b = drawings.double(), photographs.double()
    covariance = 0.5 * (torch.cov(a.T) + torch.cov(b.T))
    deviation = covariance.diagonal().sqrt() + 1e-3
    correlation = covariance / deviation[:, None] / deviation[None]
    correlation = (1 - SHRINK) * correlation + SHRINK * torch.eye(len(correlation), dtype=torch.double)
    w = torch.linalg.solve(correlation, (a.mean(0) - b.mean(0)) / deviation) / deviation
    z = torch.cat([a @ w, b @ w])
    y = torch.cat([torch.ones(len(a)), torch.zeros(len(b))]).double()
    weight = torch.where(y > 0, 0.5 / len(a), 0.5 / len(b)) * len(y)
    centre, scale = z.mean(), z.std()
    k = torch.tensor([2.0, 0.0], dtype=torch.double, requires_grad=True)
    optimiser = torch.optim.LBFGS([k], max_iter=60)

    def closure():
        optimiser.zero_grad()
        loss = F.binary_cross_entropy_with_logits(k[0] * (z - centre) / scale + k[1], y, weight=weight)
        loss.backward()
        return loss

    optimiser.step(closure)
    k = k.detach()
    return (w * k[0] / scale).float(), (k[1] - k[0] * centre / scale + SHIFT).float()
