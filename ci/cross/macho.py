"""Apple's library files, for machines without Apple's tools.

    macho.py join OUTPUT LIBRARY...   puts libraries for several processors into one file, as lipo does
    macho.py sizes LIBRARY            prints the size of the library for each processor, in bytes
    macho.py identifiers FILE...      prints, in order, by what debuggers know the libraries and symbols of these files
    macho.py show LIBRARY             prints what a release is checked for, one line each: per processor its name, the
                                      oldest macOS, its own name, the libraries it needs, its exported symbols, and
                                      whether its signature fits
"""

import hashlib
import struct
import sys

PROCESSORS = {0x01000007: "x86_64", 0x0100000C: "arm64"}
PAGE = 14  # both processors accept slices that begin at a multiple of 16 KiB
LC_UUID, LC_ID_DYLIB, LC_LOAD_DYLIB, LC_CODE_SIGNATURE, LC_DYLD_INFO, LC_EXPORTS_TRIE, LC_BUILD_VERSION = (
    0x1B, 0xD, 0xC, 0x1D, 0x80000022, 0x80000033, 0x32)


def join(output, inputs):
    """One file with a table of where each processor's library begins."""
    header, body, at = b"", [], 1 << PAGE
    for path in inputs:
        with open(path, "rb") as file:
            data = file.read()
        processor, kind = struct.unpack_from("<2I", data, 4)
        header += struct.pack(">5I", processor, kind, at, len(data), PAGE)
        body.append((at, data))
        at += -(-len(data) >> PAGE) << PAGE
    with open(output, "wb") as file:
        file.write(struct.pack(">2I", 0xCAFEBABE, len(inputs)) + header)
        for at, data in body:
            file.seek(at)
            file.write(data)


def slices(data):
    """The libraries in a file, with the processor of each."""
    if struct.unpack_from(">I", data)[0] == 0xCAFEBABE:
        for index in range(struct.unpack_from(">I", data, 4)[0]):
            processor, _, at, size, _ = struct.unpack_from(">5I", data, 8 + 20 * index)
            yield PROCESSORS[processor], data[at:at + size]
    else:
        yield PROCESSORS[struct.unpack_from("<I", data, 4)[0]], data


def commands(data):
    at = 32
    for _ in range(struct.unpack_from("<I", data, 16)[0]):
        command, size = struct.unpack_from("<2I", data, at)
        yield command, at
        at += size


def string_at(data, at):
    return data[at:data.index(b"\0", at)].decode()


def uleb(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, at


def exports(trie, at=0, prefix=""):
    """The names in a trie of exported symbols."""
    size, at = uleb(trie, at)
    if size:
        yield prefix
    at += size
    count = trie[at]
    at += 1
    for _ in range(count):
        label = string_at(trie, at)
        child, at = uleb(trie, at + len(label) + 1)
        yield from exports(trie, child, prefix + label)


def identifiers(paths):
    """The identifiers of all libraries in these files, in order."""
    found = []
    for path in paths:
        with open(path, "rb") as file:
            for _, data in slices(file.read()):
                found += [data[at + 8:at + 24].hex() for command, at in commands(data) if command == LC_UUID]
    return sorted(found)


def signature_fits(data, at):
    """Whether the hashes of all pages in the signature's code directory are those of the file."""
    offset = struct.unpack_from("<I", data, at + 8)[0]
    for index in range(struct.unpack_from(">I", data, offset + 8)[0]):
        directory = offset + struct.unpack_from(">I", data, offset + 16 + 8 * index)[0]
        if struct.unpack_from(">I", data, directory)[0] != 0xFADE0C02:
            continue
        hashes, _, _, count, limit = struct.unpack_from(">5I", data, directory + 16)
        size, _, _, page = struct.unpack_from(">4B", data, directory + 36)
        return limit == offset and count == -(-limit >> page) and all(
            hashlib.sha256(data[number << page:min((number + 1) << page, limit)]).digest()[:size]
            == data[directory + hashes + number * size:directory + hashes + (number + 1) * size]
            for number in range(count))
    return False


def show(path):
    with open(path, "rb") as file:
        whole = file.read()
    for processor, data in slices(whole):
        print("processor", processor)
        for command, at in commands(data):
            if command == LC_BUILD_VERSION:
                version = struct.unpack_from("<I", data, at + 12)[0]
                print(f"macos {version >> 16}.{version >> 8 & 0xFF}")
            elif command in (LC_ID_DYLIB, LC_LOAD_DYLIB):
                kind = "name" if command == LC_ID_DYLIB else "needs"
                print(kind, string_at(data, at + struct.unpack_from("<I", data, at + 8)[0]))
            elif command in (LC_DYLD_INFO, LC_EXPORTS_TRIE):
                offset, size = struct.unpack_from("<2I", data, at + (40 if command == LC_DYLD_INFO else 8))
                for name in exports(data[offset:offset + size]) if size else ():
                    print("exports", name)
            elif command == LC_CODE_SIGNATURE:
                print("signature", "fits" if signature_fits(data, at) else "does not fit")


if len(sys.argv) > 3 and sys.argv[1] == "join":
    join(sys.argv[2], sys.argv[3:])
elif len(sys.argv) == 3 and sys.argv[1] == "sizes":
    with open(sys.argv[2], "rb") as library:
        for _, one in slices(library.read()):
            print(len(one))
elif len(sys.argv) > 2 and sys.argv[1] == "identifiers":
    print(*identifiers(sys.argv[2:]), sep="\n")
elif len(sys.argv) == 3 and sys.argv[1] == "show":
    show(sys.argv[2])
else:
    sys.exit(__doc__)
