#!/usr/bin/env python3
"""Checks that the source files of each crate can be put into an order: no circle of files, no import upwards.

    ci/check-layers.py [--list] [CRATE...]      crates are folders of rust/; all that ci/layers.txt names if none is given

Reads `crate::`, `super::`, `self::` and child-module paths in the code (not in comments, strings and tests), follows
re-exports to the file that defines the name, and makes a graph of files. It fails on a circle, and on an import that goes up
in the floors of ci/layers.txt; a module that is on no floor is an error too. --list prints what imports what.
The last line is "N passed, N failed"; N counts files.
"""
import os
import re
import sys

TOP = 1000
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATH = re.compile(r"(?<![\w:])((?:r#)?\w+(?:::\w+)+)")
NOISE = re.compile(
    r'//[^\n]*|/\*.*?\*/|b?r(#*)".*?"\1|b?"(?:\\.|[^"\\])*"|b?\'(?:\\.[^\']*|[^\'\\])\'', re.S)


def without_noise(text):
    """The code without comments, strings and what is compiled for tests only."""
    text = NOISE.sub(" ", text)
    while True:
        found = re.search(r"#\[cfg\((?:all\()?test\b[^\]]*\]", text)
        if not found:
            return text
        text = text[:found.start()] + text[end_of_item(text, found.end()):]


def flattened(text):
    """The code with what is in modules inside the file seen from the file."""
    for found in re.finditer(r"\bmod\s+\w+\s*\{", text):
        end = end_of_item(text, found.start())
        body = re.sub(r"\bsuper::", "self::", text[found.end():end])
        text = text[:found.end()] + body.ljust(end - found.end()) + text[end:]
    return text


def end_of_item(text, start):
    """Where the item ends that begins at `start`: behind its `;` or its closing brace."""
    depth = 0
    for index in range(start, len(text)):
        char = text[index]
        depth += (char in "([{") - (char in ")]}")
        if depth == 0 and char in ";}":
            return index + 1
    return len(text)


def names_of_use(tree):
    """The (path, name) pairs of a use tree: 'a::{b, c as d}' gives ('a::b', 'b') and ('a::c', 'd')."""
    tree = tree.strip()
    group = re.match(r"^(.*?)\{(.*)\}$", tree, re.S)
    if not group:
        path, _, name = re.sub(r"\s+", " ", tree).partition(" as ")
        yield path.strip(), (name or path.split("::")[-1]).strip()
        return
    depth, item = 0, ""
    for char in group[2] + ",":
        if char == "," and depth == 0:
            if item.strip():
                for path, name in names_of_use(item):
                    if path == "self":
                        yield group[1].rstrip(":").strip(), group[1].rstrip(":").split("::")[-1].strip()
                    else:
                        yield group[1].strip() + path, name
            item = ""
        else:
            depth += (char == "{") - (char == "}")
            item += char


class Crate:
    """The files of a crate by their module paths, and what each imports."""

    def __init__(self, name):
        self.name = name
        self.folder = os.path.join(ROOT, "rust", name, "src")
        self.code = {}
        for folder, _, files in os.walk(self.folder):
            for file in files:
                if file.endswith(".rs"):
                    self.add(os.path.join(folder, file))
        self.reexports = {module: dict(self.reexports_of(module)) for module in self.code}
        self.imports = {module: self.imports_of(module) for module in self.code}

    def add(self, path):
        parts = os.path.relpath(path, self.folder)[:-3].split(os.sep)
        if parts[-1] in ("mod", "lib"):
            parts.pop()
        if "tests" not in parts:
            with open(path, encoding="utf-8") as file:
                self.code[tuple(parts)] = flattened(without_noise(file.read()))

    def uses(self, module):
        for tree in re.findall(r"\buse\s+([^;]+);", self.code[module]):
            for path, name in names_of_use(tree):
                yield re.sub(r"\s", "", path), name

    def reexports_of(self, module):
        # Private ones too: the files below see what their folder uses.
        for path, name in self.uses(module):
            if name != "*":
                yield name, path

    def absolute(self, module, path):
        """The path from the crate's root, or None if it leads out of the crate."""
        parts = path.split("::")
        if parts[0] == "crate":
            return parts[1:]
        base = list(module)
        if parts[0] == "self":
            return base + parts[1:]
        if parts[0] == "super":
            while parts and parts[0] == "super":
                base.pop()
                parts.pop(0)
            return base + parts
        return base + parts if tuple(base + parts[:1]) in self.code else None

    def file_of(self, parts, seen=()):
        """The module whose file defines what the absolute path names; re-exports are followed."""
        for length in range(len(parts), -1, -1):
            module = tuple(parts[:length])
            if module not in self.code:
                continue
            if length < len(parts) and (module, parts[length]) not in seen:
                name = parts[length]
                if name in self.reexports[module]:
                    target = self.absolute(module, self.reexports[module][name])
                    if target is not None:
                        return self.file_of(target + parts[length + 1:], (*seen, (module, name)))
            return module
        return ()

    def imports_of(self, module):
        code = self.code[module]
        paths = [path for path, _ in self.uses(module)]
        paths += PATH.findall(re.sub(r"\buse\s+[^;]+;", " ", code))
        found = set()
        for path in paths:
            parts = self.absolute(module, path.replace("::*", ""))
            if parts is not None:
                found.add(self.file_of([part for part in parts if part != "*"]))
        return found - {module}

    def title(self, module):
        return "::".join(module) or "lib"


def circles(graph):
    """Strongly connected parts of more than one node (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            part = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(part) > 1:
                found.append(sorted(part))

    for node in graph:
        if node not in index:
            visit(node)
    return found


def read_floors():
    """For each crate the floor of each module, 0 the lowest: lines 'crate: module module ...', bottom up."""
    floors = {}
    with open(os.path.join(ROOT, "ci", "layers.txt"), encoding="utf-8") as file:
        for line in file:
            crate, colon, modules = line.split("#")[0].partition(":")
            if colon:
                known = floors.setdefault(crate.strip(), {})
                floor = 1 + max(known.values(), default=-1)
                known.update({module: floor for module in modules.split()})
    return floors


def floor_of(module, floors):
    """Of the module, or of the nearest folder around it that is listed. lib.rs is above all, unless it is listed."""
    if not module:
        return floors.get("lib", TOP)
    for length in range(len(module), 0, -1):
        if "::".join(module[:length]) in floors:
            return floors["::".join(module[:length])]
    return None


def check(name, floors, show):
    """Prints what is wrong with the crate; returns how many files are in order and how many are not."""
    crate, bad = Crate(name), set()
    for part in circles(crate.imports):
        print(f"FAIL {name}: a circle of {len(part)} files: {', '.join(map(crate.title, part))}")
        bad.update(part)
    for module in sorted(crate.imports):
        if show:
            print(f"{name}: {crate.title(module)} <- {', '.join(sorted(map(crate.title, crate.imports[module])))}")
        floor = floor_of(module, floors)
        if floor is None:
            print(f"FAIL {name}: {crate.title(module)} is on no floor of ci/layers.txt")
            bad.add(module)
            continue
        for other in sorted(crate.imports[module]):
            if (floor_of(other, floors) or 0) > floor:
                print(f"FAIL {name}: {crate.title(module)} imports {crate.title(other)}, which is above it")
                bad.add(module)
    for module in sorted(set(floors) - {crate.title(module) for module in crate.code}):
        print(f"FAIL {name}: ci/layers.txt names {module}, which is not there")
        bad.add((module,))
    return len(crate.code) - len(bad), len(bad)


def main():
    arguments = sys.argv[1:]
    show = "--list" in arguments
    floors = read_floors()
    crates = [argument for argument in arguments if argument != "--list"] or list(floors)
    counts = [check(crate, floors.get(crate, {}), show) for crate in crates]
    passed, failed = (sum(column) for column in zip(*counts))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
