"""One graph of everything: trunk, the original's last blocks and its 1000 logits, the drawing branch, the gate, and their mixture. As
fp32: the branch's own weights are kept in 16 bits and widened when the model is loaded."""
import json
import os
import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F

FLOOR = 1e-9


class Mixture(nn.Module):
    """softmax(logits) = gate * drawn + (1 - gate) * photographed, over the 1000 classes and the further subjects."""

    def __init__(self, net, branch, gate, classes, temperature):
        super().__init__()
        self.net, self.branch, self.temperature = net, branch, temperature
        weight, bias = gate
        self.gate_weight, self.gate_bias = nn.Parameter(weight[:, None]), nn.Parameter(bias[None])
        count = max(1000, max(c['index'] for c in classes) + 1)
        self.further = count - 1000
        where = torch.full((count,), len(classes))
        where[torch.tensor([c['index'] for c in classes])] = torch.arange(len(classes))
        self.register_buffer('where', where)

    def forward(self, pixel_values):
        low, mid = self.net.trunk(pixel_values)
        mid = self.net.shared(mid)
        gate = torch.sigmoid(low @ self.gate_weight + self.gate_bias)
        photographed = F.pad(self.net.rest(mid).softmax(-1), (0, self.further))
        drawn = F.pad((self.branch(mid) * (1 / self.temperature)).softmax(-1), (0, 1)).index_select(1, self.where)
        return (gate * drawn + (1 - gate) * photographed + FLOOR).log()


def export(mixture, path):
    torch.onnx.export(
        mixture.eval(),
        torch.zeros(2, 3, 224, 224),
        path,
        input_names=['pixel_values'],
        output_names=['logits'],
        dynamic_axes={'pixel_values': {0: 'batch'}, 'logits': {0: 'batch'}},
        opset_version=17,
        dynamo=False,
    )


def halve(path, to, branch):
    """Keeps the branch's weights in 16 bits; a Cast widens each, which runtimes fold away when they load the model."""
    model = onnx.load(path)
    own = {p.detach().numpy().tobytes() for b in (branch.blocks, branch.fc) for p in b.parameters() if p.numel() > 1000}
    own |= {p.detach().numpy().T.tobytes() for p in branch.fc.parameters() if p.dim() == 2}
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size <= 1000 or values.tobytes() not in own:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + '.half'))
        casts.append(helper.make_node('Cast', [name + '.half'], [name], to=TensorProto.FLOAT))
    for node in reversed(casts):
        model.graph.node.insert(0, node)
    onnx.checker.check_model(model)
    onnx.save(model, to)
    return len(casts)


def configure(folder, labels, here):
    os.makedirs(os.path.join(folder, 'onnx'), exist_ok=True)
    names = {str(i): label for i, label in enumerate(labels)}
    config = dict(
        architectures=['EfficientNetForImageClassification'],
        model_type='efficientnet',
        image_size=224,
        id2label=names,
        label2id={label: int(i) for i, label in names.items()},
    )
    # each step as EfficientNet-Lite0 was trained: (byte - 127) / 128 of the middle 224 of 256
    preprocessor = dict(
        image_processor_type='BitImageProcessor',
        do_convert_rgb=True,
        do_resize=True,
        size=dict(shortest_edge=256),
        resample=3,
        do_center_crop=True,
        crop_size=dict(height=224, width=224),
        do_rescale=True,
        rescale_factor=1 / 255,
        do_normalize=True,
        image_mean=[127 / 255] * 3,
        image_std=[128 / 255] * 3,
    )
    for name, value in (('config.json', config), ('preprocessor_config.json', preprocessor)):
        with open(os.path.join(folder, name), 'w') as file:
            json.dump(value, file, indent=2, ensure_ascii=False)
            file.write('\n')
