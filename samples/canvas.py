"""Gradients, shapes, blur, noise and type: the tools that paint the sample posters.

A shape is a string: "x,y x,y ..." for a polygon or line, "x,y,rx,ry" for an oval. "|" separates
several shapes.
"""

import math
import random

from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter, ImageFont, ImageOps

WIDE, HIGH, SCALE = 300, 450, 4  # every poster is laid out in 300 x 450 units of 4 pixels
SIZE = (WIDE * SCALE, HIGH * SCALE)
JOBS = ["A FILM BY", "WITH", "MUSIC BY", "EDITED BY", "DESIGNED BY", "PRODUCED BY", "WRITTEN BY"]
NAMES = [
    "MARA QUILL",
    "OTTO FARROW",
    "LENA OSK",
    "IVO BRANDT",
    "NELL VEY",
    "ABEL LARKIN",
    "J. HOLM",
]
Place = tuple[float, float, float, float]  # x and y of a shape's origin, its scale across and down


class Canvas:
    """A poster while it is painted, with its own random numbers.

    Attributes:
        rng: random numbers, seeded with the poster's name.
        image: RGB, 1200 x 1800 pixels.
    """

    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)
        self.image = Image.new("RGB", SIZE)

    def gradient(self, stops: str, top: float = 0, bottom: float = HIGH) -> None:
        """Fill from `top` to `bottom` with a gradient of evenly spaced colours."""
        colours = [ImageColor.getrgb(stop) for stop in stops.split()]
        strip = Image.new("RGB", (1, len(colours)))
        for row, colour in enumerate(colours):
            strip.putpixel((0, row), colour)
        size, inner = (SIZE[0], round((bottom - top) * SCALE)), (0, 0.5, 1, len(colours) - 0.5)
        fill = strip.resize(size, Image.Resampling.BILINEAR, inner)
        self.image.paste(fill, (0, round(top * SCALE)))

    def draw(
        self,
        fill: str,
        shapes: str,
        blur: float = 0,
        alpha: float = 1,
        line: float = 0,
        at: Place = (0, 0, 1, 1),
    ) -> None:
        """Paint ovals, polygons or lines.

        Args:
            fill: The colour.
            shapes: The shapes, as described at the top of this file.
            blur: Radius of the blur, in units.
            alpha: Opacity, 0 to 1.
            line: Width of open lines in units; 0 paints filled shapes.
            at: Position and scale of the shapes.
        """
        x, y, across, down = (part * SCALE for part in at)
        blur, line = blur * down, line * down
        for shape in shapes.split("|"):
            numbers = [[float(n) for n in point.split(",")] for point in shape.split()]
            points = [(x + n[0] * across, y + n[1] * down) for n in numbers]
            radii = [(abs(n[2] * across), n[3] * down) for n in numbers if len(n) == 4]
            if line:  # round joints and ends
                radii = [(line / 2, line / 2)] * len(points)
            room = round(3 * blur + max((max(pair) for pair in radii), default=0)) + SCALE
            left, right = (round(edge(px for px, _ in points)) for edge in (min, max))
            top, bottom = (round(edge(py for _, py in points)) for edge in (min, max))
            left, top, right, bottom = left - room, top - room, right + room, bottom + room
            mask = Image.new("L", (right - left, bottom - top))
            pen, points = ImageDraw.Draw(mask), [(px - left, py - top) for px, py in points]
            for (px, py), (rx, ry) in zip(points[: len(radii)], radii, strict=True):
                pen.ellipse((px - rx, py - ry, px + rx, py + ry), round(255 * alpha))
            if line:
                pen.line(points, round(255 * alpha), max(1, round(line)))
            elif not radii:
                pen.polygon(points, round(255 * alpha))
            mask = mask.filter(ImageFilter.GaussianBlur(blur))
            self.image.paste(fill, (left, top), mask)

    def ridge(self, fill: str, base: float, height: float, step: int = 6) -> None:
        """Paint a jagged skyline at about `base`, filled down to the bottom edge."""
        points, y = [f"-20,{HIGH + 20}"], base
        for x in range(-20, WIDE + 21, step):
            y += self.rng.uniform(-1, 1) * height / 2 + (base - y) / 8
            points.append(f"{x},{y}")
        self.draw(fill, " ".join([*points, f"{WIDE + 20},{HIGH + 20}"]))

    def clouds(self, fill: str, alpha: float, top: float, bottom: float, cells: int = 4) -> None:
        """Paint smoke, cloud or nebula between two heights, thickest in the middle."""
        size = (SIZE[0], round((bottom - top) * SCALE))
        mask = Image.new("L", size, 128)
        for octave in range(4):
            small = (cells << octave, max(2, (cells << octave) * size[1] // size[0]))
            noise = Image.frombytes("L", small, self.rng.randbytes(small[0] * small[1]))
            mask = Image.blend(mask, noise.resize(size), 0.45 - 0.09 * octave)
        mask = mask.point(lambda v: int(max(0, min(255, (v - 95) * 4)) * alpha))
        fade = Image.linear_gradient("L").point(lambda v: round(255 * math.sin(v / 255 * math.pi)))
        mask = ImageChops.multiply(mask, fade.resize(size))
        self.image.paste(fill, (0, round(top * SCALE)), mask)

    def finish(self, grain: float = 0.25, vignette: float = 1.0) -> None:
        """Add film grain and darken the corners; text is set after this."""
        noise = Image.frombytes("L", (600, 900), self.rng.randbytes(600 * 900)).resize(SIZE)
        noise = noise.point(lambda v: int(128 + (v - 128) * grain))
        self.image = ImageChops.soft_light(self.image, Image.merge("RGB", [noise] * 3))
        dark = Image.radial_gradient("L").resize(SIZE)
        self.image.paste("black", mask=dark.point(lambda v: int(max(0, v - 110) * vignette)))

    def text(
        self,
        fill: str,
        words: str,
        y: float,
        high: float,
        wide: float,
        *,
        x: float = WIDE / 2,
        bold: float = 0,
        slant: float = 0,
        jag: float = 0,
        glow: str = "",
    ) -> None:
        """Set a line centred on `x` with its top at `y`, stretched to `wide` x `high` units."""
        font = ImageFont.load_default(160)
        left, top, right, bottom = font.getbbox(words, stroke_width=bold)
        mask = Image.new("L", (math.ceil(right - left), math.ceil(bottom - top)))
        ImageDraw.Draw(mask).text((-left, -top), words, 255, font, stroke_width=bold)
        if slant:
            matrix = (1, slant, -slant * mask.height, 0, 1, 0)
            size = (mask.width + round(mask.height * slant), mask.height)
            mask = mask.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
        if jag:  # shift thin columns up or down: scratched letters
            torn = Image.new("L", (mask.width, mask.height + round(2 * jag)))
            for column in range(0, mask.width, 7):
                strip = mask.crop((column, 0, column + 7, mask.height))
                torn.paste(strip, (column, round(self.rng.uniform(0, 2) * jag)))
            mask = torn
        mask = mask.resize((round(wide * SCALE), round(high * SCALE)), Image.Resampling.LANCZOS)
        place, room = (round((x - wide / 2) * SCALE), round(y * SCALE)), 9 * SCALE
        if glow:
            halo = ImageOps.expand(mask, room).filter(ImageFilter.GaussianBlur(room / 3))
            halo = halo.point(lambda v: min(255, v * 2))
            self.image.paste(glow, (place[0] - room, place[1] - room), halo)
        self.image.paste(fill, place, mask)

    def credits(self, fill: str, y: float = 420) -> None:
        """Set the block of tall thin names at the foot of a poster."""
        for row, wide in enumerate((236, 244, 170)):
            pairs = zip(self.rng.sample(JOBS, 4), self.rng.sample(NAMES, 4), strict=True)
            words = "   ".join(f"{job} {name}" for job, name in pairs)
            self.text(fill, words, y + row * 8, 6, wide)

    def face(self, at: Place, skin: str, shade: str, hair: str) -> None:
        """Paint a portrait, 200 units high around its middle, lit from the left."""
        self.draw(hair, "0,-15,84,108", 1.2, at=at)
        self.draw(shade, "-30,60 30,60 36,140 60,160 -60,160 -36,140", 2, at=at)
        self.draw(skin, "0,0,66,90|0,55,40,42", 2, at=at)
        self.draw(shade, "40,8,24,70", 9, 0.85, at=at)
        self.draw(shade, "-27,-7,20,12|27,-7,20,12", 6, at=at)
        self.draw("#d8d4cc", "-27,-4,12,5|27,-4,12,5", 1, 0.8, at=at)
        self.draw("#15100e", "-27,-4,5,5|27,-4,5,5", 0.8, at=at)
        self.draw(hair, "-44,-19 -27,-25 -10,-20|10,-20 27,-25 44,-19", 1.5, line=5, at=at)
        self.draw(shade, "0,0 13,29 -4,32", 4, 0.9, at=at)
        self.draw("#8a4440", "0,51,20,5", 2, at=at)
        self.draw(shade, "0,60,15,3", 3, 0.7, at=at)
        self.draw(hair, "-70,10 -50,-60 0,-72 52,-58 70,10 75,-80 0,-120 -75,-80", 2, at=at)
