"""Draw docs/output.png: the sample posters with the genres that the packaged model names.

Run it with: python samples/picture.py [OUTPUT.png]
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from genre_infer import Classifier, Result
from genre_infer.posters import SUFFIXES, load_poster

HERE = Path(__file__).parent
POSTER, COLUMNS, LINES, MARGIN = (150, 221), 6, 4, 12
CELL = (POSTER[0] + 2 * MARGIN, POSTER[1] + 3 * MARGIN + 16 * LINES)


def draw_cell(sheet: Image.Image, corner: tuple[int, int], path: Path, result: Result) -> None:
    """Draw one poster with its genres and their probabilities below."""
    x, y = corner[0] + MARGIN, corner[1] + MARGIN
    poster = load_poster(path).resize(POSTER, Image.Resampling.LANCZOS)
    sheet.paste(poster, (x, y))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for line, named in enumerate(result.genres[:LINES]):
        top = y + POSTER[1] + 8 + 16 * line
        length = round(POSTER[0] * named.probability)
        draw.rectangle((x, top + 1, x + length, top + 14), fill=(205, 224, 240))
        draw.text((x + 4, top), named.genre, fill=(30, 30, 30), font=font)
        figure = f"{named.probability:.2f}"
        left = x + POSTER[0] - draw.textlength(figure, font)
        draw.text((left, top), figure, fill=(110, 110, 110), font=font)


def main() -> None:
    """Classify the samples and draw the sheet."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "docs" / "output.png"
    paths = sorted(path for path in HERE.iterdir() if path.suffix.lower() in SUFFIXES)
    rows = -(-len(paths) // COLUMNS)
    sheet = Image.new("RGB", (CELL[0] * COLUMNS, CELL[1] * rows), "white")
    with Classifier(device="cpu") as classifier:
        for number, result in enumerate(classifier.classify_many(paths)):
            corner = (number % COLUMNS * CELL[0], number // COLUMNS * CELL[1])
            draw_cell(sheet, corner, paths[number], result)
    sheet.save(target, optimize=True)


if __name__ == "__main__":
    main()
