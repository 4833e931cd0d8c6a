"""The reference of all error codes: what the READMEs' tables say of them, and the texts that the source says with them."""
import re
import subprocess

CODE = re.compile(r'"([A-Z][A-Z0-9]*-\d{3})"')
ROW = re.compile(r"^\|\s*`?([A-Z][A-Z0-9]*-\d{3}[^|]*)\|(.*)\|\s*$")
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
TODO = {
    "config": "Mend what the text names (file and line where there is one), then `clrbus check`. What ran before runs on.",
    "away": "Nothing is lost and no attempt is used up: it is tried again by itself. Look at what the text names; `clrbus status` says since when.",
    "poison": "For a message: it lies in the dead letters with place and reason (`clrbus dead list`): mend the sender, the mapping or the schema, then "
              "`clrbus dead replay`. For a command or request: mend it as the text says.",
}
STATE = {"JOURNAL", "QUEUE", "STATE", "ORIGINAL", "DISK", "KEYS"}
KEEP = "Delete nothing. Make room or set the rights, as the text says. What is damaged, or written by a newer version, is restored from a backup (`clrbus restore`)."


def files(root, *patterns):
    return [root / one for one in subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *patterns], cwd=root, text=True,
                                                 stdout=subprocess.PIPE, check=True).stdout.split() if (root / one).exists()]


def call_around(text, at):
    """The innermost call or brace list that holds the position: what stands in front of it, and its arguments."""
    depth, start = 0, at
    while start > 0:
        start -= 1
        if text[start] in ")}":
            depth += 1
        elif text[start] in "({":
            if depth == 0:
                break
            depth -= 1
        elif text[start] == ";" and depth == 0:
            return "", []
    arguments, depth, begin, i, quoted = [], 0, start + 1, start + 1, False
    while i < len(text):
        c = text[i]
        if quoted:
            if c == "\\":
                i += 1
            elif c == '"':
                quoted = False
        elif c == '"':
            quoted = True
        elif c in "({[":
            depth += 1
        elif c in ")}]":
            if depth == 0:
                arguments.append(text[begin:i])
                break
            depth -= 1
        elif c == "," and depth == 0:
            arguments.append(text[begin:i])
            begin = i + 1
        i += 1
    return text[max(0, start - 60):start], arguments


def said(argument):
    """The fixed words of an expression, with … for what is put in."""
    out, end = "", 0
    for found in LITERAL.finditer(argument):
        between = re.sub(r"std::string\(|[()\s+]", "", argument[end:found.start()])
        out += (" / " if between == ":" and out else "…" if between and not between.endswith("?") else "") + found.group(1).replace('\\"', '"').replace("\\\\", "\\").replace("\\n", " ")
        end = found.end()
    if not out:
        return ""
    return out + ("…" if re.sub(r"[()\s+]", "", argument[end:]) else "")


def from_source(root):
    """code -> (faults, texts)"""
    out = {}
    for name in files(root, "bus/*.cpp", "bus/*.hpp", "adapters/*.cpp", "adapters/*.hpp"):
        if name.name == "error.hpp" or name.name.endswith("_test.cpp") or "test" in name.stem or "fixture" in name.stem:
            continue
        text = name.read_text(errors="replace")
        for found in CODE.finditer(text):
            faults, texts = out.setdefault(found.group(1), (set(), []))
            line = text[text.rfind("\n", 0, found.start()) + 1:found.start()]
            if "//" in line:
                continue
            front, arguments = call_around(text, found.start())
            place = next((i for i, one in enumerate(arguments) if found.group(0) in one), None)
            if place is None:
                continue
            fault = re.search(r"Fault::k(\w+)", " ".join(arguments[:place]))
            if fault:
                faults.add(fault.group(1).lower())
            elif re.search(r"\.fail\s*$", front):
                faults.add("config")
            words = [said(one) for one in arguments[place + 1:]]
            words = [one for one in words if one and not re.fullmatch(r"[a-z-]{1,24}|\.*…", one)]
            if words and ": ".join(words[:2]) not in texts:
                texts.append(": ".join(words[:2]))
    return out


def expand(cell):
    """ROUTE-106, 107 … 109 -> the four codes."""
    out, prefix = [], None
    for part in cell.replace("`", "").split(","):
        found = re.match(r"(?:([A-Z][A-Z0-9]*)-)?(\d{3})(?:\s*(?:…|to|-|–)\s*(?:[A-Z0-9]+-)?(\d{3}))?\b", part.strip())
        if not found:
            continue
        prefix = found.group(1) or prefix
        out += ["%s-%03d" % (prefix, n) for n in range(int(found.group(2)), int(found.group(3) or found.group(2)) + 1)]
    return out


def from_readmes(root):
    """code -> [(what happened, what to do, README)]; a range gives way to a row of its own."""
    out, wide = {}, {}
    for name in files(root, "bus/*README.md", "adapters/*README.md"):
        where = str(name.relative_to(root))
        for line in name.read_text().splitlines():
            row = ROW.match(line)
            if not row:
                continue
            cells = [one.strip() for one in re.split(r"(?<!\\)\|", row.group(2))]
            codes = expand(row.group(1))
            what, todo = cells[0], cells[-1] if len(cells) > 1 else ""
            if re.fullmatch(r"[\d, ]{3,}", what) and len(cells) > 1:  # an HTTP status stands in front
                what, todo = cells[1], cells[2] if len(cells) > 2 else ""
            for code in codes:
                into = wide if "…" in row.group(1) and len(codes) > 4 else out
                into.setdefault(code, []).append((what, todo, where))
    for code, rows in wide.items():
        out.setdefault(code, rows)
    return out


def page(root):
    """The page, and the codes of the source of which it has nothing to say."""
    source, readmes = from_source(root), from_readmes(root)
    out = ["# Error codes", "", "Made by `tools/make-reference` from the tables of the rooms' READMEs and from the source: change it there. `clrbus explain CODE`",
           "prints one of them.", ""]
    silent = []
    for code in sorted(source):
        faults, texts = source[code]
        rows = readmes.get(code, [])
        if not rows and not texts:
            silent.append(code)
            continue
        out += ["## " + code, ""]
        for what, _, where in rows:
            out.append("%s. ([%s](../%s))" % (what[:1].upper() + what[1:].rstrip(".").replace("\\|", "|"), where, where))
        if texts:
            out += ["It says:" if rows else "What happened:", ""] if not rows else ["", "It says:", ""]
            out += ["- " + one for one in texts[:12]]
            if len(texts) > 12:
                out.append("- and %d more of the kind" % (len(texts) - 12))
        todo = [todo for _, todo, _ in rows if todo]
        if not todo:
            todo = [KEEP] if code.split("-")[0] in STATE and "config" in faults else [TODO[one] for one in ("config", "away", "poison") if one in faults] or [TODO["poison"]]
        out += ["", "What to do: " + " ".join(one.rstrip(".") + "." for one in todo).replace("\\|", "|"), ""]
    return "\n".join(out).rstrip() + "\n", silent
