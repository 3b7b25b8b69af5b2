"""Paint twelve invented films, each in the visual language of its genre."""

from canvas import Canvas


def horror(c: Canvas) -> None:
    """Paint a pale skull over a lit house and dead trees."""
    c.gradient("#050203 #2a0506 #7a0f0c #1a0304 #020101")
    c.clouds("#000000", 0.9, 40, 350)
    c.draw("#d9d2c4", "150,128,62,90", 12, 0.95)
    c.draw("#3a2a28", "205,140,34,90", 16, 0.9)
    c.draw("#050202", "124,112,18,22|174,112,18,22|150,184,20,34|147,143,7,9", 6)
    c.draw("#c01010", "124,114,2.2,2.2|174,114,2.2,2.2", 0.8)
    c.clouds("#1a0203", 1, 130, 350)
    c.ridge("#020101", 330, 12)
    roof = "92,270 120,238 134,252 134,214 128,214 145,184 162,214 156,214 156,256 170,240 200,272"
    c.draw("#020101", f"100,340 100,270 {roof} 194,340")
    panes = "142,222 149,222 149,234 142,234|112,284 119,284 119,296 112,296"
    panes += "|142,284 149,284 149,296 142,296|174,284 181,284 181,296 174,296"
    c.draw("#ffb640", panes, 0.8)
    for at in ((40, 0, 1, 1), (262, 0, -1, 1)):
        c.draw("#020101", "0,350 8,260 -6,190", line=5, at=at)
        c.draw("#020101", "6,275 34,249 43,235|4,250 40,224 49,208", line=2, at=at)
        c.draw("#020101", "0,225 26,199 30,185", line=2, at=at)
        c.draw("#020101", "6,262 -34,240 -44,216|2,236 -24,214 -28,196", line=1.6, at=at)
    c.finish(0.35)
    c.text("#b9b0a4", "SOMETHING  STILL  LIVES  UPSTAIRS", 22, 7, 200)
    c.text("#c4120e", "THE HOLLOW", 346, 30, 250, bold=3, jag=9, glow="#300000")
    c.text("#c4120e", "HOUSE", 379, 34, 180, bold=3, jag=9, glow="#300000")
    c.credits("#8a5a52")


def western(c: Canvas) -> None:
    """Paint a rider before the setting sun, between mesas and cactuses."""
    c.gradient("#c8501c #e27a26 #f6b04a #fbd685", bottom=290)
    c.clouds("#a8441a", 0.5, 70, 230)
    c.draw("#ffe9a8", "150,225,88,88", 14, 0.6)
    c.draw("#fff1c0", "150,225,72,72", 1)
    c.draw("#a3461c", "-5,290 -5,218 52,214 58,246 84,250 96,290", 0.8)
    c.draw("#a3461c", "214,290 222,262 232,258 236,226 305,222 305,290", 0.8)
    c.gradient("#b4541e #8a3814 #3a1608", top=280)
    c.ridge("#7a3012", 330, 8)
    ink = "#140904"
    horse = "176,262 190,228 199,221 203,211 206,221 216,239 209,246 198,242 184,272"
    c.draw(ink, f"150,267,33,16|{horse}|134,264 133,216 140,206 158,206 165,218 162,262")
    c.draw(ink, "126,272 122,300 114,332|134,274 137,300 130,334|166,274 172,300 166,332", line=6)
    c.draw(ink, "176,272 184,296 176,318|118,260 106,276 102,304|160,216 172,236 186,240", line=6)
    c.draw(ink, "150,256 160,276 155,294 164,296", line=8)
    c.draw(ink, "149,197,9,11|149,192,23,4|138,192 140,179 148,182 157,178 160,192")
    cactus = "0,0 0,-110|0,-50 -22,-50 -22,-84|0,-64 22,-64 22,-96"
    c.draw("#1d1006", cactus, line=11, at=(40, 345, 1, 1))
    c.draw("#1d1006", cactus, line=11, at=(264, 318, -0.6, 0.6))
    c.finish(0.5, 0.6)
    c.text("#4a1404", "HE RODE IN FOR WATER. HE STAYED FOR JUSTICE.", 20, 7, 220)
    c.text("#5a1206", "LAST WATER", 38, 46, 264, bold=7)
    c.text("#5a1206", "AT DRY FORK", 92, 24, 216, bold=7)
    c.credits("#e8b878", 410)


def animation(c: Canvas) -> None:
    """Paint two round, big-eyed friends who wave from a flowery hill."""
    c.gradient("#1b8fe8 #5cc8ff #c9f2ff #ffffff")
    for at in ((50, 130, 1, 1), (250, 160, 1.2, 1.2), (150, 190, 0.8, 0.8)):
        c.draw("#ffffff", "0,0,20,16|20,4,15,12|-20,5,14,11|8,-10,16,13", 0.6, at=at)
    c.draw("#8bdc3c", "60,420,250,110")
    c.draw("#5cbf2a", "250,450,230,120")
    for x in range(12, 300, 24):
        colour = c.rng.choice(("#ffef3a", "#ff6ec7", "#ffffff"))
        c.draw(colour, f"{x},{372 + c.rng.uniform(-12, 10)},3.5,3.5")
    bobbo, bee = ("#ff9a1f", "#d96a08", "#ffd79a"), ("#a04be0", "#6f22b0", "#dcb4ff")
    for at, colours in (((112, 268, 0.68, 0.68), bobbo), ((212, 302, -0.46, 0.46), bee)):
        body, dark, belly = colours
        c.draw(dark, "-62,-86,30,38|62,-86,30,38|-50,98,36,16|50,98,36,16|0,0,100,100", at=at)
        c.draw("#ffb3c8", "-62,-84,17,24|62,-84,17,24", at=at)
        c.draw(body, "-80,20 -130,-30|80,20 130,-30", line=32, at=at)
        c.draw(body, "-4,-5,94,93", 4, at=at)
        c.draw("#ffffff", "-35,-70,30,14", 12, 0.6, at=at)
        c.draw(belly, "0,50,50,40", 3, at=at)
        c.draw("#ffffff", "-34,-22,31,37|34,-22,31,37", at=at)
        c.draw("#1f7a3a", "-29,-18,19,23|29,-18,19,23", at=at)
        c.draw("#101018", "-28,-17,12,15|28,-17,12,15", at=at)
        c.draw("#ffffff", "-34,-26,6,7|22,-26,6,7", at=at)
        c.draw("#5a1020", "0,36,32,22", at=at)
        c.draw(body, "0,22,36,16", at=at)
        c.draw("#ff7a8a", "0,50,17,7", at=at)
    c.text("#0b3a86", "BOBBO & BEE", 34, 52, 276, bold=18, glow="#ffffff")
    c.text("#ffdf1e", "BOBBO & BEE", 37, 46, 266, bold=9)
    c.text("#ffffff", "ONE BIG HILL. ONE BIGGER ADVENTURE.", 14, 9, 220, bold=3)
    c.text("#ffffff", "THIS SUMMER", 396, 16, 130, bold=6)
    c.credits("#1c5a10", 423)


def scifi(c: Canvas) -> None:
    """Paint a ship that rises from the bright rim of a blue planet, among stars."""
    c.gradient("#01020a #04102e #0a2f66 #02060f")
    c.clouds("#1c5fae", 0.55, 0, 350)
    c.clouds("#6a2fb0", 0.4, 30, 270)
    for _ in range(220):
        x, y, r = c.rng.uniform(0, 300), c.rng.uniform(0, 330), c.rng.choice((0.4, 0.5, 0.6, 1.0))
        c.draw("#e8f0ff", f"{x},{y},{r},{r}", alpha=c.rng.uniform(0.4, 1))
    c.draw("#3fb4ff", "150,480,236,236", 14)
    c.draw("#d8f6ff", "150,480,224,224", 2)
    c.draw("#04122c", "150,489,224,224", 7)
    c.clouds("#1d6fb8", 0.35, 270, 430, 7)
    c.draw("#9fe4ff", "150,256,120,5", 6, 0.9)
    c.draw("#ffffff", "150,256,34,14", 10)
    right, left = "162,150 168,206 214,236 216,246", "84,246 86,236 132,206 138,150"
    c.draw("#05080f", f"150,96 {right} {left}")
    c.draw("#2c5480", "150,96 150,246 140,246 144,150", 1)
    for x in (104, 136, 150, 164, 196):
        c.draw("#7fe0ff", f"{x},250,5,3", 1)
        c.draw("#5ac8ff", f"{x - 4},252 {x + 4},252 {x},310", 3, 0.8)
    c.finish(0.2)
    c.text("#9fd4ff", "THE SIGNAL CAME FROM AFTER US", 26, 6.5, 190)
    c.text("#e6f8ff", "N I N T H", 338, 20, 150, bold=2, glow="#1a80e0")
    c.text("#e6f8ff", "O R B I T", 366, 34, 250, bold=2, glow="#1a80e0")
    c.credits("#6a98c8")


def noir(c: Canvas) -> None:
    """Paint a man in a hat in the striped light of a venetian blind."""
    c.gradient("#4a4a4a #8a8a8a #3a3a3a")
    c.draw("#e8e8e8", "205,150,110,130", 40)
    for y in range(20, 330, 18):
        c.draw("#0c0c0c", f"60,{y} 300,{y - 26} 300,{y - 16} 60,{y + 9}", 1.2, 0.85)
    c.draw("#060606", "20,450 34,318 92,288 112,262 176,262 200,290 258,320 276,450", 1)
    c.face((146, 204, -0.62, 0.62), "#d0d0d0", "#2c2c2c", "#0a0a0a")
    c.draw("#0a0a0a", "118,214,24,70", 10, 0.9)
    c.draw("#080808", "146,172,92,17", 1)
    c.draw("#101010", "92,168 96,112 122,100 146,110 172,98 196,112 200,168", 1)
    c.draw("#2e2e2e", "92,166 94,150 198,150 200,166", 1)
    c.draw("#060606", "96,172 200,172 196,194 100,194", 4, 0.85)
    c.draw("#1b1b1b", "112,268 146,330 120,350 84,292|178,268 146,330 172,350 206,292")
    c.draw("#d8d8d8", "126,266 166,266 146,322")
    c.draw("#050505", "142,280 151,280 155,318 146,330 138,318")
    c.draw("#f4f4f4", "162,238 184,244", line=2.4)
    c.clouds("#f0f0f0", 0.5, 70, 280, 3)
    for y in range(190, 420, 18):
        c.draw("#ffffff", f"150,{y} 280,{y - 14} 280,{y - 9} 150,{y + 6}", 2, 0.16)
    c.finish(0.5, 1.2)
    c.text("#ffffff", "She lied about the rain.", 18, 13, 168, slant=0.25)
    c.text("#ffffff", "A DAME CALLED", 344, 22, 190, bold=5, slant=0.15, glow="#000000")
    c.text("#ffffff", "MIDNIGHT", 370, 42, 262, bold=9, slant=0.15, glow="#000000")
    c.credits("#b0b0b0", 422)


def romance(c: Canvas) -> None:
    """Paint two profiles close together before a pink sunset at sea."""
    c.gradient("#6a3a7a #d8688a #ff9a86 #ffd2a0", bottom=300)
    c.clouds("#ffc0b0", 0.6, 10, 240, 3)
    c.draw("#fff2c8", "150,262,70,70", 20, 0.8)
    c.draw("#fffbe6", "150,268,34,34", 3)
    c.gradient("#f0a088 #b0607c #4a2450", top=290)
    for _ in range(70):
        y, wide = c.rng.uniform(294, 400), c.rng.uniform(4, 16)
        c.draw("#ffe4c0", f"{150 + c.rng.gauss(0, 10 + (y - 290) / 3)},{y},{wide},0.8", 0.5, 0.7)
    front = "-3,52 -4,60 4,82 7,90 -2,94 2,103 -1,109 1,118 -4,128 -18,132"
    back = "-140,332 -132,215 -76,190 -62,170 -60,100 -66,40 -30,6"
    he, she = ("#7a3450", "#3a1430"), ("#8a3e54", "#4a1c30")
    for at, (skin, hair) in (((137, 118, 1, 1), he), ((165, 134, -0.95, 0.95), she)):
        c.draw(skin, f"0,21 -4,38 {front} -30,139 -30,166 0,196 8,332 {back}", 0.8, at=at)
        c.draw(hair, "-44,50,44,52|-26,20,29,19|-60,80,22,40", 1, at=at)
        c.draw("#ffd0a8", front, 0.8, 0.9, line=1.6, at=at)
    c.draw("#4a1c30", "192,160 240,164 262,220 270,290 262,336 246,344 230,330 214,280", 6)
    c.finish(0.2, 0.5)
    c.text("#fff4ea", "some things you can only say by the sea", 24, 10, 210, slant=0.3)
    c.text("#ffffff", "Letters from", 334, 30, 160, x=122, slant=0.4, glow="#8a2a5a")
    c.text("#ffffff", "the Pier", 364, 46, 180, x=172, slant=0.4, glow="#8a2a5a")
    c.credits("#f0c0c8", 422)


def war(c: Canvas) -> None:
    """Paint soldiers on a ridge in olive smoke and fire."""
    c.gradient("#2c2e20 #6f6c48 #c9a662 #d88a3c #3a3320")
    c.clouds("#1c1c14", 0.9, 0, 240, 3)
    c.clouds("#26241a", 1, 110, 350)
    c.draw("#ffb347", "226,240,56,44", 18, 0.9)
    c.draw("#fff0b0", "230,254,18,18", 8)
    c.clouds("#8a7a50", 0.6, 180, 380)
    c.ridge("#2a281a", 300, 14)
    ink = "#0d0d08"
    for x, y, tall in ((42, 300, 6), (92, 302, 7), (216, 302, 7), (264, 300, 6), (150, 322, 12)):
        at = (x, y, tall / 10, tall / 10)
        c.draw(ink, "-4,-44 -9,-22 -14,6|5,-44 12,-22 15,6", line=9, at=at)
        c.draw(ink, "-12,-84 12,-84 10,-38 -10,-38|-12,-66,9,15|0,-93,7,9", at=at)
        c.draw(ink, "-8,-80 4,-60 20,-66", line=7, at=at)
        c.draw(ink, "-16,-52 42,-80", line=3, at=at)
        c.draw(ink, "-14,-94 -10,-106 0,-110 10,-106 14,-94", at=at)
    c.clouds("#6a6040", 0.6, 240, 360)
    c.ridge("#12110b", 336, 10)
    for x in range(-10, 310, 14):
        c.draw("#12110b", f"{x},332 {x + 16},316 {x + 30},332", line=0.8)
    c.draw("#14140c", "70,70 102,74|85,62 86,80|190,104 222,110|206,98 205,118", line=2.4)
    c.finish(0.5)
    c.text("#e8dcb0", "EIGHT MEN. ONE RIDGE. NO ORDERS TO LEAVE.", 24, 7.5, 220)
    c.text("#efe3b8", "HILL 219", 346, 54, 250, bold=8)
    c.credits("#9a9068", 416)


def comedy(c: Canvas) -> None:
    """Paint a man startled by a duck, on white, under a fat red title."""
    c.gradient("#ffffff #ffffff")
    c.draw("#2a6fd0", "58,452 64,378 112,350 188,350 236,378 242,452", 0.6)
    c.face((150, 252, 0.92, 0.92), "#f0b890", "#cf8a62", "#6a3a1a")
    c.draw("#ffffff", "108,352 128,342 150,372 172,342 192,352 166,392 150,374 134,392", 0.4)
    c.draw("#e02020", "142,372 158,372 164,430 150,444 136,430")
    c.draw("#eaa880", "91,256,10,19|209,256,10,19", 1)
    c.draw("#7a4a30", "124,246,22,23|178,246,26,27", 1)
    c.draw("#ffffff", "124,246,20,21|178,246,24,25")
    c.draw("#20408a", "127,248,8,8|181,248,8,8")
    c.draw("#000000", "127,248,4,4|181,248,4,4")
    c.draw("#5a2e12", "106,212 124,207 140,214|160,204 178,197 196,206", line=7)
    c.draw("#e8987a", "149,276,14,11", 3)
    c.draw("#6a1418", "152,310,26,19", 1)
    c.draw("#ffffff", "131,299 173,299 168,308 136,308", 0.6)
    c.draw("#e0606a", "152,321,15,8", 2)
    c.draw("#ffd21e", "150,152,30,20|172,130,15,15", 0.5)
    c.draw("#f08a10", "184,124 204,133 184,137")
    c.draw("#eab40a", "144,150,17,10", 1)
    c.draw("#000000", "176,126,2.4,2.4")
    c.text("#222222", "He only had to watch the duck.", 12, 10, 168)
    c.text("#d81418", "OH NO,", 28, 36, 150, bold=12)
    c.text("#d81418", "GERALD!", 68, 46, 262, bold=12)
    c.text("#222222", "IN CINEMAS FOR SOME REASON", 402, 10, 210, bold=4, glow="#ffffff")
    c.credits("#101c38", 424)


def documentary(c: Canvas) -> None:
    """Paint a single bear on broken sea ice under a wide pale sky."""
    c.gradient("#8fb2c8 #b9d0dc #e6e4dc #f2ddc4", bottom=260)
    c.clouds("#ffffff", 0.6, 40, 250, 3)
    c.ridge("#9fb4c2", 238, 22, 8)
    c.ridge("#7f9aac", 248, 12)
    c.gradient("#a9c4d0 #4f7f96 #1d4a60 #0d2a3a", top=258)
    for _ in range(90):
        y = 262 + 160 * c.rng.random() ** 1.6
        at = (c.rng.uniform(0, 300), y, (y - 250) / 40, (y - 250) / 40)
        outline = ((-1, 0), (-0.5, -1), (0.4, -1), (1, 0), (0.5, 1), (-0.5, 1))
        edge = [(dx * c.rng.uniform(6, 13), dy * c.rng.uniform(1, 3)) for dx, dy in outline]
        c.draw("#5f8ea4", " ".join(f"{dx},{dy + 1}" for dx, dy in edge), at=at)
        c.draw("#eef4f6", " ".join(f"{dx},{dy}" for dx, dy in edge), 0.3, at=at)
    c.draw("#eef4f6", "170,330 186,322 232,320 254,328 236,336 190,337", 0.4)
    c.draw("#b89a60", "198,318 197,328|203,318 204,328|211,318 210,328|216,318 217,328", line=3)
    c.draw("#e2c88e", "207,315,12,6.5|220,310,5,4|224,312,4,2", 0.4)
    c.finish(0.4, 0.5)
    c.text("#16324a", "OFFICIAL SELECTION   -   A DOCUMENTARY BY NELL VEY", 36, 5, 170)
    c.text("#16324a", "THE QUIET ICE", 60, 20, 210)
    c.text("#16324a", "four winters with the last bears of the north", 90, 9, 180, slant=0.2)
    c.credits("#d8e6ee")


def thriller(c: Canvas) -> None:
    """Paint someone alone at the cold end of a tunnel."""
    c.gradient("#020508 #061420 #02060a")
    for i in range(16):
        r, shade = 210 * 0.84**i, 8 + i * 7
        colour = f"#{shade // 3:02x}{shade:02x}{shade * 4 // 3:02x}"
        c.draw(colour, f"150,210,{r},{r * 1.15}", 2)
        c.draw("#04090e", f"150,210,{r * 0.97},{r * 1.12}", 1, 0.55)
    c.draw("#bfe6f4", "150,212,40,48", 12)
    c.draw("#f4fdff", "150,210,24,32", 7)
    c.draw("#0a1a26", "-30,460 126,252 174,252 330,460", 2)
    c.draw("#9ad0e4", "90,460 143,254 157,254 210,460", 9, 0.4)
    c.draw("#6fa8c0", "-48,460 135,254|348,460 165,254", 0.6, 0.6, line=1.6)
    c.draw("#010203", "139,252 138,206 144,199 156,199 162,206 161,252|150,191,6.5,8", 0.4)
    c.draw("#010203", "144,248 141,292|156,248 159,292", 0.3, line=7)
    c.draw("#010203", "140,290 160,290 190,400 110,400", 4, 0.7)
    c.clouds("#7fb4c8", 0.3, 120, 400)
    c.finish(0.5, 1.2)
    c.text("#a8c4d0", "EVERY EXIT KNOWS YOUR NAME", 26, 6.5, 190)
    c.text("#eef8fc", "TUNNEL NINE", 346, 40, 256, bold=3)
    c.text("#c01818", "DON'T LOOK BACK", 394, 8, 110, bold=3)
    c.credits("#5a7888")


def musical(c: Canvas) -> None:
    """Paint a singer at an old microphone in the lights of a stage."""
    c.gradient("#14041e #4a0f5a #a01f6a #30082e")
    gold, pink, blue = "#ffd34a", "#ff5aa0", "#5ad0ff"
    for lamp, foot, beam in ((30, 120, gold), (110, 60, pink), (190, 240, blue), (270, 180, gold)):
        c.draw(beam, f"{lamp - 5},-10 {lamp + 5},-10 {foot + 60},370 {foot - 60},370", 5, 0.35)
        c.draw("#ffffff", f"{lamp},2,11,8", 5)
    for _ in range(60):
        x, y, r = c.rng.uniform(0, 300), c.rng.uniform(20, 330), c.rng.uniform(1, 4)
        c.draw(c.rng.choice(("#ffe08a", "#ff9ad0", "#9ae4ff")), f"{x},{y},{r},{r}", 0.8, 0.45)
    c.draw("#ffe6a0", "150,346,130,22", 8, 0.8)
    ink = "#1a0418"
    c.draw(ink, "118,360 134,262 126,206 136,178 168,178 178,206 168,262 200,360", 0.6)
    c.draw(ink, "152,150,16,21|164,144,25,27", 1)
    c.draw(ink, "138,188 104,164 84,100|172,188 192,212 150,204 120,182", line=9)
    c.draw("#ffcf70", "128,206 136,180|139,168 135,152 140,138", 0.6, line=1.4)
    c.draw("#0c020c", "112,362 116,176", line=3)
    c.draw("#c8c8d4", "117,164,8,13", 0.4)
    c.draw("#50505c", "111,157 123,157|110,162 124,162|110,167 124,167|111,172 123,172", line=1)
    for at in ((40, 150, 1, 1), (226, 120, 1, 1), (250, 214, 0.8, 0.8), (46, 250, 0.8, 0.8)):
        c.draw("#ffe08a", "0,0,8,6|24,-5,8,6|6,-28 6,-36 33,-42 33,-34", at=at)
        c.draw("#ffe08a", "7,0 7,-34|31,-5 31,-39", line=2.4, at=at)
    for head in range(-6, 310, 17):
        c.draw("#0c020c", f"{head},{366 + c.rng.uniform(-8, 6)},9,13")
    c.gradient("#0c020c #1c0620", top=368)
    c.finish(0.2, 0.7)
    c.text("#ffe08a", "ONE MORE", 364, 20, 150, bold=5, glow="#c01878")
    c.text("#ffe08a", "CHORUS", 387, 32, 210, bold=7, glow="#c01878")
    c.credits("#c890b8", 424)


def drama(c: Canvas) -> None:
    """Paint a woman behind a window in the rain."""
    c.gradient("#8b969a #6f7a7c #4c5658 #2c3436")
    c.clouds("#c8d0d0", 0.5, -40, 330, 3)
    c.draw("#2b211e", "82,220,22,92|226,220,24,92|154,190,84,80", 2)
    c.face((154, 206, 0.96, 0.96), "#cda58c", "#6f5248", "#2b211e")
    c.draw("#2b211e", "92,236,13,70|216,236,15,70", 4)
    c.draw("#23262c", "20,460 40,352 108,318 128,324 154,350 182,324 202,318 268,352 286,460", 2)
    for _ in range(240):
        x, y, r = c.rng.uniform(0, 300), c.rng.uniform(0, 450), c.rng.uniform(0.5, 1.8)
        c.draw("#20282c", f"{x},{y + r * 0.5},{r},{r * 1.3}", 0.3, 0.35)
        c.draw("#f4f8f8", f"{x},{y},{r * 0.8},{r}", 0.3, 0.5)
    for _ in range(26):
        x, y, drop = c.rng.uniform(0, 300), c.rng.uniform(-40, 360), c.rng.uniform(30, 110)
        c.draw("#e8f0f0", f"{x},{y} {x + 1},{y + drop / 2} {x},{y + drop}", 0.6, 0.45, line=1)
        c.draw("#f4f8f8", f"{x},{y + drop},1.5,2.2", 0.3, 0.7)
    c.draw("#1d1c1b", "-5,0 14,0 14,450 -5,450|286,0 305,0 305,450 286,450", 1)
    c.clouds("#121618", 0.8, 280, 500, 3)
    c.finish(0.2, 0.8)
    c.text("#f2efe8", "LENA OSK      TOMAS LARKIN", 24, 8, 190)
    c.text("#f2efe8", "A  WINDOW  IN  MARCH", 358, 19, 240)
    c.text("#d8d4c8", "She waited for the weather to change its mind.", 386, 9, 190, slant=0.2)
    c.credits("#a8a8a0", 416)
