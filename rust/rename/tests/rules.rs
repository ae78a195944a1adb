//! The rules for scripts in text, and for those embedded in scenes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use rust_websocket_rename::{Direction, Kind, Options, Renamed, Role};

const MIGRATION: Options = Options { direction: Direction::ToRust, comments: true };
const AT_START: Options = Options { direction: Direction::ToRust, comments: false };

fn renamed(kind: Kind, source: &str, options: Options) -> String {
    let renamed = Renamed::find(kind, source.as_bytes(), options);
    String::from_utf8(renamed.apply(source.as_bytes())).unwrap()
}

fn back(kind: Kind, source: &str, options: Options) -> String {
    renamed(kind, source, Options { direction: Direction::ToEngine, ..options })
}

/// `from` becomes `to`, and back again.
fn check(from: &str, to: &str) {
    for options in [MIGRATION, AT_START] {
        assert_eq!(renamed(Kind::Script, from, options), to);
        assert_eq!(back(Kind::Script, to, options), from, "back");
    }
}

fn unchanged(source: &str) {
    check(source, source);
}

/// As in `check`, with `W` and `M` for the engine's names in the pattern.
fn replaced(pattern: &str) {
    let with = |prefix: &str| {
        let pattern = pattern.replace("{W}", &format!("{prefix}WebSocketPeer"));
        pattern.replace("{M}", &format!("{prefix}WebSocketMultiplayerPeer"))
    };
    check(&with(""), &with("Rust"));
}

#[test]
fn whole_identifiers() {
    for pattern in [
        "{W}",
        "extends {W}",
        "var a: {W} = {W}.new()",
        "var b := {M}.new()",
        "func f(a: {W}, b: Array[{M}]) -> {W}:",
        "if a is {W} and b is not {M}: pass",
        "x.{W}",
        "match a.get_ready_state():\n\t{W}.STATE_OPEN:\n\t\tpass",
        "const P = {W}",
        "({W})[{W}]{{W}}-{W}*{W}/{W}<{W}",
        "a={W};b={M}",
        "@export var a: {W}",
        "var a = b as {W} if c else {M}.new()",
        "{W}\n{M}\r\n{W}\r\n",
        "\u{feff}extends {W}\n",
        "\\\n{W}",
        "a %= {W}.STATE_OPEN",
        "\t\t{W} \t",
    ] {
        replaced(pattern);
    }
    for source in [
        "WebSocketPeerFoo",
        "MyWebSocketPeer",
        "WebSocketPeer2",
        "_WebSocketPeer",
        "WebSocketPeer_",
        "websocketpeer",
        "WebSocket",
        "ÄWebSocketPeer",
        "WebSocketPeerÄ",
        "WebSocketMultiplayerPeers",
        "",
    ] {
        unchanged(source);
    }
}

#[test]
fn strings_that_are_nothing_else() {
    for pattern in [
        r#""{W}""#,
        "'{W}'",
        r#"&"{W}""#,
        "&'{M}'",
        r#"^"{W}""#,
        r#"r"{W}""#,
        "r'{M}'",
        r#""""{W}""""#,
        "'''{M}'''",
        r#"r"""{W}""""#,
        r#"ClassDB.instantiate(&"{W}")"#,
        r#"["{W}","{M}"]"#,
        r#""\"" + "{W}""#,
        r#"'"' + "{W}""#,
        r##""#" + "{W}" # x"##,
        r#"r"\"" + "{W}""#,
        r#""\\" + "{W}""#,
        "\"a\nb\" + \"{W}\"",
        r#""" + "{W}""#,
        r#""""a""b""" + "{W}""#,
        r#""""\"""" + "{W}" + """"""#,
    ] {
        replaced(pattern);
    }
    for source in [
        r#""a WebSocketPeer""#,
        r#""WebSocketPeer ""#,
        r#"" WebSocketPeer""#,
        r#""WebSocketPeer.new()""#,
        r#""res://WebSocketPeer.gd""#,
        r#""WebSocketPeer\n""#,
        r#""Web\x53ocketPeer""#,
        "\"\"\"\nWebSocketPeer\n\"\"\"",
        "\"\"\"a\nvar b: WebSocketPeer\n\"\"\"",
        "'''it's a \"WebSocketPeer\" '''",
        r#""\"WebSocketPeer\"""#,
        r#"r"\"WebSocketPeer""#,
        "\"WebSocketPeer",
        "\"\"\"WebSocketPeer\"",
        "\"WebSocketPeer\\\"",
        "\"WebSocketPeer\\",
    ] {
        unchanged(source);
    }
}

#[test]
fn names_of_nodes() {
    for source in [
        "$WebSocketPeer",
        "$WebSocketPeer.poll()",
        "$A/WebSocketPeer/B",
        "$\"WebSocketPeer\"",
        "$'WebSocketPeer'/WebSocketPeer",
        "$/root/WebSocketPeer",
        "$%WebSocketPeer",
        "%WebSocketPeer.poll()",
        "return %WebSocketPeer",
        "var a = %WebSocketPeer",
        "f(%WebSocketPeer, [%\"WebSocketPeer\"])",
        "a = 1\n%WebSocketPeer.poll()",
        "@onready var a := $Net/WebSocketPeer as Node",
        "$class/WebSocketPeer",
        "f(func():\n\ta()\n\t%WebSocketPeer.poll()\n)",
        "if not %WebSocketPeer: pass",
        "$ A / WebSocketPeer",
    ] {
        unchanged(source);
    }
    for pattern in [
        "\"%d\" % {W}.STATE_OPEN",
        "\"%d\" %{W}.STATE_OPEN",
        "a % {W}.X",
        "a() % {W}.X",
        "a[0] % {W}.X",
        "5 % {W}.X",
        "self % {W}.X",
        "\"%d\" \\\n\t% {W}.X",
        "(\"%d\"\n\t% {W}.X)",
        "$A.b({W}.new())",
        "$A; {W}.new()",
        "$A\n{W}.new()",
        "$A as {W}",
        "$\"A\" == {W}",
        "10 / {W}.X",
        "a / {W}.X",
        "a /= {W}.X",
        "%A.b = {W}.new()",
    ] {
        replaced(pattern);
    }
}

#[test]
fn comments_only_where_asked() {
    for comment in [
        "# WebSocketPeer",
        "#WebSocketPeer",
        "## See [WebSocketPeer], [method WebSocketPeer.poll] and WebSocketMultiplayerPeer.",
        "a = 1 # a \"WebSocketPeer\", 'WebSocketPeer'",
        "# $WebSocketPeer: \u{201c}WebSocketPeer\u{201d} \u{4f7f}\u{7528}WebSocketPeer\u{8fde}\u{63a5}",
        "# WebSocketPeer-like (WebSocketPeer's)",
        "#region WebSocketPeer\r\n#endregion",
    ] {
        let new = comment.replace("WebSocket", "RustWebSocket");
        assert_eq!(renamed(Kind::Script, comment, MIGRATION), new);
        assert_eq!(back(Kind::Script, &new, MIGRATION), comment);
        assert_eq!(renamed(Kind::Script, comment, AT_START), comment);
    }
    for comment in [
        "# MyWebSocketPeer, WebSocketPeers, WebSocketPeer_2, websocketpeer",
        "# \u{e4}WebSocketPeer WebSocketPeer\u{c4}",
        "\"# not a comment, WebSocketPeer\"",
    ] {
        unchanged(comment);
    }
    let source = "var a # it's\nvar b: WebSocketPeer # \"\nvar c: WebSocketPeer";
    assert_eq!(renamed(Kind::Script, source, AT_START), source.replace("Web", "RustWeb"));
}

#[test]
fn all_other_bytes_stay() {
    let source = b"\xef\xbb\xbfextends Node\r\n\r\n\tvar a: WebSocketPeer\r\n# \xff\xfe WebSocketPeer\r\n\0";
    let there = Renamed::find(Kind::Script, source, MIGRATION);
    let text = there.apply(source);
    assert_eq!(there.edits.len(), 2);
    assert_eq!(text.len(), source.len() + 8);
    let options = Options { direction: Direction::ToEngine, comments: true };
    assert_eq!(Renamed::find(Kind::Script, &text, options).apply(&text), source);
}

#[test]
fn lines_and_roles() {
    let source = "extends WebSocketPeer\r\nclass_name RustWebSocketPeer\r\n\r\nvar a := \"WebSocketPeer\" if b is WebSocketPeer else WebSocketMultiplayerPeer.new() # WebSocketPeer\r\nif x is not WebSocketPeer: pass";
    let found = Renamed::find(Kind::Script, source.as_bytes(), MIGRATION);
    let roles: Vec<_> = found.edits.iter().map(|edit| (edit.line, edit.role)).collect();
    assert_eq!(
        roles,
        [
            (1, Role::Extends),
            (4, Role::Text),
            (4, Role::Is),
            (4, Role::Reference),
            (4, Role::Comment),
            (5, Role::Is)
        ]
    );
    let already: Vec<_> = found.already.iter().map(|place| (place.line, place.role)).collect();
    assert_eq!(already, [(2, Role::Declaration)]);
    let lines = found.lines(source.as_bytes());
    let numbers: Vec<_> = lines.iter().map(|line| line.number).collect();
    assert_eq!(numbers, [1, 4, 5]);
    assert_eq!(lines[0].before, "extends WebSocketPeer");
    assert_eq!(lines[0].after, "extends RustWebSocketPeer");
    assert_eq!(
        lines[1].after,
        "var a := \"RustWebSocketPeer\" if b is RustWebSocketPeer else RustWebSocketMultiplayerPeer.new() # RustWebSocketPeer"
    );
    assert!(!found.is_empty());
}

/// A script that used both names cannot come back; it is told before.
#[test]
fn both_names_from_the_start() {
    let source = "var a := RustWebSocketPeer.new() if ours else WebSocketPeer.new()";
    let found = Renamed::find(Kind::Script, source.as_bytes(), MIGRATION);
    assert_eq!((found.edits.len(), found.already.len()), (1, 1));
    let there = renamed(Kind::Script, source, MIGRATION);
    assert_eq!(back(Kind::Script, &there, MIGRATION), source.replace("Rust", ""));
}

fn scene(script: &str) -> String {
    let escaped = script.replace('\\', "\\\\").replace('"', "\\\"");
    format!(
        "[gd_scene load_steps=2 format=3 uid=\"uid://x\"]\n\n[sub_resource type=\"GDScript\" id=\"GDScript_1\"]\n\
         resource_name = \"WebSocketPeer\"\nscript/source = \"{escaped}\"\n\n[node name=\"WebSocketPeer\" type=\"Node\"]\n\
         script = SubResource(\"GDScript_1\")\ntext = \"WebSocketPeer\"\n"
    )
}

#[test]
fn scripts_in_scenes() {
    let script = "extends Node\nvar a: WebSocketPeer # \"it's WebSocketPeer\"\nvar b := \"WebSocketPeer\" + \"\\\"\"\nvar c := \"x WebSocketPeer\"\n";
    let source = scene(script);
    for options in [MIGRATION, AT_START] {
        let new = renamed(Kind::Resource, &source, options);
        assert_eq!(new, scene(&renamed(Kind::Script, script, options)));
        assert_ne!(new, source);
        assert_eq!(back(Kind::Resource, &new, options), source);
    }
    let lines: Vec<_> = Renamed::find(Kind::Resource, source.as_bytes(), AT_START)
        .edits
        .iter()
        .map(|edit| edit.line)
        .collect();
    assert_eq!(lines, [6, 7], "lines of the file");
}

#[test]
fn scripts_in_resources() {
    for (source, changes) in [
        (
            "[gd_resource type=\"GDScript\" format=3]\r\n\r\n[resource]\r\nscript/source = \"var a: WebSocketPeer\\nvar b: \\\"WebSocketPeer\\\"\\n\"\r\n",
            2,
        ),
        ("[gd_resource type=\"Theme\" format=3]\n[resource]\nscript/source = \"WebSocketPeer\"\n", 0),
        ("[sub_resource type=\"CSharpScript\"]\nscript/source = \"WebSocketPeer\"\n", 0),
        ("[sub_resource id=\"1\" type = \"GDScript\"]\nscript/source=\"WebSocketPeer\"", 1),
        ("[sub_resource  sub_type=\"GDScript\" type=\"X\"]\nscript/source=\"WebSocketPeer\"", 0),
        (
            "[sub_resource type=\"GDScript\"]\nother/source=\"WebSocketPeer\"\nx = {\n\"script/source\": \"WebSocketPeer\"\n}\n",
            0,
        ),
        (
            "[sub_resource type=\"GDScript\"]\nx = [\"]\", \"\\\"\", {\n\"a\": \"[\"}]\nscript/source = \"WebSocketPeer\"\n",
            1,
        ),
        ("; WebSocketPeer \"\n[sub_resource type=\"GDScript\"]\nscript/source = \"WebSocketPeer\"\n", 1),
        ("[sub_resource type=\"GDScript\"]\nscript/source = \"WebSocket\\u0050eer\"\n", 0),
        ("[sub_resource type=\"GDScript\"]\nscript/source = \"\\u00e4 = WebSocketPeer \\U01f600\"\n", 1),
        ("[sub_resource type=\"GDScript\"]\nscript/source = \"WebSocketPeer", 1),
        ("[sub_resource type=\"GDScript\"", 0),
        ("[sub_resource type=\"GDScript\"]\nscript/source = \"WebSocketPeer\\", 1),
        ("[sub_resource type=\"GDScript\"]\nWebSocketPeer", 0),
        ("[node name=\"WebSocketPeer\" type=\"Node\" groups=[\"WebSocketPeer\"]]\n", 0),
    ] {
        let found = Renamed::find(Kind::Resource, source.as_bytes(), AT_START);
        assert_eq!(found.edits.len(), changes, "{source}");
        let new = renamed(Kind::Resource, source, AT_START);
        assert_eq!(back(Kind::Resource, &new, AT_START), source);
    }
}

#[test]
fn kinds_of_files() {
    for (name, kind) in [
        ("a.gd", Some(Kind::Script)),
        ("res://x.y/A.GD", Some(Kind::Script)),
        ("a.tscn", Some(Kind::Resource)),
        ("a.tres", Some(Kind::Resource)),
        ("a.gdc", None),
        ("a.cs", None),
        ("a.scn", None),
        ("gd", None),
        ("", None),
    ] {
        assert_eq!(Kind::of(name), kind, "{name}");
    }
}

/// Any bytes: nothing panics, and the way back is exact wherever it can be.
#[test]
fn rubbish() {
    let pieces: [&[u8]; 24] = [
        b"WebSocketPeer",
        b"RustWebSocketPeer",
        b"\"",
        b"'",
        b"\"\"\"",
        b"'''",
        b"\\",
        b"\n",
        b"\r\n",
        b"#",
        b"$",
        b"%",
        b"/",
        b" ",
        b"r",
        b"&",
        b"^",
        b"(",
        b")",
        b"\xff",
        "\u{e4}".as_bytes(),
        b"is ",
        b"[sub_resource type=\"GDScript\"]\nscript/source = ",
        b"a",
    ];
    let mut seed = 1_u64;
    let mut next = |limit: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % limit as u64) as usize
    };
    for _ in 0..20_000 {
        let source: Vec<u8> = (0..next(30)).flat_map(|_| pieces[next(pieces.len())].to_vec()).collect();
        for (kind, options) in
            [(Kind::Script, MIGRATION), (Kind::Script, AT_START), (Kind::Resource, MIGRATION)]
        {
            let there = Renamed::find(kind, &source, options);
            let text = there.apply(&source);
            let options = Options { direction: Direction::ToEngine, ..options };
            let back = Renamed::find(kind, &text, options);
            assert_eq!(back.edits.len(), there.edits.len() + there.already.len(), "{source:?}");
            if there.already.is_empty() {
                assert_eq!(back.apply(&text), source, "{source:?}");
            }
            there.lines(&source);
        }
    }
}
