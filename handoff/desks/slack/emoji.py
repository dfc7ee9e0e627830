"""Slack's names for emoji, and the characters that other channels show.

Many names are Unicode's own (`rocket`, `hot_beverage`); the table holds those people use most that are not.
https://github.com/iamcal/emoji-data is where Slack's names come from.
"""

from __future__ import annotations

import re
import unicodedata

NAMED = dict(
    line.split()
    for line in """
+1 👍
-1 👎
100 💯
airplane ✈️
arrow_down ⬇️
arrow_left ⬅️
arrow_right ➡️
arrow_up ⬆️
arrows_counterclockwise 🔄
bangbang ‼️
birthday 🎂
blush 😊
bow 🙇
bulb 💡
calendar 📆
calling 📲
car 🚗
cat 🐱
cow 🐮
card_index_dividers 🗂️
clap 👏
clock1 🕐
cloud ☁️
coffee ☕
cold_sweat 😰
computer 💻
construction 🚧
cry 😢
crossed_fingers 🤞
cupid 💘
dart 🎯
date 📅
disappointed_relieved 😥
dog 🐶
dollar 💵
e-mail 📧
email ✉️
envelope ✉️
envelope_with_arrow 📩
euro 💶
exclamation ❗
face_with_hand_over_mouth 🤭
face_with_raised_eyebrow 🤨
facepalm 🤦
facepunch 👊
fist ✊
frowning 😦
gear ⚙️
gift 🎁
grey_exclamation ❕
grey_question ❔
grin 😁
hand ✋
hankey 💩
hash #️⃣
hear_no_evil 🙉
heart ❤️
heart_eyes 😍
heartbeat 💓
heavy_check_mark ✔️
heavy_heart_exclamation_mark_ornament ❣️
heavy_multiplication_x ✖️
hourglass_flowing_sand ⏳
horse 🐴
house 🏠
information_source ℹ️
innocent 😇
interrobang ⁉️
iphone 📱
joy 😂
kissing_heart 😘
label 🏷️
laughing 😆
link 🔗
lower_left_ballpoint_pen 🖊️
mag 🔍
mailbox 📫
mask 😷
mega 📣
mouse 🐭
moneybag 💰
muscle 💪
nail_care 💅
no_good 🙅
no_mouth 😶
o ⭕
ok 🆗
ok_hand 👌
ok_woman 🙆
open_hands 👐
open_mouth 😮
partying_face 🥳
pencil 📝
pencil2 ✏️
persevere 😣
phone ☎️
pleading_face 🥺
point_down 👇
point_left 👈
point_right 👉
point_up ☝️
point_up_2 👆
pig 🐷
poop 💩
pray 🙏
printer 🖨️
punch 👊
question ❓
rage 😡
raised_hands 🙌
rabbit 🐰
raising_hand 🙋
recycle ♻️
red_circle 🔴
relaxed ☺️
repeat 🔁
rofl 🤣
rotating_light 🚨
running 🏃
satisfied 😆
scissors ✂️
scream 😱
see_no_evil 🙈
shit 💩
shushing_face 🤫
simple_smile 🙂
smile 😄
smiley 😃
smiling_face_with_3_hearts 🥰
smirk 😏
sob 😭
soon 🔜
sos 🆘
speak_no_evil 🙊
star ⭐
star-struck 🤩
star2 🌟
stopwatch ⏱️
stuck_out_tongue 😛
stuck_out_tongue_closed_eyes 😝
stuck_out_tongue_winking_eye 😜
sunglasses 😎
sunny ☀️
sweat 😓
sweat_drops 💦
sweat_smile 😅
tada 🎉
telephone ☎️
the_horns 🤘
thumbsdown 👎
thumbsup 👍
timer_clock ⏲️
tiger 🐯
tools 🛠️
triumph 😤
truck 🚚
umbrella ☔
unlock 🔓
upside_down_face 🙃
v ✌️
warning ⚠️
wastebasket 🗑️
wave 👋
whale 🐳
white_check_mark ✅
white_frowning_face ☹️
wink 😉
woman-shrugging 🤷‍♀️
man-shrugging 🤷‍♂️
woman-facepalming 🤦‍♀️
man-facepalming 🤦‍♂️
writing_hand ✍️
x ❌
yum 😋
zany_face 🤪
zap ⚡
zipper_mouth_face 🤐
zzz 💤
""".split("\n")
    if line
)
SKIN = {str(number): chr(0x1F3FB + number - 2) for number in range(2, 7)}
FLAG = re.compile(r"flag-([a-z]{2})")
CODE = re.compile(r"(?<!\d):(?P<name>[a-z0-9_+'-]{1,80})(?:::skin-tone-(?P<tone>[2-6]))?:(?!\d)")


def character(name: str, tone: str = "") -> str:
    """The character of an emoji; empty for one that only this workspace knows."""
    if flag := FLAG.fullmatch(name):
        return "".join(chr(0x1F1E6 + ord(letter) - ord("a")) for letter in flag[1])
    found = NAMED.get(name) or _of_unicode(name)
    return found.removesuffix("\ufe0f") + SKIN[tone] if found and tone in SKIN else found


def _of_unicode(name: str) -> str:
    for written in (name.replace("_", " "), name.replace("_", "-"), name.replace("_", " ") + " face"):
        try:
            found = unicodedata.lookup(written)
        except KeyError:
            continue
        # Letters and signs have names too, and nobody means them: ":a:", ":colon:".
        if unicodedata.category(found) == "So" and ord(found) >= 0x231A:
            return found
    return ""


def shown(text: str) -> str:
    """`:wave:` as 👋; what is no name of an emoji stays as it stands (12:30:45, a workspace's own)."""
    return CODE.sub(lambda code: character(code["name"], code["tone"] or "") or code[0], text)


def of_codes(codes: str) -> str:
    """`1f44d-1f3fd` as the characters; empty when it is none."""
    try:
        return "".join(chr(int(one, 16)) for one in codes.split("-")) if codes else ""
    except (ValueError, OverflowError):
        return ""
