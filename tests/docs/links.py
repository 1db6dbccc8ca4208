"""Links between the pages: a file that is not there, a heading that is not there, a page that the index forgets."""

import re

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^ *(`{3,}|~{3,}).*?^ *\1[`~]* *$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+).+?\1")


def words_of(text):
    """A page without its blocks and its code, where a bracket is no link."""
    return CODE.sub("``", FENCED.sub("", text))


def slug(heading):
    """The name of a heading within its page, as GitHub makes it."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.replace("`", ""))
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", plain.strip().lower()))


def anchors(text):
    found = {slug(heading) for heading in re.findall(r"^#+ +(.*?)\s*$", FENCED.sub("", text), re.MULTILINE)}
    return found | set(re.findall(r'<a (?:id|name)="([\w-]+)">', text))


def wrong(page, text):
    """What is wrong with each link of a page that leads to another file of ours, or within the page."""
    for target in LINK.findall(words_of(text)):
        if re.match(r"[a-z]+:", target) or target.startswith("//"):
            continue
        name, _, anchor = target.partition("#")
        place = (page.parent / name).resolve() if name else page
        if not place.exists():
            yield f"{page.name}: {target} leads nowhere"
        elif anchor and place.suffix == ".md" and anchor not in anchors(place.read_text(encoding="utf-8")):
            yield f"{page.name}: {place.name} has no heading #{anchor}"


def forgotten(index, pages):
    """Pages that the index does not name."""
    named = {(index.parent / target.partition("#")[0]).resolve() for target in LINK.findall(words_of(index.read_text(encoding="utf-8")))}
    return [page.name for page in pages if page.parent == index.parent and page != index and page.resolve() not in named]
