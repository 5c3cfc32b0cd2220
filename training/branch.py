"""The drawing branch: a copy of blocks 13 to 15 and a layer over the drawn subjects, trained on what the frozen trunk makes of pictures.
Between them stands the original head, shared and unchanged."""
import copy
import math
import time
import torch
from torch import nn
from torch.nn import functional as F
from lite0 import BRANCH

NONE_WEIGHT = 0.3
SMOOTHING = 0.02


class Branch(nn.Module):
    def __init__(self, net, classes):
        super().__init__()
        self.blocks = copy.deepcopy(net.blocks[BRANCH:])
        self.head = net.head
        self.fc = nn.Linear(1280, len(classes))
        with torch.no_grad():
            self.fc.weight[:] = net.fc.weight.mean(0) + 0.01 * torch.randn(len(classes), 1280)
            self.fc.bias.zero_()
            for i, c in enumerate(classes):
                if c['index'] < 1000:
                    self.fc.weight[i] = net.fc.weight[c['index']]
        for p in [*self.blocks.parameters(), *self.fc.parameters()]:
            p.requires_grad_(True)

    def pooled(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x).mean((2, 3))

    def forward(self, x):
        return self.fc(self.pooled(x))


def mixed_style(x, p=0.5, alpha=0.2):
    """Gives a picture the channel means and deviations of a mixture with another's: other hands (MixStyle, Zhou et al. 2021)."""
    if torch.rand(()) > p:
        return x
    mean, deviation = x.mean((2, 3), keepdim=True), x.std((2, 3), keepdim=True) + 1e-5
    other = torch.randperm(len(x))
    share = torch.distributions.Beta(alpha, alpha).sample((len(x), 1, 1, 1))
    new_mean = share * mean + (1 - share) * mean[other]
    new_deviation = share * deviation + (1 - share) * deviation[other]
    return (x - mean) / deviation * new_deviation + new_mean


def train(branch, mid, labels, steps, batch, rate, seed):
    """mid: [n, 192, 7, 7] halves, what enters block 13; labels: class, or -1 for none. To the mean of the last steps' weights."""
    torch.manual_seed(seed)
    own = list(branch.fc.parameters())
    groups = [dict(params=list(branch.blocks.parameters()), lr=rate), dict(params=own, lr=2 * rate)]
    optimiser = torch.optim.AdamW(groups, weight_decay=2e-3)
    rates = [g['lr'] for g in optimiser.param_groups]
    branch.to(memory_format=torch.channels_last)  # a fifth faster
    mean = copy.deepcopy(branch)
    order, at, started, losses = torch.randperm(len(mid)), 0, time.time(), []
    for step in range(1, steps + 1):
        for g, r in zip(optimiser.param_groups, rates):
            g['lr'] = r * min(1, step / 40) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        if at + batch > len(order):
            order, at = torch.randperm(len(mid)), 0
        i = order[at : at + batch]
        at += batch
        x, y = mid[i].float(), labels[i]
        x = torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x)
        x = mixed_style(x) * (1 + 0.1 * torch.randn(len(x), x.shape[1], 1, 1))
        x = x.contiguous(memory_format=torch.channels_last)
        logits = branch.fc(F.dropout(branch.pooled(x), 0.15))
        known = y >= 0
        loss = F.cross_entropy(logits[known], y[known], reduction='sum', label_smoothing=SMOOTHING)
        loss = (loss - NONE_WEIGHT * logits[~known].log_softmax(-1).mean(-1).sum()) / len(x)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for g in optimiser.param_groups for p in g['params']], 5.0)
        optimiser.step()
        decay = min(0.99, step / (step + 10))
        with torch.no_grad():
            for kept, now in zip(mean.parameters(), branch.parameters()):
                if now.requires_grad:
                    kept.lerp_(now, 1 - decay)
        losses.append(loss.item())
        if step % 50 == 0:
            print(f'seed {seed} step {step} loss {sum(losses[-50:]) / 50:.3f} {time.time() - started:.0f} s', flush=True)
    return mean


def averaged(branch, states):
    """Runs from one start, in other orders, meet in the middle of a valley: their mean is better than each (Wortsman et al. 2022)."""
    branch.load_state_dict({k: sum(s[k] for s in states) / len(states) for k in states[0]})
    return branch
