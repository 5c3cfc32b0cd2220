"""Makes models/rayito-pictures again: drawings, pictures, features, gate, drawing branch, both files. See README.md.

    python training/train.py [--work FOLDER] [--out FOLDER] [--shards N] [--steps N]
    python training/train.py --only-q8        # the q8 file again, from the fp32 file that is there
"""
import argparse
import json
import os
import subprocess
import sys
import time
from multiprocessing import get_context
import numpy as np
import torch
from branch import Branch, averaged, train
from export import Mixture, configure, export, halve
from features import make, trunk_session
from gate import fit
from lite0 import Lite0
from pictures import Image, as_model_sees_it
from quantise import calibration, quantise

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
SEED = 0


def say(*words):
    print(f'[{time.strftime("%H:%M:%S")}]', *words, flush=True)


def free_photographs(work):
    """CC0, public domain and CC BY only: of scikit-image, scikit-learn and Debian's lomiri-wallpapers; CREDITS.md names them."""
    import skimage
    import sklearn

    inside = os.path.join(os.path.dirname(skimage.__file__), 'data')
    names = 'coffee.png astronaut.png gravel.png brick.png grass.png rocket.jpg chelsea.png coins.png moon.png hubble_deep_field.jpg camera.png'
    paths = [os.path.join(inside, name) for name in names.split()]
    inside = os.path.join(os.path.dirname(sklearn.__file__), 'datasets', 'images')
    paths += [os.path.join(inside, name) for name in ('china.jpg', 'flower.jpg')]
    unpacked = os.path.join(work, 'wallpapers')
    if not os.path.exists(unpacked):
        os.makedirs(unpacked + '.deb')
        subprocess.run(['apt-get', 'download', 'lomiri-wallpapers-16.04'], cwd=unpacked + '.deb', check=True)
        (package,) = os.listdir(unpacked + '.deb')
        subprocess.run(['dpkg-deb', '-x', os.path.join(unpacked + '.deb', package), unpacked], check=True)
    folder = os.path.join(unpacked, 'usr/share/backgrounds')
    free = ('Aitzol', 'freespace', 'Clements', 'Abhishek', 'Mede')
    paths += [os.path.join(folder, name) for name in os.listdir(folder) if any(author in name for author in free)]
    return sorted(paths)


def evaluation(work):
    about = json.load(open(f'{work}/evaluation.json'))
    pixels = np.memmap(f'{work}/evaluation.bin', np.uint8, 'r').reshape(-1, 64, 64, 3)
    sets, at = {}, 0
    for name, labels in about.items():
        sets[name] = (pixels[at : at + len(labels)], labels)
        at += len(labels)
    return sets


def seen(pixels, run, path):
    if not os.path.exists(path):
        low, mid = run([as_model_sees_it(Image.fromarray(p)) for p in pixels])
        np.savez(path, low=low, mid=mid)
    kept = np.load(path)
    return kept['low'], kept['mid']


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--work', default=f'{HERE}/cache')
    parser.add_argument('--out', default=f'{ROOT}/models/rayito-pictures')
    parser.add_argument('--shards', type=int, default=12, help='of 2,000 drawings')
    parser.add_argument('--steps', type=int, default=700)
    parser.add_argument('--batch', type=int, default=64)
    parser.add_argument('--rate', type=float, default=6e-4)
    parser.add_argument('--temperature', type=float, default=1.0)
    parser.add_argument('--seeds', type=int, default=2, help='runs at once, on a thread each')
    parser.add_argument('--only-q8', action='store_true', help='from the fp32 file that is there')
    args = parser.parse_args()
    work = os.path.abspath(args.work)
    os.makedirs(work, exist_ok=True)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(SEED)
    if not os.path.exists(f'{work}/glyphs.json'):
        if not os.path.exists(f'{HERE}/node_modules'):
            subprocess.run(['npm', 'ci', '--ignore-scripts'], cwd=HERE, check=True)
        subprocess.run(['node', f'{HERE}/glyphs.mjs', work], check=True)
    if not os.path.exists(f'{work}/evaluation.json'):
        subprocess.run(['node', f'{HERE}/evaluation.mjs', work], check=True)
    photos = free_photographs(work)
    if args.only_q8:
        return write_q8(args, work, photos)
    say(len(photos), 'photographs;', args.shards, 'shards')
    paths = make(work, args.shards, 4, photos)
    classes = json.load(open(f'{HERE}/classes.json'))
    labels = json.load(open(f'{HERE}/labels.json'))
    place = {c['label']: i for i, c in enumerate(classes)}

    low, mid, known, photo_low = [], [], [], []
    for path in paths:
        shard = np.load(path)
        if os.path.basename(path).startswith('photographs'):
            photo_low.append(torch.from_numpy(shard['low']))
            continue
        low.append(torch.from_numpy(shard['low']))
        mid.append(torch.from_numpy(shard['mid']))
        known.append(torch.from_numpy(shard['classes']))
    run = trunk_session(work)
    sets = evaluation(work)
    for name in ('train',):  # the picture set's own rows, too
        pixels, names = sets.pop(name)
        a, b = seen(pixels, run, f'{work}/seen-train.npz')
        low.append(torch.from_numpy(a))
        mid.append(torch.from_numpy(b))
        known.append(torch.tensor([place[n] for n in names]))
    low, mid, known = torch.cat(low), torch.cat(mid), torch.cat(known)
    photo_low = torch.cat(photo_low)
    say(len(mid), 'pictures,', int((known < 0).sum()), 'of nothing;', len(photo_low), 'crops of photographs')

    some = torch.randperm(len(low), generator=torch.Generator().manual_seed(SEED))[:16000]
    gate = fit(low[some], photo_low)
    passes = lambda x: f'{100 * (torch.as_tensor(x) @ gate[0] + gate[1] > 0).float().mean():.1f} %'
    say('gate open: drawings', passes(low), 'photographs', passes(photo_low))

    net = Lite0()
    torch.manual_seed(SEED)
    branch = Branch(net, classes)
    looks = {name: (*seen(pixels, run, f'{work}/seen-{name.replace(" ", "-")}.npz'), names) for name, (pixels, names) in sets.items()}
    for name, (a, _, _) in looks.items():
        say('gate open:', name, passes(a))

    def look(model, temperature=args.temperature):
        with torch.inference_mode():
            for name, (_, b, names) in looks.items():
                b = net.shared(torch.from_numpy(b).float())
                scores = torch.cat([(model(b[i : i + 128]) / temperature).softmax(-1) for i in range(0, len(b), 128)])
                best, which = scores.max(-1)
                right = which == torch.tensor([place.get(n, -1) for n in names])
                high = best >= 0.8
                say(f'  {name}: top-1 {100 * right.float().mean():.1f} >= .80 {100 * high.float().mean():.1f}', f'right of these {100 * right[high].float().mean():.1f}' if high.any() else '')

    mid = torch.cat([net.shared(mid[i : i + 256].float()).half() for i in range(0, len(mid), 256)])
    mid.share_memory_()
    say('training')
    jobs = [(classes, mid, known, args, seed) for seed in range(args.seeds)]
    with get_context('spawn').Pool(args.seeds) as workers:
        states = workers.map(run_of, jobs)
    branch = averaged(branch, states)
    torch.save(branch.state_dict(), f'{work}/branch.pt')
    look(branch)
    write(args, work, net, branch, gate, classes, labels, photos)


def run_of(job):
    classes, mid, known, args, seed = job
    path = f'{os.path.abspath(args.work)}/branch-{seed}.pt'
    if not os.path.exists(path):
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)
        torch.manual_seed(SEED)  # one start for all
        branch = train(Branch(Lite0(), classes), mid, known, args.steps, args.batch, args.rate, seed)
        torch.save(branch.state_dict(), path)
    return torch.load(path)


def write(args, work, net, branch, gate, classes, labels, photos):
    whole = f'{work}/whole.onnx'
    export(Mixture(net, branch, gate, classes, args.temperature), whole)
    configure(args.out, labels, HERE)
    say(halve(whole, f'{args.out}/onnx/model.onnx', branch), 'weights of the branch kept in 16 bits')
    write_q8(args, work, photos)


def write_q8(args, work, photos):
    folder = f'{args.out}/onnx'
    quantise(f'{folder}/model.onnx', f'{folder}/model_quantized.onnx', calibration(work, photos), work)
    for name in ('model', 'model_quantized'):
        say(name, os.path.getsize(f'{folder}/{name}.onnx'), 'bytes')


if __name__ == '__main__':
    sys.exit(main())
