"""The drawing branch: a copy of blocks 12 to 15 and a layer over the drawn subjects, trained on what the frozen trunk makes of pictures.
Between them stands the original head, shared and unchanged."""
import copy
import math
import time
import torch
from torch import nn
from torch.nn import functional as F
from lite0 import START

NONE_WEIGHT = 0.3
SMOOTHING = 0.02


class Branch(nn.Module):
    def __init__(self, net, classes):
        super().__init__()
        self.blocks = copy.deepcopy(net.blocks[START:])
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


def train(branch, mid, labels, steps, batch, rate, seed, look=lambda step: None, budget=1e9):
    """mid: [n, 192, 7, 7] halves, what enters block 12; labels: class, or -1 for none. Ends with the mean of the last steps' weights."""
    torch.manual_seed(seed)
    own = list(branch.fc.parameters())
    groups = [dict(params=list(branch.blocks.parameters()), lr=rate), dict(params=own, lr=2 * rate)]
    optimiser = torch.optim.AdamW(groups, weight_decay=2e-3)
    rates = [g['lr'] for g in optimiser.param_groups]
    branch.to(memory_format=torch.channels_last)  # a fifth faster
    mean = copy.deepcopy(branch)
    order, at, started, losses = torch.randperm(len(mid)), 0, time.time(), []
    step = 0
    while step < steps:
        done = max(step / steps, (time.time() - started) / budget)
        if done >= 1:
            break
        for g, r in zip(optimiser.param_groups, rates):
            g['lr'] = r * min(1, (step + 1) / 60) * (0.5 + 0.5 * math.cos(math.pi * done))
        if at + batch > len(order):
            order, at = torch.randperm(len(mid)), 0
        i = order[at : at + batch]
        at += batch
        x, y = mid[i].float(), labels[i]
        x = torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x)
        x = mixed_style(x) * (1 + 0.1 * torch.randn(len(x), x.shape[1], 1, 1))
        x = x.contiguous(memory_format=torch.channels_last)
        logits = branch.fc(F.dropout(branch.pooled(x), 0.2))
        known = y >= 0
        loss = F.cross_entropy(logits[known], y[known], reduction='sum', label_smoothing=SMOOTHING)
        loss = (loss - NONE_WEIGHT * logits[~known].log_softmax(-1).mean(-1).sum()) / len(x)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for g in optimiser.param_groups for p in g['params']], 5.0)
        optimiser.step()
        decay = min(0.998, (step + 1) / (step + 20))
        with torch.no_grad():
            for kept, now in zip(mean.parameters(), branch.parameters()):
                if now.requires_grad:
                    kept.lerp_(now, 1 - decay)
        losses.append(loss.item())
        step += 1
        if step % 100 == 0:
            print(f'step {step} loss {sum(losses[-100:]) / 100:.3f} {time.time() - started:.0f} s', flush=True)
        if step % 500 == 0:
            look(mean)
    return mean
