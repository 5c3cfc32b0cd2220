"""Makes pictures and what the frozen trunk makes of them, in shards that are kept: an epoch of training then costs little."""
import glob
import json
import os
import random
import sys
from multiprocessing import get_context
import numpy as np
from pictures import Glyphs, Image, as_model_sees_it, drawing, nothing, photograph

COLOUR = ('twemoji', 'fluent-emoji-flat', 'fluent-emoji', 'fluent-3d', 'emojione', 'fxemoji', 'streamline-emojis', 'icon-park')
MONO = ('fluent-emoji-high-contrast', 'emojione-monotone', 'game-icons', 'ph', 'mdi', 'tabler', 'fa6-solid')
UNSEEN = ('google', 'openmoji')
SHARD = 2000


def trunk_session(folder):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(f'{folder}/trunk.onnx', options)

    def run(pictures):
        low, mid = [], []
        for i in range(0, len(pictures), 8):
            x = (np.stack(pictures[i : i + 8]).transpose(0, 3, 1, 2).astype(np.float32) - 127) / 128
            a, b = session.run(None, {'x': x})
            low.append(a.astype(np.float32))
            mid.append(b.astype(np.float16))
        return np.concatenate(low), np.concatenate(mid)

    return run


def export_trunk(folder):
    import torch
    from lite0 import Lite0

    class Trunk(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Lite0()

        def forward(self, x):
            return self.net.trunk(x)

    axes = {'x': {0: 'n'}, 'low': {0: 'n'}, 'mid': {0: 'n'}}
    torch.onnx.export(Trunk(), torch.zeros(2, 3, 224, 224), f'{folder}/trunk.onnx', input_names=['x'], output_names=['low', 'mid'], dynamic_axes=axes, opset_version=17, dynamo=False)


def pool(glyphs, kinds, styles):
    """Glyphs by class, then by style."""
    by = {}
    for i, g in enumerate(glyphs.about):
        if g['kind'] in kinds and g['style'] in styles:
            by.setdefault(g['class'], {}).setdefault(g['style'], []).append(i)
    return by


def shard(job):
    folder, kind, seed, source = job
    path = f'{folder}/shards/{kind}-{seed:04d}.npz'
    if os.path.exists(path):
        return path
    r, run = random.Random(seed), trunk_session(folder)
    pictures, classes, styles = [], [], []
    if kind == 'photographs':
        photos = []
        for p in source:
            im = Image.open(p)
            im.draft('RGB', (1600, 1600))
            im = im.convert('RGB')
            im.thumbnail((1400, 1400), Image.BICUBIC)
            photos.append(im)
        for i in range(SHARD):
            pictures.append(as_model_sees_it(photograph(photos[i % len(photos)], r)))
            classes.append(-2)
            styles.append('photograph')
    else:
        glyphs = Glyphs(folder)
        colour, mono = pool(glyphs, ('subject', 'extra'), COLOUR), pool(glyphs, ('subject', 'extra'), MONO)
        none = pool(glyphs, ('none',), COLOUR + MONO)[-1]
        order = sorted(colour)
        while len(pictures) < SHARD:
            k = r.random()
            if k < 0.82:
                c = order[r.randrange(len(order))]
                of = mono if k < 0.15 and c in mono else colour
                # a style that stands alone for its class is not drawn more often for it
                style = r.choice(sorted(of[c]))
                i = r.choice(of[c][style])
            elif k < 0.94:
                c, style = -1, r.choice(sorted(none))
                i = r.choice(none[style])
            else:
                pictures.append(as_model_sees_it(nothing(r)))
                classes.append(-1)
                styles.append('nothing')
                continue
            pictures.append(as_model_sees_it(drawing(glyphs[i], glyphs.about[i]['mono'], r)))
            classes.append(c)
            styles.append(style)
    low, mid = run(pictures)
    np.savez(path + '.part.npz', low=low, mid=mid, classes=np.array(classes), styles=np.array(styles))
    os.rename(path + '.part.npz', path)
    print(path, flush=True)
    return path


def make(folder, drawings, photographs, photos, processes=2):
    os.makedirs(f'{folder}/shards', exist_ok=True)
    if not os.path.exists(f'{folder}/trunk.onnx'):
        export_trunk(folder)
    jobs = [(folder, 'photographs', s, photos) for s in range(photographs)] + [(folder, 'drawings', s, None) for s in range(drawings)]
    with get_context('spawn').Pool(processes) as workers:
        return list(workers.imap(shard, jobs))


if __name__ == '__main__':
    folder, drawings, photographs, *photos = sys.argv[1:]
    make(folder, int(drawings), int(photographs), sorted(photos))
