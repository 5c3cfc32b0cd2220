"""The q8 file from the fp32 file: static QDQ, signed weights by channel, unsigned activations; what that costs the gate is given back to it."""
import os
import random
import numpy as np
import onnx
import onnxruntime
from features import COLOUR, MONO
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from pictures import Glyphs, Image, as_model_sees_it, drawing, photograph

SEED = 0
# in floating point: they see few channels of wide range, and 8 bits would cost a tenth of the photographs
KEPT = ('/stem', '/blocks.0/')
# pictures of each kind: from which ranges are taken, and from which the gate learns
RANGES, SHOWN = 150, 400
# strength of the ridge; from 100 to 1000 the gate errs alike on pictures kept back
RIDGE = 100
# two neighbouring products of an unsigned byte and a signed one are added up in 16 bits by processors without VNNI
PAIR = 32767 // 255


def calibration(work, photos):
    """Drawings and crops of photographs in turn, as the model sees them."""
    r, glyphs = random.Random(SEED), Glyphs(work)
    drawn = [i for i, g in enumerate(glyphs.about) if g['kind'] in ('subject', 'extra') and g['style'] in COLOUR + MONO]
    opened = [Image.open(p).convert('RGB') for p in photos]
    for im in opened:
        im.thumbnail((1400, 1400))
    shape = lambda r: glyphs[r.choice(drawn)].getchannel('A')
    pictures = []
    for k in range(SHOWN):
        i = r.choice(drawn)
        pictures.append(as_model_sees_it(drawing(glyphs[i], glyphs.about[i]['mono'], r)))
        pictures.append(as_model_sees_it(photograph(opened[k % len(opened)], r, r.choice(opened), shape)))
    return [(p.transpose(2, 0, 1)[None].astype(np.float32) - 127) / 128 for p in pictures]


class Reader(CalibrationDataReader):
    def __init__(self, pictures):
        self.left = iter(pictures)

    def get_next(self):
        x = next(self.left, None)
        return None if x is None else {'pixel_values': x}


def quantise(path, to, pictures, work):
    ready = os.path.join(work, 'ready.onnx')
    quant_pre_process(path, ready)
    model = onnx.load(ready)
    pads_into_convolutions(model)
    onnx.checker.check_model(model)
    onnx.save(model, ready)
    kept = [n.name for n in model.graph.node if n.name.startswith(KEPT)] + [gate_of(model).name]
    quantize_static(
        ready,
        to,
        Reader(pictures[: 2 * RANGES]),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=['Conv', 'Gemm', 'Clip', 'GlobalAveragePool'],
        nodes_to_exclude=kept,
    )
    quantised = onnx.load(to)
    statistics_in_floating_point(quantised)
    without_saturation(quantised, model)
    fit_gate(quantised, model, pictures)
    onnx.checker.check_model(quantised)
    onnx.save(quantised, to)


def pads_into_convolutions(model):
    """A Pad of its own, between two quantised convolutions, is computed in floating point: a third of the model's time."""
    graph, values = model.graph, initializers(model)
    for pad in [n for n in graph.node if n.op_type == 'Pad']:
        users = [n for n in graph.node if pad.output[0] in n.input]
        if len(users) != 1 or users[0].op_type != 'Conv':
            continue
        _, _, top, left, _, _, bottom, right = numpy_helper.to_array(values[pad.input[1]]).tolist()
        for own in [a for a in users[0].attribute if a.name == 'pads']:
            assert not any(own.ints)
            users[0].attribute.remove(own)
        users[0].attribute.append(helper.make_attribute('pads', [top, left, bottom, right]))
        users[0].input[0] = pad.input[0]
        graph.node.remove(pad)


def statistics_in_floating_point(model):
    """The gate looks at what a convolution in floating point gave, not at that in 8 bits and back."""
    made = producers(model)
    for node in model.graph.node:
        if node.op_type not in ('ReduceMean', 'Sub'):
            continue
        for i, name in enumerate(node.input):
            back = made.get(name)
            there = back and back.op_type == 'DequantizeLinear' and made.get(back.input[0])
            source = there and made[there.input[0]]
            if source and source.op_type == 'Conv' and source.input[1] not in made:
                node.input[i] = there.input[0]


def without_saturation(model, original):
    """
    Processors without VNNI add up two neighbouring products in 16 bits, and cut off what is more. Here the scales of a channel are
    just so wide that none is: 8 bits where reduce_range would take 7 from all. Convolutions by channel add up in 32 bits.
    """
    values, floats, made = initializers(model), initializers(original), producers(model)
    before = {name: numpy_helper.to_array(t).copy() for name, t in values.items()}
    put = lambda name, array: values[name].CopyFrom(numpy_helper.from_array(array, name))
    for node in model.graph.node:
        weight = made.get(node.input[1]) if node.op_type in ('Conv', 'Gemm') else None
        if weight is None or any(a.name == 'group' and a.i > 1 for a in node.attribute):
            continue
        bytes_of, scale_of = weight.input[:2]
        axis = next((a.i for a in weight.attribute if a.name == 'axis'), 0)
        # one row for each output; the kernels go along it channel by channel, tap by tap
        rows = lambda array: np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)
        precise = numpy_helper.to_array(floats[bytes_of.removesuffix('_quantized')]).astype(np.float64)
        assert precise.ndim == 2 or precise.shape[2:] == (1, 1)
        old = before[scale_of]
        # rounding may add one to the sum of two
        scale = np.maximum(old, np.abs(neighbours(rows(precise))).max(1) / (PAIR - 1)).astype(np.float32)
        by_channel = [-1 if i == axis else 1 for i in range(precise.ndim)]
        rounded = np.rint(precise / scale.reshape(by_channel)).astype(np.int8)
        assert np.abs(neighbours(rows(rounded.astype(np.int32)))).max() <= PAIR
        put(bytes_of, rounded)
        put(scale_of, scale)
        if len(node.input) > 2:
            bias_of, bias_scale_of = made[node.input[2]].input[:2]
            bias_scale = (before[bias_scale_of].astype(np.float64) * scale / old).astype(np.float32)
            put(bias_scale_of, bias_scale)
            put(bias_of, np.rint(before[bias_of] * (before[bias_scale_of].astype(np.float64) / bias_scale)).astype(np.int32))


def neighbours(rows):
    """Sums of the first and second, third and fourth number of each row …"""
    rows = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)))
    return rows[:, 0::2] + rows[:, 1::2]


def fit_gate(model, original, pictures):
    """
    In 8 bits the blocks' statistics come out otherwise, all drawings' a little the same way. Ridge regression finds the smallest change of the
    gate by which it says of what q8 shows what it said of what fp32 showed.
    """
    gate, values = gate_of(model), initializers(model)
    _, weight_of, bias_of = gate_of(original).input
    weight, bias = (numpy_helper.to_array(initializers(original)[name]).astype(np.float64) for name in (weight_of, bias_of))
    precise, shown = (shown_to_gate(m, pictures) for m in (original, model))
    error = (precise - shown) @ weight[:, 0]
    mean, spread = shown.mean(0), shown.std(0) + 1e-6
    standard = (shown - mean) / spread
    change = np.linalg.solve(standard.T @ standard + RIDGE * np.eye(len(weight)), standard.T @ (error - error.mean())) / spread
    for name, array in ((gate.input[1], weight + change[:, None]), (gate.input[2], bias + error.mean() - mean @ change)):
        values[name].CopyFrom(numpy_helper.from_array(array.astype(np.float32), name))


def gate_of(model):
    made = producers(model)
    (sigmoid,) = [n for n in model.graph.node if n.op_type == 'Sigmoid']
    return made[sigmoid.input[0]]


def shown_to_gate(model, pictures):
    """The statistics that the gate looks at, a row for each picture."""
    name = gate_of(model).input[0]
    tapped = onnx.ModelProto()
    tapped.CopyFrom(model)
    tapped.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(tapped.SerializeToString())
    return np.concatenate([session.run([name], {'pixel_values': x})[0] for x in pictures]).astype(np.float64)


def initializers(model):
    return {t.name: t for t in model.graph.initializer}


def producers(model):
    return {output: node for node in model.graph.node for output in node.output}
