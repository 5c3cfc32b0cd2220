"""Pictures to learn from: drawings in many styles, varied far more than the picture set varies them; pictures of nothing; and crops of a
few photographs, from which the gate learns what a photograph is. All from a seed."""
import colorsys
import io
import json
import math
import random
import numpy as np
from scipy.ndimage import binary_fill_holes
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

INPUT, RESIZED = 224, 256


def as_model_sees_it(im):
    """preprocessor_config.json: shorter edge to 256 (bicubic), middle 224 cut out."""
    w, h = im.size
    size = (RESIZED, int(RESIZED * h / w)) if w <= h else (int(RESIZED * w / h), RESIZED)
    im = im.convert('RGB').resize(size, Image.BICUBIC)
    left, top = (size[0] - INPUT) // 2, (size[1] - INPUT) // 2
    return np.asarray(im.crop((left, top, left + INPUT, top + INPUT)))


class Glyphs:
    """What glyphs.mjs drew."""

    def __init__(self, folder):
        about = json.load(open(f'{folder}/glyphs.json'))
        edge = about['edge']
        self.about = about['glyphs']
        self.pixels = np.memmap(f'{folder}/glyphs.bin', np.uint8, 'r', shape=(len(self.about), edge, edge, 4))

    def __getitem__(self, i):
        return Image.fromarray(np.array(self.pixels[i]))

    def where(self, kind, styles):
        return [i for i, g in enumerate(self.about) if g['kind'] == kind and g['style'] in styles]


def colour(r):
    h, s, v = r.random(), r.random() ** 1.5, r.uniform(0.12, 1)
    return tuple(int(255 * c) for c in colorsys.hsv_to_rgb(h, s, v))


def ramp(r, size, first, last):
    y, x = np.ogrid[0:size, 0:size]
    y, x = np.float32(y) / (size - 1), np.float32(x) / (size - 1)
    if r.random() < 0.6:
        t = r.uniform(0, 2 * math.pi)
        u = math.cos(t) * (x - 0.5) + math.sin(t) * (y - 0.5) + 0.5
    else:
        u = np.hypot(x - r.random(), y - r.random())
    u = np.clip(u, 0, 1, dtype=np.float32)[..., None]
    first, last = np.float32(first), np.float32(last)
    return first + (last - first) * u


def background(r, size):
    k = r.random()
    if k < 0.3:
        return Image.new('RGB', (size, size), (255, 255, 255))
    if k < 0.55:
        return Image.new('RGB', (size, size), colour(r))
    if k < 0.9:
        return Image.fromarray(np.uint8(ramp(r, size, colour(r), colour(r))))
    # two tones: a floor, stripes, squares or spots
    im = Image.new('RGB', (size, size), colour(r))
    d, other, step = ImageDraw.Draw(im), colour(r), size // r.choice((1, 4, 6, 8)) or 1
    kind = r.randrange(4)
    if kind == 0:
        d.rectangle((0, r.randint(size // 3, size), size, size), fill=other)
    for a in range(0, size, 2 * step):
        if kind == 1:
            d.rectangle((a, 0, a + step - 1, size), fill=other)
        for b in range(0, size, step) if kind > 1 else ():
            at = a + (b // step % 2) * step
            (d.rectangle if kind == 2 else d.ellipse)((at, b, at + step - 1, b + step - 1), fill=other)
    return im.filter(ImageFilter.GaussianBlur(r.uniform(0, size / 40)))


def hue_turned(im, by):
    h, s, v = im.convert('RGB').convert('HSV').split()
    h = Image.fromarray(np.uint8((np.asarray(h).astype(int) + by) % 256))
    return Image.merge('HSV', (h, s, v)).convert('RGB')


def restyle(g, mono, r):
    """Another artist's hand: outlines, shading, flat tones, other colours."""
    rgb, alpha = g.convert('RGB'), g.getchannel('A')
    if mono:
        rgb = Image.fromarray(np.uint8(ramp(r, g.width, colour(r), colour(r)))) if r.random() < 0.3 else Image.new('RGB', g.size, colour(r))
        if r.random() < 0.35:
            # filled in: line drawings get a body
            inner = Image.fromarray(np.uint8(255 * binary_fill_holes(np.asarray(alpha) > 64)))
            fill = Image.new('RGB', g.size, colour(r))
            fill.paste(rgb, (0, 0), alpha)
            rgb, alpha = fill, ImageChops.lighter(alpha, inner)
    else:
        if r.random() < 0.45:
            rgb = hue_turned(rgb, r.randint(-14, 14) if r.random() < 0.7 else r.randint(-128, 128))
        if r.random() < 0.12:
            rgb = ImageOps.grayscale(rgb).convert('RGB')
        if r.random() < 0.2:
            rgb = ImageOps.posterize(rgb, r.choice((2, 3, 4)))
        if r.random() < 0.3:
            gain = [r.uniform(0.7, 1.3) for _ in range(3)]
            rgb = Image.merge('RGB', [c.point(lambda v, k=k: min(255, int(v * k))) for c, k in zip(rgb.split(), gain)])
    k = r.random()
    if k < 0.3 and not mono:
        # outlines: where colours meet, and around the whole
        width = r.choice((1, 3, 3, 5))
        flat = Image.new('RGB', g.size, (255, 255, 255))
        flat.paste(rgb, (0, 0), alpha)
        if r.random() < 0.5:
            flat = flat.filter(ImageFilter.MedianFilter(5))
        least = r.randint(24, 70)
        edge = flat.filter(ImageFilter.FIND_EDGES).convert('L').point(lambda v: 255 * (v > least))
        edge.paste(0, (0, 0, g.width, 2)), edge.paste(0, (0, 0, 2, g.height))
        edge.paste(0, (0, g.height - 2, g.width, g.height)), edge.paste(0, (g.width - 2, 0, g.width, g.height))
        edge = ImageChops.lighter(edge, ImageChops.difference(alpha.filter(ImageFilter.MaxFilter(3)), alpha.filter(ImageFilter.MinFilter(3))))
        if width > 1:
            edge = edge.filter(ImageFilter.MaxFilter(width))
        edge = edge.filter(ImageFilter.GaussianBlur(0.8))
        if r.random() < 0.35:
            rgb = Image.blend(rgb, Image.new('RGB', g.size, r.choice(((255, 255, 255), colour(r)))), r.uniform(0.3, 1))
        rgb = rgb.copy()
        rgb.paste((r.randint(0, 40),) * 3 if r.random() < 0.8 else colour(r), (0, 0), edge)
        alpha = ImageChops.lighter(alpha, edge)
    if r.random() < 0.4:
        # shading: light from one side, or a highlight
        light = Image.fromarray(np.uint8(ramp(r, g.width, (r.randint(170, 255),) * 3, (r.randint(60, 200),) * 3)))
        rgb = ImageChops.multiply(rgb, light) if r.random() < 0.6 else ImageChops.overlay(rgb, light)
    if r.random() < 0.15:
        inner = alpha.filter(ImageFilter.GaussianBlur(r.uniform(4, 10)))
        rgb = ImageChops.multiply(rgb, Image.merge('RGB', [inner.point(lambda v: 110 + v * 145 // 255)] * 3))
    out = rgb.convert('RGBA')
    out.putalpha(alpha)
    return out


def place(g, r, size, mild):
    scale = r.uniform(0.6, 0.92) if mild else r.uniform(0.45, 1.0)
    n = max(12, int(size * scale))
    stretch = 1 if mild else math.exp(r.uniform(-0.2, 0.2))
    g = g.resize((max(8, int(n * min(1, stretch))), max(8, int(n * min(1, 1 / stretch)))), Image.LANCZOS)
    if r.random() < 0.5:
        g = ImageOps.mirror(g)
    if r.random() < 0.75:
        g = g.rotate(r.uniform(-15, 15) if mild or r.random() < 0.7 else r.uniform(-45, 45), Image.BICUBIC, expand=True)
    slack_x, slack_y = size - g.width, size - g.height
    off = 0.2 if mild else 0.3
    x = slack_x // 2 + int(r.uniform(-off, off) * max(abs(slack_x), size * 0.08))
    y = slack_y // 2 + int(r.uniform(-off, off) * max(abs(slack_y), size * 0.08))
    im = background(r, size)
    if r.random() < 0.15:
        shade = Image.new('RGB', g.size, (0, 0, 0))
        by = r.randint(1, max(2, size // 24))
        im.paste(shade, (x + by, y + by), g.getchannel('A').filter(ImageFilter.GaussianBlur(by)).point(lambda v: v // 2))
    im.paste(g, (x, y), g)
    return im


def finish(im, r, strength=1.0):
    if r.random() < 0.6:
        im = ImageEnhance.Brightness(im).enhance(r.uniform(0.72, 1.22))
        im = ImageEnhance.Contrast(im).enhance(r.uniform(0.7, 1.3))
        im = ImageEnhance.Color(im).enhance(r.uniform(0.5, 1.5))
    if r.random() < 0.35:
        im = im.filter(ImageFilter.GaussianBlur(r.uniform(0.2, 0.9) * strength * im.width / 64))
    if r.random() < 0.4:
        a = np.asarray(im, np.float32)
        noise = np.random.default_rng(r.randrange(1 << 30)).normal(0, r.uniform(2, 13) * strength, a.shape)
        im = Image.fromarray(np.uint8(np.clip(a + noise, 0, 255)))
    if r.random() < 0.1:
        kept = io.BytesIO()
        im.save(kept, 'JPEG', quality=r.randint(30, 90))
        im = Image.open(kept).convert('RGB')
    return im


def drawing(g, mono, r):
    mild = r.random() < 0.3
    size = 64 if r.random() < 0.6 else r.choice((96, 128, 192, 256))
    if size < 112:
        g = g.resize((2 * size, 2 * size), Image.BILINEAR)
    if not mild or mono:
        g = restyle(g, mono, r)
    return finish(place(g, r, size, mild), r, 0.8 if mild else 1.0)


def nothing(r):
    """Noise, gradients, plain colours, signs and letters."""
    n = np.random.default_rng(r.randrange(1 << 30))
    k = r.random()
    if k < 0.15:
        return Image.fromarray(np.uint8(n.integers(0, 256, (64, 64, 3))))
    if k < 0.3:
        edge = r.choice((2, 4, 8, 16))
        return Image.fromarray(np.uint8(n.integers(0, 256, (edge, edge, 3)))).resize((64, 64), r.choice((0, 2, 3)))
    if k < 0.5:
        return finish(background(r, 64), r)
    size = r.choice((64, 128))
    im = background(r, size)
    d = ImageDraw.Draw(im)
    if k < 0.75:
        letters = ''.join(r.choice('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789?!&%#@') for _ in range(r.choice((1, 1, 2, 3, 6))))
        font = ImageFont.load_default(size=max(10, int(size * r.uniform(0.5, 0.95) / max(1, len(letters) * 0.6))))
        d.text((size / 2, size / 2), letters, colour(r), font=font, anchor='mm')
    else:
        for _ in range(r.randint(1, 6)):
            box = sorted(r.uniform(0, size) for _ in range(2)) + sorted(r.uniform(0, size) for _ in range(2))
            shape = r.choice((d.ellipse, d.rectangle, d.line, d.arc))
            xy = (box[0], box[2], box[1], box[3])
            shape(xy, 0, r.randint(60, 360), fill=colour(r), width=3) if shape == d.arc else shape(xy, fill=colour(r))
    return finish(im, r)


def photograph(im, r):
    """A crop of a photograph, at many scales and in many colours, now and then cut out on a plain ground: what users send."""
    w, h = im.size
    s = min(w, h) * math.exp(r.uniform(math.log(0.22), 0))
    a = math.exp(r.uniform(-0.3, 0.3))
    cw, ch = min(w, s * a), min(h, s / a)
    x, y = r.uniform(0, w - cw), r.uniform(0, h - ch)
    box, k = (x, y, x + cw, y + ch), r.random()
    edge = 64 if k < 0.3 else r.randint(80, 180) if k < 0.45 else 256
    im = im.resize((edge, edge), r.choice((Image.BICUBIC, Image.BILINEAR, Image.BOX)), box=box)
    if r.random() < 0.5:
        im = ImageOps.mirror(im)
    if r.random() < 0.25:
        im = im.rotate(r.choice((90, 180, 270)))
    if r.random() < 0.6:
        im = ImageEnhance.Brightness(im).enhance(r.uniform(0.6, 1.5))
        im = ImageEnhance.Contrast(im).enhance(r.uniform(0.6, 1.6))
        im = ImageEnhance.Color(im).enhance(r.uniform(0, 2))
    if r.random() < 0.35:
        im = hue_turned(im, r.randint(0, 255))
    if r.random() < 0.25:
        im = im.filter(ImageFilter.GaussianBlur(r.uniform(0.3, 4) * edge / 256))
    if r.random() < 0.2:
        mask = Image.new('L', im.size)
        q = edge / 224
        ImageDraw.Draw(mask).ellipse([r.randint(0, 60) * q, r.randint(0, 60) * q, r.randint(160, 224) * q, r.randint(160, 224) * q], fill=255)
        ground = Image.new('RGB', im.size, colour(r) if r.random() < 0.5 else (255, 255, 255))
        ground.paste(im, (0, 0), mask.filter(ImageFilter.GaussianBlur(r.uniform(0, 3) * q)))
        im = ground
    if r.random() < 0.25:
        v = np.asarray(im, np.float32)
        im = Image.fromarray(np.uint8(np.clip(v + np.random.default_rng(r.randrange(1 << 30)).normal(0, r.uniform(2, 14), v.shape), 0, 255)))
    return im
